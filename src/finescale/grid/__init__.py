"""Geometry: horizontal grids, the coarsening operator H, regridding. Knows numpy and xarray, nobody else."""

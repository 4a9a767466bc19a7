"""The regions that are scored apart: the whole, the coast and the mountains."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.grid.grid import Grid

STEEP = 0.9  # the steepest tenth of the cells is called mountain


def regions(grid: Grid, static: xr.Dataset | None) -> dict[str, NDArray[np.float64]]:
    """Give the area weights of each region; a region without a cell is left out.

    The coast is where the land fraction changes from a cell to its neighbours; the mountains are the steepest
    tenth of the cells, where steep terrain exists at all.

    Args:
        grid: The fine grid.
        static: `orog` [m] and `sftlf` [1 or %] on that grid, either may be missing.

    Returns:
        Weights [lat, lon] that sum to one, by name of the region; `all` comes first.
    """
    area = np.asarray(grid.area, dtype=np.float64)
    masks = {"all": np.ones(area.shape, dtype=bool)}
    if static is not None and "sftlf" in static:
        masks["coast"] = _edge(static["sftlf"].transpose(..., "lat", "lon").to_numpy())
    if static is not None and "orog" in static:
        slope = _slope(static["orog"].transpose(..., "lat", "lon").to_numpy().astype(np.float64), grid)
        masks["mountain"] = (slope >= np.quantile(slope, STEEP)) & (slope > 0)
    return {name: area * mask / (area * mask).sum() for name, mask in masks.items() if mask.any()}


def _edge(land: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Mark the cells [lat, lon] that have a neighbour with another land fraction."""
    edge = np.zeros(land.shape, dtype=bool)
    step = land[1:] != land[:-1]
    edge[1:] |= step
    edge[:-1] |= step
    step = land[:, 1:] != land[:, :-1]
    edge[:, 1:] |= step
    edge[:, :-1] |= step
    return edge


def _slope(height: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """Give the steepness [lat, lon], metres of height a degree of arc."""
    lat, lon = np.asarray(grid.lat), np.asarray(grid.lon)
    north = np.gradient(height, lat, axis=0) if lat.size > 1 else np.zeros_like(height)
    east = np.gradient(height, lon, axis=1) if lon.size > 1 else np.zeros_like(height)
    return np.asarray(np.hypot(north, east / np.cos(np.deg2rad(lat))[:, None]))

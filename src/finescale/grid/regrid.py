"""Bring fields to another grid, conservatively or bilinearly. Outside the source is NaN, never 0."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.grid.axes import Floats, around, edges_of, linear, linear_around, overlap
from finescale.grid.cells import cells_of, is_regular
from finescale.grid.grid import Grid
from finescale.grid.horizontal import add_cell_method, map_fields
from finescale.grid.overlap import overlap_shares
from finescale.grid.scattered import bilinear_shares
from finescale.grid.weights import Cellwise, Separable, Weights, interpolate, mean


def conservative(ds: xr.Dataset, target: Grid, *, coverage: float = 0.5) -> xr.Dataset:
    """Average fields over the cells of another grid, weighted by the area of overlap on the sphere.

    Args:
        ds: fields [..., lat, lon] on a regular grid, either latitude order, any cut of the circle; or on a
            rotated-pole grid (by its grid mapping) or one with two-dimensional lat and lon. Bounds that the
            data declare are honoured.
        target: grid of the result.
        coverage: least share of a target cell, in (0, 1], that must hold data; below it the cell is NaN,
            above it the cell is the mean of what it holds.

    Returns:
        The fields on the target grid, lazy where they were, in their floating dtype.
    """
    if not 0 < coverage <= 1:
        raise FinescaleError(f"coverage is a share in (0, 1]: {coverage}; choose 0.5 or the like")
    weights: Weights
    if is_regular(ds):
        dims: tuple[Hashable, Hashable] = ("lat", "lon")
        rows = overlap(_sine(edges_of(ds, "lat")), _sine(target.lat_edges))
        weights = Separable(rows, around(edges_of(ds, "lon"), target.lon_edges))
    else:
        cells = cells_of(ds)
        dims = cells.dims
        weights = Cellwise(overlap_shares(cells, target), cells.shape, target.shape)
    ds, weights, covered = _cropped(ds, weights, dims)
    out = map_fields(lambda x: mean(weights, x, covered, coverage), ds, target, dims=dims)
    return add_cell_method(out, "area: mean", over=("lat", "lon"))


def bilinear(ds: xr.Dataset, target: Grid) -> xr.Dataset:
    """Interpolate fields linearly to the cell centres of another grid.

    Args:
        ds: fields [..., lat, lon] on a regular grid, or on a rotated or curvilinear one. Of a regular grid the
            outermost half cells hold the value of the outermost centre. Beyond, the result is NaN, and so it
            is beside a NaN.
        target: grid of the result.

    Returns:
        The fields on the target grid, lazy where they were, in their floating dtype.
    """
    weights: Weights
    if is_regular(ds):
        dims: tuple[Hashable, Hashable] = ("lat", "lon")
        rows = linear(np.asarray(ds["lat"]), edges_of(ds, "lat"), np.asarray(target.lat))
        lon = np.unwrap(ds["lon"], period=360)
        weights = Separable(rows, linear_around(lon, edges_of(ds, "lon"), np.asarray(target.lon)))
    else:
        cells = cells_of(ds)
        dims = cells.dims
        weights = Cellwise(bilinear_shares(cells.lon, cells.lat, target), cells.shape, target.shape)
    ds, weights, covered = _cropped(ds, weights, dims)
    return map_fields(lambda x: interpolate(weights, x, covered), ds, target, dims=dims)


def _cropped(
    ds: xr.Dataset, weights: Weights, dims: tuple[Hashable, Hashable]
) -> tuple[xr.Dataset, Weights, Floats]:
    """Leave out the rows and columns without weight, before any data are read; add what is covered [1, lat, lon]."""
    rows, columns, weights = weights.crop()
    if not rows.size or not columns.size:
        raise FinescaleError(
            f"the target overlaps the source: no cell of {dict(ds.sizes)} touches it; choose a region inside the source"
        )
    ds = ds.isel({dims[0]: _slice(rows), dims[1]: _slice(columns)})
    return ds, weights, weights.product(np.ones((1, rows.size, columns.size)))


def _slice(positions: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    # A slice of an array in memory is a view; a region astride the cut of the circle has two.
    whole = positions[-1] - positions[0] + 1 == positions.size
    return slice(int(positions[0]), int(positions[-1]) + 1) if whole else positions


def _sine(degrees: Floats) -> Floats:
    return np.asarray(np.sin(np.deg2rad(degrees)))

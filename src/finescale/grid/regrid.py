"""Bring fields to another grid, conservatively or bilinearly. Outside the source is NaN, never 0."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import scipy.sparse as sp
import xarray as xr

from finescale.errors import FinescaleError
from finescale.grid.axes import Floats, around, edges_of, linear, linear_around, overlap
from finescale.grid.cells import cells_of, is_regular
from finescale.grid.grid import Grid
from finescale.grid.horizontal import add_cell_method, map_fields
from finescale.grid.overlap import overlap_shares
from finescale.grid.scattered import bilinear_shares
from finescale.grid.weights import Weights


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
    dims: tuple[Hashable, Hashable] = ("lat", "lon")
    if is_regular(ds):
        lat = overlap(_sine(edges_of(ds, "lat")), _sine(target.lat_edges))
        lon = around(edges_of(ds, "lon"), target.lon_edges)
        shares = sp.csr_array(sp.kron(lat, lon, format="csr"))
    else:
        cells = cells_of(ds)
        dims, shares = cells.dims, overlap_shares(cells, target)
    weights = Weights(shares, target.shape)
    out = map_fields(lambda x: weights.mean(x, coverage), ds, target, dims=dims)
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
    dims: tuple[Hashable, Hashable] = ("lat", "lon")
    if is_regular(ds):
        lat = linear(np.asarray(ds["lat"]), edges_of(ds, "lat"), np.asarray(target.lat))
        lon = linear_around(np.unwrap(ds["lon"], period=360), edges_of(ds, "lon"), np.asarray(target.lon))
        shares = sp.csr_array(sp.kron(lat, lon, format="csr"))
    else:
        cells = cells_of(ds)
        dims, shares = cells.dims, bilinear_shares(cells.lon, cells.lat, target)
    return map_fields(Weights(shares, target.shape).interpolate, ds, target, dims=dims)


def _sine(degrees: Floats) -> Floats:
    return np.asarray(np.sin(np.deg2rad(degrees)))

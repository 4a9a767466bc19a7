"""The horizontal axes of a file in one form: `lat` and `lon` ascending, or `y, x` with two-dimensional ones."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.climate.projection import geographic
from finescale.climate.subset import axis_of
from finescale.errors import FinescaleError
from finescale.grid.grid import LAT_ATTRS, LON_ATTRS

_MESHES = (
    "ncells",
    "cell",
    "cells",
    "values",
    "node",
    "nodes",
    "nMesh2_face",
    "ncol",
    "nCells",
    "gridcell",
    "i",
)


def regular_axes(ds: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Name, order and wrap the horizontal axes.

    Returns:
        Dims `lat, lon` (regular), or `y, x` with coordinates `lat, lon` [y, x] (rotated, projected, curvilinear);
        and what was done, one line each.
    """
    ds = ds.assign_coords({n: ds[n] for n in ds.data_vars if n in (axis_of(ds, "lat"), axis_of(ds, "lon"))})
    lat, lon = axis_of(ds, "lat"), axis_of(ds, "lon")
    if lat is None or lon is None or _is_rotated(ds, lat, lon):
        ds, done = geographic(ds)
        return _plane(ds, "lat", "lon", done)
    _refuse_mesh(ds, lat, lon)
    if ds[lat].ndim >= 2:
        return _plane(ds, lat, lon, [])
    done = [f"renamed {old} to {new}" for old, new in ((lat, "lat"), (lon, "lon")) if old != new]
    ds = _to_dimension(_to_dimension(ds, lat, "lat"), lon, "lon")
    _check_degrees(ds)
    ds = ds.assign_coords(
        lat=("lat", ds["lat"].values.astype("float64"), dict(LAT_ATTRS)),
        lon=("lon", ds["lon"].values.astype("float64"), dict(LON_ATTRS)),
    )
    if ds.sizes["lat"] > 1 and not np.all(np.diff(ds["lat"].values) > 0):
        ds, done = ds.sortby("lat"), [*done, "turned latitude to ascend"]
    ds, wrapped = _wrap(ds)
    _check_monotonic(ds)
    return ds.transpose(..., "lat", "lon"), [*done, *wrapped]


def _wrap(ds: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Bring longitudes into [-180, 180), in order; a box over the dateline goes on beyond 180 instead of breaking."""
    lon = ds["lon"].values
    wrapped = np.mod(lon + 180.0, 360.0) - 180.0
    order = np.argsort(wrapped, kind="stable")
    ascending = wrapped[order]
    # A regional box has one gap wider than all steps; inside the wrapped axis it must not lie between its own cells.
    gaps = np.diff(np.append(ascending, ascending[0] + 360.0))
    start = (int(np.argmax(gaps)) + 1) % lon.size
    crosses = lon.size > 1 and start != 0 and gaps.max() > 1.5 * np.median(gaps)
    if crosses:
        order = np.roll(order, -start)
        values = np.concatenate([ascending[start:], ascending[:start] + 360.0])
        done = ["let longitude run on beyond 180 across the dateline"]
    else:
        values, done = ascending, []
    if np.array_equal(order, np.arange(lon.size)) and np.array_equal(values, lon):
        return ds, []
    if not crosses:
        done = ["counted longitude from -180"]
    return _reordered(ds, order).assign_coords(lon=("lon", values, dict(LON_ATTRS))), done


def _reordered(ds: xr.Dataset, order: NDArray[np.intp]) -> xr.Dataset:
    """Take columns in an order; a turn of the circle is two slices, which copy less than a list of columns."""
    start = int(order[0])
    if start == 0 and np.all(np.diff(order) == 1):
        return ds
    if np.array_equal(order, np.roll(np.arange(order.size), -start)):
        return ds.roll(lon=-start, roll_coords=False)
    return ds.isel(lon=order)


def _plane(ds: xr.Dataset, lat: Hashable, lon: Hashable, done: list[str]) -> tuple[xr.Dataset, list[str]]:
    """Name the dimensions of a rotated, projected or curvilinear grid `y, x` and order them."""
    for name in (lat, lon):
        if "time" in ds[name].dims or ds[name].ndim == 3:  # WRF repeats its fixed coordinates at every time
            first = ds[name].isel({ds[name].dims[0]: 0}, drop=True)
            if not bool((ds[name] == first).all()):
                raise FinescaleError(
                    f"a grid stands still: {name} changes with time; moving grids are not supported"
                )
            ds = ds.assign_coords({name: first})
    rows, columns = ds[lat].dims
    spare = {n: d for n, d in ((lat, "lat"), (lon, "lon")) if n != d}
    ds = ds.rename({**{d: n for d, n in ((rows, "y"), (columns, "x")) if d != n}, **spare})
    ds["lat"].attrs.update({k: v for k, v in LAT_ATTRS.items() if k != "axis"})
    ds["lon"].attrs.update({k: v for k, v in LON_ATTRS.items() if k != "axis"})
    ds = ds.assign_coords(lon=(("y", "x"), np.mod(ds["lon"].values + 180.0, 360.0) - 180.0, ds["lon"].attrs))
    for dim in ("y", "x"):
        if dim in ds.coords and ds.sizes[dim] > 1 and ds[dim].values[0] > ds[dim].values[-1]:
            ds, done = ds.isel({dim: slice(None, None, -1)}), [*done, f"turned {dim} to ascend"]
    return ds.transpose(..., "y", "x"), done


def _is_rotated(ds: xr.Dataset, lat: Hashable, lon: Hashable) -> bool:
    """True when the axes found are those of the rotated sphere and not of the Earth."""
    return "grid_latitude" in (ds[lat].attrs.get("standard_name"), ds[lon].attrs.get("standard_name"))


def _to_dimension(ds: xr.Dataset, old: Hashable, new: str) -> xr.Dataset:
    dim = ds[old].dims[0] if ds[old].ndim else None
    if dim is None:
        return ds.rename({old: new} if old != new else {}).expand_dims(new)
    if dim != old:
        ds = ds.swap_dims({dim: old})
    return ds.rename({old: new}) if old != new else ds


def _refuse_mesh(ds: xr.Dataset, lat: Hashable, lon: Hashable) -> None:
    shared = ds[lat].ndim == 1 and ds[lat].dims == ds[lon].dims
    named = (
        next((d for d in ds.dims if d in _MESHES and d in ds[lat].dims), None) if ds[lat].ndim == 1 else None
    )
    if shared or (named is not None and lat != named):
        dim = str(ds[lat].dims[0])
        raise FinescaleError(
            f"fields lie on rows and columns: {lat} and {lon} share the one dimension {dim} ({ds.sizes[dim]} cells), "
            "an unstructured grid; remap it to a regular grid first, or choose a regridded series (grid_label gr)"
        )


def _check_degrees(ds: xr.Dataset) -> None:
    for name, low, high in (("lat", -90.01, 90.01), ("lon", -360.01, 540.01)):
        values = ds[name].values
        if not np.all(np.isfinite(values)):
            raise FinescaleError(f"every cell has a place: {name} holds missing values; mend the file")
        if values.min() < low or values.max() > high:
            raise FinescaleError(
                f"{name} is in degrees: {values.min():g} to {values.max():g}; check its units"
            )


def _check_monotonic(ds: xr.Dataset) -> None:
    for name in ("lat", "lon"):
        steps = np.diff(ds[name].values)
        if steps.size and steps.min() <= 0:
            value = ds[name].values[int(steps.argmin())]
            raise FinescaleError(
                f"every row and column is there once: {name} {value:g} is repeated; drop one of them"
            )

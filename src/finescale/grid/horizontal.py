"""Carry a horizontal map over all fields of a dataset: lazily, in float64, with CF attributes kept true."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.grid.grid import Grid

Floats = NDArray[np.float64]
# Takes [k, ny, nx], returns [k, lat, lon].
Map = Callable[[Floats], Floats]
# Half a MB of float64: a block of fields stays in the cache between the passes of a map.
BLOCK = 2**16
# What these attributes name belongs to the old cells.
STALE = ("grid_mapping", "coordinates", "cell_measures")


def map_fields(
    func: Map, ds: xr.Dataset, target: Grid, *, dims: tuple[Hashable, Hashable] = ("lat", "lon")
) -> xr.Dataset:
    """Put every field of a dataset through `func` onto the target grid.

    Args:
        func: takes blocks of fields [k, *dims] in float64, returns [k, lat, lon].
        ds: fields with both horizontal dimensions are mapped; variables without either are kept; what belongs
            to the old cells (bounds, 2-D coordinates, grid mapping) goes.
        target: grid of the result.
        dims: horizontal dimensions of the source, rows first.

    Returns:
        The dataset on the target grid; fields keep their attributes, their floating dtype and their laziness.
    """
    moved = set(dims)
    old = [name for name, coord in ds.coords.items() if moved & set(coord.dims)]
    named = {(v.attrs | v.encoding).get("grid_mapping") for v in ds.data_vars.values()}
    named |= {ds[name].attrs.get("bounds", f"{name}_bnds") for name in old}
    bare = ds.drop_vars({*old, *(named & set(ds.variables))})
    fields = {}
    for name, field in bare.data_vars.items():
        if moved <= set(field.dims):
            fields[name] = _map(func, field, target, dims).drop_attrs()
            fields[name].attrs = {k: v for k, v in field.attrs.items() if k not in STALE}
        elif not moved & set(field.dims):
            fields[name] = field
    return xr.Dataset(fields, coords=dict(bare.coords) | target.coords(), attrs=ds.attrs)


def _map(func: Map, field: xr.DataArray, target: Grid, dims: tuple[Hashable, Hashable]) -> xr.DataArray:
    dtype = np.result_type(field.dtype, np.float32)
    if field.chunks is not None:
        # Chunks along time are the ones that bound the memory; the horizontal map needs the whole field.
        field = field.chunk(dict.fromkeys(dims, -1))
    mapped: xr.DataArray = xr.apply_ufunc(
        lambda x: _in_blocks(func, x, target.shape, dtype),
        field,
        input_core_dims=[list(dims)],
        output_core_dims=[["lat", "lon"]],
        exclude_dims=set(dims),
        dask="parallelized",
        output_dtypes=[dtype],
        dask_gufunc_kwargs={"output_sizes": dict(zip(("lat", "lon"), target.shape, strict=True))},
    )
    return mapped


def _in_blocks(func: Map, x: NDArray[Any], shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    flat = x.reshape(-1, *x.shape[-2:])
    out = np.empty((len(flat), *shape), dtype)
    step = max(1, BLOCK // max(1, flat[:1].size, shape[0] * shape[1]))
    for begin in range(0, len(flat), step):
        out[begin : begin + step] = func(flat[begin : begin + step].astype(np.float64))
    return out.reshape(*x.shape[:-2], *shape)


def add_cell_method(ds: xr.Dataset, method: str, *, over: tuple[str, ...]) -> xr.Dataset:
    """Append a CF cell method (`area: mean`) to the fields that have the dimensions `over` and do not state it."""
    out = ds.copy()
    for name, field in ds.data_vars.items():
        said = str(field.attrs.get("cell_methods", ""))
        if set(over) <= set(field.dims) and method not in said:
            out[name] = field.assign_attrs(cell_methods=f"{said} {method}".strip())
    return out

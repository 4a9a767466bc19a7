"""Carry a horizontal map over all fields of a dataset: lazily, in float64, with CF attributes kept true."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.grid.grid import Grid

Map = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def map_fields(
    func: Map, ds: xr.Dataset, target: Grid, *, dims: tuple[Hashable, Hashable] = ("lat", "lon")
) -> xr.Dataset:
    """Put every field of a dataset through `func` onto the target grid.

    Args:
        func: takes [..., *dims] in float64, returns [..., lat, lon].
        ds: fields with both horizontal dimensions are mapped; variables without either are kept; what belongs
            to the old cells (bounds, 2-D coordinates) goes.
        target: grid of the result.
        dims: horizontal dimensions of the source, rows first.

    Returns:
        The dataset on the target grid; fields keep their attributes, their floating dtype and their laziness.
    """
    moved = set(dims)
    bare = ds.drop_vars([n for n, c in ds.coords.items() if moved & set(c.dims)])
    fields = {
        name: _map(func, field, target, dims) if moved <= set(field.dims) else field
        for name, field in bare.data_vars.items()
        if moved <= set(field.dims) or not moved & set(field.dims)
    }

    return xr.Dataset(fields, coords=dict(bare.coords) | target.coords(), attrs=ds.attrs)


def _map(func: Map, field: xr.DataArray, target: Grid, dims: tuple[Hashable, Hashable]) -> xr.DataArray:
    dtype = np.result_type(field.dtype, np.float32)
    if field.chunks is not None:
        # Chunks along time are the ones that bound the memory; the horizontal map needs the whole field.
        field = field.chunk(dict.fromkeys(dims, -1))
    mapped: xr.DataArray = xr.apply_ufunc(
        lambda x: func(x.astype(np.float64)).astype(dtype),
        field,
        input_core_dims=[list(dims)],
        output_core_dims=[["lat", "lon"]],
        exclude_dims=set(dims),
        dask="parallelized",
        output_dtypes=[dtype],
        dask_gufunc_kwargs={"output_sizes": dict(zip(("lat", "lon"), target.shape, strict=True))},
        keep_attrs=True,
    )
    return mapped


def add_cell_method(ds: xr.Dataset, method: str, *, over: tuple[str, ...]) -> xr.Dataset:
    """Append a CF cell method (`time: mean`) to every field that has the dimensions `over`."""
    out = ds.copy()
    for name, field in ds.data_vars.items():
        said = str(field.attrs.get("cell_methods", ""))
        if set(over) <= set(field.dims) and method not in said:
            out[name] = field.assign_attrs(cell_methods=f"{said} {method}".strip())
    return out

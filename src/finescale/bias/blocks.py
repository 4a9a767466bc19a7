"""Whole series of a few cells at a time: how fitting and mapping stay within memory, however long and wide the data.

Files and stores are cut along time, maps are fitted along time. Rechunking one into the other makes dask hold
everything; here each block of cells reads its own series straight from the source instead, again for each block, and
lets go of them.
"""

from collections.abc import Hashable
from math import ceil

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

BLOCK_BYTES = 64 * 2**20
"""Bytes of one variable's series in one block, in double precision; a block needs about eight times as much."""


def space_of(array: xr.DataArray) -> tuple[str, ...]:
    """Dimensions other than time."""
    return tuple(str(d) for d in array.dims if d != "time")


def block_chunks(array: xr.DataArray, series: int) -> dict[Hashable, int]:
    """Cells of each spatial dimension in a block.

    Args:
        array: anything on the grid.
        series: time steps of the longest series.
    """
    cells = max(1, BLOCK_BYTES // (8 * max(series, 1)))
    chunks: dict[Hashable, int] = {}
    for name in reversed(space_of(array)):
        size = array.sizes[name]
        chunks[name] = min(size, max(1, cells))
        cells //= size
    first = space_of(array)[0]
    # Two blocks at least, so that two threads have work.
    chunks[first] = min(chunks[first], max(1, ceil(array.sizes[first] / 2)))
    return chunks


def by_cells(array: xr.DataArray, chunks: dict[Hashable, int]) -> xr.DataArray:
    """The array in blocks of cells with whole series, each read on its own; time comes last."""
    array = array.transpose(*space_of(array), "time")
    if not isinstance(array.data, da.Array):
        return array.chunk({**chunks, "time": -1})
    source = array.data
    layout = da.core.normalize_chunks(  # type: ignore[no-untyped-call]
        (*(chunks[d] for d in space_of(array)), -1), shape=source.shape, dtype=source.dtype
    )

    def read(block_info: dict[None, dict[str, list[tuple[int, int]]]]) -> NDArray[np.generic]:
        where = tuple(slice(low, high) for low, high in block_info[None]["array-location"])
        return np.asarray(source[where].compute(scheduler="synchronous"))

    meta = np.empty((0,) * source.ndim, dtype=source.dtype)
    blocks = da.map_blocks(read, chunks=layout, dtype=source.dtype, meta=meta)  # type: ignore[no-untyped-call]
    return array.copy(data=blocks)


def cell_numbers(array: xr.DataArray) -> xr.DataArray:
    """Number of each cell, row by row [space]."""
    space = space_of(array)
    sizes = [array.sizes[d] for d in space]
    return xr.DataArray(np.arange(int(np.prod(sizes))).reshape(sizes), dims=space)


def cell_name(array: xr.DataArray, number: int) -> str:
    """Where a cell lies, for messages: ``lat 48.25, lon 3.5``."""
    space = space_of(array)
    where = np.unravel_index(number, [array.sizes[d] for d in space])
    parts = []
    for name, k in zip(space, where, strict=True):
        value = array[name].values[k] if name in array.coords else k
        parts.append(f"{name} {value:g}")
    return ", ".join(parts)

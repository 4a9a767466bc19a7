"""Whole series of a few cells at a time: how fitting and mapping stay within memory, however long and wide the data.

Files and stores are cut along time, maps are fitted along time. Rechunking one into the other makes dask hold
everything; here each block of cells reads its own series straight from the source instead, again for each block, and
lets go of them.
"""

from collections.abc import Hashable
from dataclasses import dataclass
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
    """The array in blocks of cells with whole series, each read on its own; time comes last, coordinates are left."""
    variable = array.variable.transpose(*space_of(array), "time")
    source = variable.data
    layout = (*(chunks[d] for d in space_of(array)), -1)
    if not isinstance(source, da.Array):
        # Without a name dask would read all the values to invent one.
        blocks = da.from_array(np.asarray(source), chunks=layout, name=False)  # type: ignore[no-untyped-call]
        return xr.DataArray(blocks, dims=variable.dims)
    layout = da.core.normalize_chunks(  # type: ignore[no-untyped-call]
        layout, shape=source.shape, dtype=source.dtype
    )

    def read(block_info: dict[None, dict[str, list[tuple[int, int]]]]) -> NDArray[np.generic]:
        where = tuple(slice(low, high) for low, high in block_info[None]["array-location"])
        return np.asarray(source[where].compute(scheduler="synchronous"))

    meta = np.empty((0,) * source.ndim, dtype=source.dtype)
    name = f"cells-{source.name}-{'-'.join(str(c) for c in chunks.values())}"
    blocks = da.map_blocks(  # type: ignore[no-untyped-call]
        read, name=name, chunks=layout, dtype=source.dtype, meta=meta
    )
    return xr.DataArray(blocks, dims=variable.dims)


@dataclass(frozen=True)
class Cells:
    """The cells of a grid, numbered row by row.

    Attributes:
        space: dimensions.
        sizes: of each.
        coords: values along each; positions where there are none.
    """

    space: tuple[str, ...]
    sizes: tuple[int, ...]
    coords: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, array: xr.DataArray) -> "Cells":
        """The cells that an array stands on."""
        space = space_of(array)
        sizes = tuple(array.sizes[d] for d in space)
        coords = tuple(
            tuple(float(v) for v in (array[d].values if d in array.coords else range(n)))
            for d, n in zip(space, sizes, strict=True)
        )
        return cls(space, sizes, coords)

    def numbers(self, chunks: dict[Hashable, int]) -> xr.DataArray:
        """Number of each cell, in blocks [space]."""
        numbers = np.arange(int(np.prod(self.sizes))).reshape(self.sizes)
        return xr.DataArray(numbers, dims=self.space).chunk({d: chunks[d] for d in self.space})

    def name(self, number: int) -> str:
        """Where a cell lies, for messages: ``lat 48.25, lon 3.5``."""
        where = np.unravel_index(number, self.sizes)
        parts = zip(self.space, self.coords, where, strict=True)
        return ", ".join(f"{d} {values[k]:g}" for d, values, k in parts)

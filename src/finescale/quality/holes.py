"""Chunks that a Zarr store should hold and does not: they read as missing or as zero without a word."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.core.sync import sync

from finescale.errors import FinescaleError


def count(store: str | Path) -> dict[str, float]:
    """Count the holes of every array in a Zarr store.

    A chunk is a hole when it is absent although its place on the map is there at other times. A place that is absent
    at all times is a mask (sea in a land data set), unless nothing is there at all: then every chunk is a hole.

    Args:
        store: path or URL of a Zarr group, version 2 or 3.

    Returns:
        Array name -> number of holes; a shard counts as one chunk.
    """
    try:
        group = zarr.open_group(str(store), mode="r")
    except Exception as error:  # each kind of store fails in its own way
        raise FinescaleError(
            f"a Zarr store can be opened: {Path(str(store)).name} fails ({error}); fetch it again"
        ) from error
    return {name: _holes(array) for name, array in sorted(group.arrays()) if array.ndim > 1}


def _holes(array: zarr.Array[Any]) -> float:
    size = array.shards or array.chunks
    grid = tuple(-(-n // c) for n, c in zip(array.shape, size, strict=True))
    stored = sync(_stored(array))
    prefix = f"{array.path}/" if array.path else ""
    present = np.array(
        [
            prefix + array.metadata.encode_chunk_key(at) in stored
            for at in itertools.product(*map(range, grid))
        ]
    ).reshape(grid)
    if not present.any():
        return float(present.size)
    return float(np.count_nonzero(~present & present.any(axis=0, keepdims=True)))


async def _stored(array: zarr.Array[Any]) -> set[str]:
    prefix = f"{array.path}/" if array.path else ""
    return {key async for key in array.store.list_prefix(prefix)}

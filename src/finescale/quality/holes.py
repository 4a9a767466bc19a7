"""Chunks that a Zarr store should hold and does not: they read as missing or as zero without a word."""

from __future__ import annotations

from pathlib import Path

import zarr

from finescale.climate.holes import holes
from finescale.errors import FinescaleError


def count(store: str | Path) -> dict[str, float]:
    """Count the holes (see `finescale.climate.holes`) of every array in a Zarr store.

    Args:
        store: path or URL of a Zarr group, version 2 or 3, whose arrays begin with time.

    Returns:
        Array name -> number of holes; a shard counts as one chunk.
    """
    try:
        group = zarr.open_group(str(store), mode="r")
    except Exception as error:  # each kind of store fails in its own way
        raise FinescaleError(
            f"a Zarr store can be opened: {Path(str(store)).name} fails ({error}); fetch it again"
        ) from error
    return {
        name: float(len(holes(str(store), name, array)))
        for name, array in sorted(group.arrays())
        if array.ndim > 1
    }

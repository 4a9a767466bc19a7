"""Chunks that a Zarr store should hold and does not: they read as missing or as zero without a word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr

from finescale.climate.holes import missing_chunks
from finescale.errors import FinescaleError
from finescale.quality.layout import identify


def count(store: str | Path) -> dict[str, float]:
    """Count the holes of every array in a Zarr store.

    A chunk is a hole when it is absent although its place on the map is there at other times. A place that is absent
    at all times is a mask (sea in a land data set), unless nothing is there at all: then every chunk is a hole. Where
    zero is both the fill value and natural (no rain) nothing can be told, because writers leave such chunks out.

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
    found: dict[str, float] = {}
    for name, array in sorted(group.arrays()):
        if array.ndim > 1:
            size = array.shards or array.chunks
            absent = np.zeros([-(-n // c) for n, c in zip(array.shape, size, strict=True)], dtype=bool)
            for place in missing_chunks(str(store), name, array):
                absent[place] = True
            masked = absent.all(axis=0) & (not absent.all())
            claim = identify(name, dict(array.attrs))
            dry = claim is not None and claim.kind == "ratio" and np.all(np.asarray(array.fill_value) == 0)
            found[name] = 0.0 if dry else float(np.count_nonzero(absent & ~masked))
    return found

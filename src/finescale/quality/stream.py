"""One pass over a dataset in bounded memory: blocks are read ahead, cut into pieces, and handed on in order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.quality.layout import TIME, Field
from finescale.quality.timeaxis import TimeAxis

BLOCK_BYTES = 64 * 2**20  # read at once; two blocks are in memory, one being read and one being judged
PIECE_BYTES = 2 * 2**20  # judged at once; small enough to stay in a core's cache between the checks


def blocks(
    ds: xr.Dataset, fields: Sequence[Field], source: str
) -> Iterator[tuple[slice, dict[str, NDArray[np.floating]]]]:
    """Yield the fields block by block along time.

    Args:
        ds: the dataset, lazy or not.
        fields: timed fields of one member, each with another name.
        source: name of the dataset, for errors.

    Yields:
        The positions in time, and name -> values [time, y, x].
    """
    slices = _slices(ds, fields)
    with ThreadPoolExecutor(max_workers=1) as reader:
        ahead = reader.submit(_read, ds, fields, slices[0], source)
        for now, after in zip(slices, [*slices[1:], None], strict=True):
            values = ahead.result()
            if after is not None:
                ahead = reader.submit(_read, ds, fields, after, source)
            yield now, values


def pieces(block: slice, axis: TimeAxis, step_bytes: int) -> Iterator[tuple[slice, str, bool, bool]]:
    """Cut a block into pieces that lie in one period, hold no break in time and are copied days or none.

    Yields:
        Positions relative to the block, the period, whether the first time follows the one before the piece, and
        whether a calendar policy made the piece's day out of the one before it.
    """
    longest = max(1, PIECE_BYTES // max(1, step_bytes))
    labels, follows = axis.labels[block], axis.follows[block]
    copied = axis.copied[block]
    turns = (labels[1:] != labels[:-1]) | (copied[1:] != copied[:-1])
    cut = np.flatnonzero(~follows | np.concatenate(([True], turns)))
    bounds = sorted({0, *map(int, cut), len(labels)})
    for start, stop in itertools.pairwise(bounds):
        for first in range(start, stop, longest):
            yield (
                slice(first, min(first + longest, stop)),
                str(labels[first]),
                bool(follows[first]),
                bool(copied[first]),
            )


def _slices(ds: xr.Dataset, fields: Sequence[Field]) -> list[slice]:
    """Blocks of whole chunks, as many as fit."""
    count = ds.sizes[TIME]
    step = sum(ds[f.name].dtype.itemsize * int(np.prod(ds[f.name].shape[-2:])) for f in fields)
    most = max(1, BLOCK_BYTES // max(1, step))
    ends = _chunk_ends(ds, fields, count, most)
    slices, start = [], 0
    for end, following in zip(ends, [*ends[1:], count + most + 1], strict=True):
        if following - start > most:
            slices.append(slice(start, end))
            start = end
    return slices


def _chunk_ends(ds: xr.Dataset, fields: Sequence[Field], count: int, most: int) -> list[int]:
    """Where chunks end in time; every time where the data has none, or chunks far larger than a block."""
    for f in fields:
        data = ds[f.name].variable
        chunks = data.chunksizes.get(TIME) if data.chunks else None
        if chunks is None and data.encoding.get("preferred_chunks", {}).get(TIME):
            size = int(data.encoding["preferred_chunks"][TIME])
            chunks = tuple(np.diff([*range(0, count, size), count]))
        if chunks is not None and max(chunks) <= most:
            return [int(end) for end in np.cumsum(chunks)]
    return [*range(most, count, most), count]


def _read(
    ds: xr.Dataset, fields: Sequence[Field], block: slice, source: str
) -> dict[str, NDArray[np.floating]]:
    part = xr.Dataset({f.name: ds[f.name].isel({**f.where, TIME: block}).variable for f in fields})
    try:
        loaded = part.load()
    except Exception as error:  # each file format fails in its own way
        raise _unreadable(part, ds, block, source, error) from error
    return {f.name: np.asarray(loaded[f.name].transpose(TIME, ...).values) for f in fields}


def _unreadable(
    part: xr.Dataset, ds: xr.Dataset, block: slice, source: str, error: Exception
) -> FinescaleError:
    """Find which variable fails, and say so in one line."""
    culprit = "its variables"
    for name in part.data_vars:
        try:
            part[name].load()
        except Exception as own:  # as above
            culprit, error = str(name), own
            break
    times = ds.indexes[TIME][block] if TIME in ds.indexes else [block.start, block.stop]
    cause = " ".join(str(error).split()) or type(error).__name__
    return FinescaleError(
        f"data can be read: {culprit} of {source} between {times[0]} and {times[-1]} fails ({cause}); "
        "the file is truncated or a chunk is damaged, fetch it again"
    )

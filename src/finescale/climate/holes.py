"""Chunks that a Zarr store should have and has not: they would read as missing values without a word."""

from __future__ import annotations

import itertools
import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import zarr

from finescale.climate.variables import by_name
from finescale.errors import FinescaleError


def check_holes(address: str, names: Sequence[str], options: Mapping[str, Any] | None = None) -> None:
    """Raise when a store lacks chunks of the named arrays (see `holes`).

    Args:
        address: path or URL of the store.
        names: arrays to look at; those that are not there are passed over.
        options: storage options of the address.
    """
    group = zarr.open_group(
        address, mode="r", storage_options=dict(options or {}) if "://" in address else None
    )
    for name in names:
        if name not in group or not isinstance(array := group[name], zarr.Array):
            continue
        if missing := holes(address, name, array, options):
            index = missing[0]
            spans = [
                f"{i * c}..{min((i + 1) * c, n) - 1}"
                for i, c, n in zip(index, _grid(array), array.shape, strict=True)
            ]
            raise FinescaleError(
                f"a store is whole: {name} of {posixpath.basename(address.rstrip('/'))} lacks {len(missing)} of its "
                f"chunks, the first at [{', '.join(spans)}]; fetch or write it anew"
            )


def holes(
    address: str, name: str, array: zarr.Array[Any], options: Mapping[str, Any] | None = None
) -> list[tuple[int, ...]]:
    """Return the places on the grid of chunks that an array should hold and does not.

    An absent chunk of a `ratio` variable whose fill value is zero is no hole: writers leave dry blocks out. Neither
    is a place that is absent at all times while others are there: sea in a land data set.

    Args:
        address: path or URL of the store.
        name: name of the array.
        array: the array, its first axis time where it has more than two.
        options: storage options of the address.
    """
    # In version 2 the fill value itself reads as missing, so that a block left out is a hole all the same.
    natural = array.metadata.zarr_format == 3 and np.all(np.asarray(array.fill_value) == 0)
    known = by_name(name)
    if (
        natural and known is not None and known.kind == "ratio"
    ) or array.nchunks_initialized >= array.nchunks:
        return []
    missing = missing_chunks(address, name, array, options)
    counts = [-(-n // c) for n, c in zip(array.shape, _grid(array), strict=True)]
    if array.ndim < 3 or len(missing) == int(np.prod(counts)):
        return missing
    times = Counter(index[1:] for index in missing)
    return [index for index in missing if times[index[1:]] < counts[0]]


def missing_chunks(
    address: str, name: str, array: zarr.Array[Any], options: Mapping[str, Any] | None = None
) -> list[tuple[int, ...]]:
    """Return the places on the grid of chunks (of shards, where there are shards) where nothing is stored."""
    present = _keys(posixpath.join(address, name), dict(options or {}))
    counts = [range(-(-n // c)) for n, c in zip(array.shape, _grid(array), strict=True)]
    return [
        index for index in itertools.product(*counts) if array.metadata.encode_chunk_key(index) not in present
    ]


def _grid(array: zarr.Array[Any]) -> tuple[int, ...]:
    """Extent of what one stored object holds: a shard where there are shards."""
    return tuple(array.shards or array.chunks)


def _keys(address: str, options: dict[str, Any]) -> set[str]:
    if "://" not in address:
        root = Path(address)
        return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    fs, path = fsspec.core.url_to_fs(address, **options)
    base = path.rstrip("/") + "/"
    return {str(key).removeprefix(base) for key in fs.find(path)}

"""Bring a lazy data set here: in parallel, chunk by chunk, resumable, and never taken for whole before it is.

A retrieval writes into `<store>.part`, a journal notes the SHA-256 of every finished chunk, and only a complete,
verified store takes its final name. Killed at any moment it goes on where it stopped; chunks that do not match the
journal are fetched again.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from finescale.climate.journal import Chunk, Journal, fingerprint, lay_out
from finescale.climate.table import reason
from finescale.errors import FinescaleError

Progress = Callable[[int, int, str], None]


class RetrievalError(FinescaleError):
    """A chunk could not be fetched."""


@dataclass(frozen=True)
class Receipt:
    """What was retrieved: the SHA-256 of every chunk as stored, and how many had been there from an earlier try."""

    chunks: Mapping[str, str]
    resumed: int


@dataclass(frozen=True)
class Patience:
    """How often and how long to try again.

    Attributes:
        attempts: tries for one chunk.
        pause: seconds before the second try; doubled before each further one.
        sleep: what waits.
    """

    attempts: int = 5
    pause: float = 1.0
    sleep: Callable[[float], None] = time.sleep


def retrieve(
    ds: xr.Dataset,
    store: str | Path,
    *,
    chunk_bytes: int = 32 * 2**20,
    workers: int = 4,
    patience: Patience | None = None,
    progress: Progress | None = None,
) -> Receipt:
    """Compute a lazy data set into a Zarr store.

    Memory stays near `workers` times `chunk_bytes`, whatever the length of the series.

    Args:
        ds: variables with `time` first, or static; lazy.
        store: folder of the store; must not exist yet.
        chunk_bytes: size of one chunk in memory, about.
        workers: chunks on their way at the same time.
        patience: retries; None takes five tries.
        progress: called as progress(done, total, what) after every chunk.
    """
    target = Path(store)
    if target.exists():
        raise FinescaleError(f"a retrieval writes a new store: {target.name} exists; remove it first")
    part = target.with_name(f"{target.name}.part")
    ds = _prepared(ds)
    steps = _steps_per_chunk(ds, chunk_bytes)
    chunks = _plan(ds, steps)
    journal = Journal(part, fingerprint(ds, steps))
    if not journal.matches():
        lay_out(ds, part, steps, journal)
    done = {c.key: d for c in chunks if (d := journal.verified(c)) is not None}
    resumed = len(done)
    todo = [c for c in chunks if c.key not in done]
    tell = _Teller(progress, len(chunks), resumed)

    def one(chunk: Chunk) -> tuple[str, str]:
        values = _fetch(ds, chunk, len(chunks), patience or Patience())
        digest = journal.write(chunk, values)
        tell(chunk)
        return chunk.key, digest

    # One setting for all threads: a block of zeros is data, and must be on disk like any other.
    with zarr.config.set({"array.write_empty_chunks": True}):
        done.update(_all(one, todo, workers))
    (part / "data.zarr").rename(target)
    shutil.rmtree(part)
    return Receipt({c.key: done[c.key] for c in chunks}, resumed)


class _Teller:
    """Counts finished chunks for a progress bar, one thread at a time."""

    def __init__(self, progress: Progress | None, total: int, done: int) -> None:
        self.progress, self.total, self.done = progress, total, done
        self.lock = Lock()

    def __call__(self, chunk: Chunk) -> None:
        with self.lock:
            self.done += 1
            if self.progress is not None:
                self.progress(self.done, self.total, chunk.key)


def _prepared(ds: xr.Dataset) -> xr.Dataset:
    """Load the coordinates, put time first, and drop the source's encoding: the target has its own."""
    moved = (ds.transpose("time", ...) if "time" in ds.dims else ds).drop_encoding()
    moved = moved.assign_coords({n: c.load() for n, c in moved.coords.items()})
    if "time" in moved.coords:
        for name in {"time", *(n for n in moved.coords if moved[n].dtype.kind in "MO")}:
            moved[name].encoding = {
                "units": "seconds since 1850-01-01", "calendar": str(moved["time"].dt.calendar), "dtype": "int64"
            }  # fmt: skip
    return moved


def _steps_per_chunk(ds: xr.Dataset, chunk_bytes: int) -> int:
    """As many steps of the widest variable as fit; at least one."""
    if "time" not in ds.dims:
        return 0
    each = (v.nbytes // max(1, v.sizes["time"]) for v in ds.data_vars.values() if "time" in v.dims)
    widest = max(each, default=0)
    return max(1, min(ds.sizes["time"], chunk_bytes // max(1, widest)))


def _plan(ds: xr.Dataset, steps: int) -> list[Chunk]:
    chunks = []
    for name in map(str, ds.data_vars):
        if "time" not in ds[name].dims:
            chunks.append(Chunk(name, 0, 0, 0))
            continue
        total = ds.sizes["time"]
        chunks += [
            Chunk(name, k, k * steps, min(total, (k + 1) * steps)) for k in range(math.ceil(total / steps))
        ]
    return chunks


def _fetch(ds: xr.Dataset, chunk: Chunk, total: int, patience: Patience) -> NDArray[Any]:
    field = ds[chunk.name]
    piece = field.isel(time=slice(chunk.start, chunk.stop)) if chunk.stop else field
    for attempt in range(1, patience.attempts + 1):
        try:
            return np.asarray(piece.compute(scheduler="synchronous").values)
        except FinescaleError:
            raise
        except Exception as error:  # whatever a remote store may raise
            if attempt == patience.attempts:
                raise RetrievalError(_failed(piece, chunk, total, attempt, error)) from error
            patience.sleep(patience.pause * 2 ** (attempt - 1))
    raise AssertionError("a fetch returns or raises")


def _failed(piece: xr.DataArray, chunk: Chunk, total: int, attempts: int, error: Exception) -> str:
    when = (
        f" ({str(piece['time'].values[0])[:16]} .. {str(piece['time'].values[-1])[:16]})"
        if chunk.stop
        else ""
    )
    return (
        f"every chunk can be fetched: {chunk.key}{when}, one of {total}, failed {attempts} times "
        f"({reason(error)}); run again to go on from here, or mend the source"
    )


def _all(one: Callable[[Chunk], tuple[str, str]], todo: list[Chunk], workers: int) -> dict[str, str]:
    """Run in threads; the first failure lets running chunks finish and starts no other."""
    broken = Event()

    def guarded(chunk: Chunk) -> tuple[str, str] | None:
        if broken.is_set():
            return None
        try:
            return one(chunk)
        except BaseException:
            broken.set()
            raise

    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [pool.submit(guarded, chunk) for chunk in todo]
        try:
            return dict(pair for future in futures if (pair := future.result()) is not None)
        finally:
            broken.set()

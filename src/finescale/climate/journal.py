"""What an interrupted retrieval leaves behind: an unfinished store, the plan it follows, and its finished chunks.

Everything needed to go on, and to tell another retrieval from this one, lies in the `.part` folder; digests in the
journal decide which chunks are whole.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray


@dataclass(frozen=True)
class Chunk:
    """A block of steps of one variable: what is fetched, written, checked and retried as one.

    Attributes:
        name: the variable.
        number: position along time, from 0.
        start: first step.
        stop: one past the last step; a static variable has 0 and 0.
    """

    name: str
    number: int
    start: int
    stop: int

    @property
    def key(self) -> str:
        """Name in the journal."""
        return f"{self.name}/{self.number}"


class Journal:
    """The finished chunks of one `.part` folder."""

    def __init__(self, part: Path, fingerprint: str) -> None:
        self.data = part / "data.zarr"
        self.plan = part / "plan"
        self.path = part / "journal"
        self.fingerprint = fingerprint
        self.lock = Lock()
        self.noted: dict[str, str] = {}
        if self.matches() and self.path.exists():
            # A kill may cut the last line: what does not parse was not finished.
            for line in self.path.read_text(encoding="utf-8").splitlines():
                key, _, digest = line.partition(" ")
                if len(digest) == 64:
                    self.noted[key] = digest

    def matches(self) -> bool:
        """True when the folder holds the beginnings of this very retrieval."""
        return self.plan.exists() and self.plan.read_text(encoding="utf-8") == self.fingerprint

    def verified(self, chunk: Chunk) -> str | None:
        """Return the digest of a finished chunk whose bytes are still the same."""
        noted = self.noted.get(chunk.key)
        return noted if noted is not None and noted == self._digest(chunk) else None

    def write(self, chunk: Chunk, values: NDArray[Any]) -> str:
        """Write one chunk, make sure it is on disk, and note it."""
        array = zarr.open_array(self.data / chunk.name, mode="r+")
        if chunk.stop:
            array[chunk.start : chunk.stop] = values
        else:
            array[...] = values
        digest = self._digest(chunk)
        assert digest is not None
        with self.lock, self.path.open("a", encoding="utf-8") as file:
            file.write(f"{chunk.key} {digest}\n")
            file.flush()
            os.fsync(file.fileno())
        return digest

    def _digest(self, chunk: Chunk) -> str | None:
        array = zarr.open_array(self.data / chunk.name, mode="r")
        index = (chunk.number,) + (0,) * (array.ndim - 1)
        path = self.data / chunk.name / array.metadata.encode_chunk_key(index)
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def fingerprint(ds: xr.Dataset, steps: int) -> str:
    """A digest of everything that must be equal for an interrupted retrieval to be this one."""
    digest = hashlib.sha256(f"{steps}".encode())
    for name in sorted(map(str, ds.variables)):
        variable = ds.variables[name]
        digest.update(f"{name}{variable.dims}{variable.shape}{variable.dtype}".encode())
        if name in ds.coords:
            values = variable.values
            digest.update(
                np.ascontiguousarray(values).tobytes()
                if values.dtype.kind != "O"
                else repr(values.tolist()).encode()
            )
        digest.update(json.dumps(variable.attrs, sort_keys=True, default=str).encode())
    digest.update(json.dumps(ds.attrs, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def lay_out(ds: xr.Dataset, part: Path, steps: int, journal: Journal) -> None:
    """Lay out the empty store; the plan is written last, so that a half-made layout is made anew."""
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(parents=True)
    encoding: dict[str, dict[str, Any]] = {}
    for name, field in ds.data_vars.items():
        whole = tuple(steps if d == "time" else n for d, n in field.sizes.items())
        encoding[str(name)] = {"chunks": whole} | (
            {"_FillValue": math.nan} if field.dtype.kind == "f" else {}
        )
    encoding |= {str(n): {"_FillValue": None} for n, c in ds.coords.items() if c.dtype.kind == "f"}
    # Placeholders of the same shape: only the layout is written here, whatever the chunks of the source are.
    empty = {
        n: (v.dims, da.zeros(v.shape, chunks=-1, dtype=v.dtype), v.attrs) for n, v in ds.data_vars.items()
    }
    layout = xr.Dataset(empty, coords=ds.coords, attrs=ds.attrs)
    layout.to_zarr(journal.data, compute=False, zarr_format=3, consolidated=False, encoding=encoding)
    journal.plan.write_text(journal.fingerprint, encoding="utf-8")

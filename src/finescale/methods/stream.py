"""Ensembles that grow block by block: a store with the notes that let a killed run go on where it was, or memory.

A scratch folder holds `ensemble.zarr`, the digest of the request that it belongs to, and a note for each group of
members. A block is written before the note that says so, and notes replace each other in one rename; after a kill the
last blocks are drawn again, bit by bit the same. Groups own chunks and notes of their own, so that several may write.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from finescale.methods.ensemble import DIMS, Layout

# As long as a block of a long series: what is written in parts is read and packed again for each.
CHUNK_HOURS = 24


class Stream:
    """The scratch folder of one request; another's is emptied.

    Attributes:
        folder: where it lies.
        request: digest of everything that the result depends on.
        layout: of the ensemble.
    """

    def __init__(self, folder: Path, request: str, layout: Layout) -> None:
        self.folder, self.request, self.layout = folder, request, layout
        begun = folder / "request"
        known = begun.is_file() and begun.read_text(encoding="utf-8") == request
        if not known or not self.store.is_dir():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            self._create()
            begun.write_text(request, encoding="utf-8")
        self._arrays: dict[str, Any] = {
            name: zarr.open_array(self.store, path=name, mode="r+") for name in layout.variables
        }

    @property
    def store(self) -> Path:
        """The Zarr store."""
        return self.folder / "ensemble.zarr"

    def note(self, members: tuple[int, ...]) -> Path:
        """How far a group of members is."""
        return self.folder / f"members-{members[0]}.safetensors"

    def found(self, members: tuple[int, ...]) -> tuple[int, dict[str, Tensor]] | None:
        """Front and tensors of the last note of a group; None where there is none."""
        if not self.note(members).is_file():
            return None
        with safe_open(self.note(members), "pt") as note:
            return int(note.metadata()["front"]), {k: note.get_tensor(k) for k in note.keys()}  # noqa: SIM118

    def write(self, members: tuple[int, ...], begin: int, values: NDArray[np.float32]) -> None:
        """Write physical ``[member, time, variable, lat, lon]`` of some members from an hour's position."""
        rows, hours = self.layout.rows(members), slice(begin, begin + values.shape[1])
        for c, name in enumerate(self.layout.variables):
            self._arrays[name][rows, hours] = values[:, :, c]

    def mark(self, members: tuple[int, ...], front: int, tensors: Mapping[str, Tensor]) -> None:
        """Replace the note of a group."""
        note = self.note(members)
        fresh = note.with_suffix(".part")
        save_file({k: v.contiguous() for k, v in tensors.items()}, fresh, {"front": str(front)})
        fresh.replace(note)

    def open(self) -> xr.Dataset:
        """The ensemble, lazily."""
        found: xr.Dataset = xr.open_zarr(self.store, consolidated=False)
        return found

    def _create(self) -> None:
        """Write coordinates and empty fields."""
        layout = self.layout
        xr.Dataset(coords=layout.coords()).to_zarr(self.store, mode="w", zarr_format=3, consolidated=False)
        group = zarr.open_group(self.store, mode="r+")
        for name in layout.variables:
            group.create_array(
                name,
                shape=layout.shape,
                dtype="float32",
                chunks=(1, min(CHUNK_HOURS, layout.time.size), *layout.grid.shape),
                fill_value=float("nan"),
                dimension_names=DIMS,
                attributes=layout.named(name),
            )


class Held:
    """An ensemble that grows in memory, and is lost with the process; see `Stream`."""

    def __init__(self, layout: Layout) -> None:
        members, hours, *cells = layout.shape
        self.layout = layout
        self._values = np.empty((members, hours, len(layout.variables), *cells), np.float32)

    def found(self, members: tuple[int, ...]) -> None:
        """No note of an earlier run."""

    def write(self, members: tuple[int, ...], begin: int, values: NDArray[np.float32]) -> None:
        """Keep physical ``[member, time, variable, lat, lon]`` of some members from an hour's position."""
        self._values[self.layout.rows(members), begin : begin + values.shape[1]] = values

    def mark(self, members: tuple[int, ...], front: int, tensors: Mapping[str, Tensor]) -> None:
        """Note nothing."""

    def open(self) -> xr.Dataset:
        """The ensemble."""
        return self.layout.dataset(self._values)

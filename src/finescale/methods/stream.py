"""A store that grows block by block, and the notes that let a killed run go on where it was.

A scratch folder holds `ensemble.zarr` and `state.safetensors`. A block is written before the note that says so, and
notes replace each other in one rename; after a kill the last blocks are drawn again, bit by bit the same.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
import zarr
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from finescale.fields.allocator import hand_back
from finescale.fields.scaling import Scaling
from finescale.grid.grid import Grid
from finescale.methods.downscaler import member_axis
from finescale.methods.ensemble import KEPT

CHUNK_HOURS = 240


class Stream:
    """The scratch folder of one request.

    Attributes:
        folder: where it lies.
        request: digest of everything that the result depends on; another request starts afresh.
    """

    def __init__(self, folder: Path, request: str) -> None:
        self.folder, self.request = folder, request
        self._arrays: dict[str, Any] = {}

    @property
    def store(self) -> Path:
        """The Zarr store."""
        return self.folder / "ensemble.zarr"

    @property
    def note(self) -> Path:
        """The state of the run."""
        return self.folder / "state.safetensors"

    def resume(self) -> tuple[dict[str, int], dict[str, Tensor]] | None:
        """Counters and tensors of the last note; None (and an empty folder) where there is none of this request."""
        if self.note.is_file() and self.store.is_dir():
            with safe_open(self.note, "pt") as found:
                meta = found.metadata()
                if meta["request"] == self.request:
                    return json.loads(meta["counters"]), {k: found.get_tensor(k) for k in found.keys()}  # noqa: SIM118
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        return None

    def create(
        self,
        members: int,
        time: xr.DataArray,
        grid: Grid,
        scaling: Scaling,
        attrs: Mapping[str, Mapping[str, object]],
        first: int = 0,
    ) -> None:
        """Write coordinates and empty fields."""
        coords = {"member": member_axis(members, first), "time": ("time", time.values, dict(time.attrs))}
        xr.Dataset(coords=coords | grid.coords()).to_zarr(
            self.store, mode="w", zarr_format=3, consolidated=False
        )
        shape = (members, time.size, *grid.shape)
        group = zarr.open_group(self.store, mode="r+")
        for name in scaling.variables:
            group.create_array(
                name,
                shape=shape,
                dtype="float32",
                chunks=(1, min(CHUNK_HOURS, time.size), *grid.shape),
                fill_value=float("nan"),
                dimension_names=("member", "time", "lat", "lon"),
                attributes={k: str(attrs[name][k]) for k in KEPT if k in attrs[name]},
            )

    def write(self, rows: slice, begin: int, values: NDArray[np.float32], names: tuple[str, ...]) -> None:
        """Write physical ``[member, time, variable, lat, lon]`` of some rows of members from an hour's position."""
        for c, name in enumerate(names):
            if name not in self._arrays:
                self._arrays[name] = zarr.open_array(self.store, path=name, mode="r+")
            self._arrays[name][rows, begin : begin + values.shape[1]] = values[:, :, c]

    def mark(self, counters: Mapping[str, int], tensors: Mapping[str, Tensor]) -> None:
        """Replace the note; once in a while, so that memory that it took is worth handing back."""
        fresh = self.note.with_suffix(".part")
        meta = {"request": self.request, "counters": json.dumps(dict(counters))}
        save_file({k: v.contiguous() for k, v in tensors.items()} or {"none": torch.zeros(1)}, fresh, meta)
        fresh.replace(self.note)
        hand_back()

    def open(self) -> xr.Dataset:
        """The ensemble, lazily."""
        found: xr.Dataset = xr.open_zarr(self.store, consolidated=False)
        return found

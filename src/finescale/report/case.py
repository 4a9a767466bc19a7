"""What the report is shown of one case: the truth, the coarse input, and one ensemble a method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.grid.grid import Grid
from finescale.report.display import shown
from finescale.scores import storms
from finescale.scores.storms import Storm

BLOCK_HOURS = 240


@dataclass(frozen=True)
class Case:
    """One downscaled period, lazy.

    Attributes:
        name: As in the scorecard.
        truth: Fields [time, lat, lon].
        coarse: The input [time, lat, lon] on the coarse grid.
        ensembles: Fields [member, time, lat, lon] of the same hours as the truth, by method.
    """

    name: str
    truth: xr.Dataset
    coarse: xr.Dataset
    ensembles: Mapping[str, xr.Dataset]

    def __post_init__(self) -> None:
        whole = {
            method: ds if "member" in ds.dims else ds.expand_dims("member")
            for method, ds in self.ensembles.items()
        }
        object.__setattr__(self, "ensembles", whole)

    @property
    def variables(self) -> list[str]:
        """The variables that the truth and every ensemble have."""
        shared = set(self.truth.data_vars)
        for ds in self.ensembles.values():
            shared &= set(ds.data_vars)
        return sorted(str(name) for name in shared if "time" in self.truth[name].dims)

    @cached_property
    def storm(self) -> Storm | None:
        """The truth's deepest low inside the domain; None without pressure."""
        if "psl" not in self.variables:
            return None
        grid = Grid.from_dataset(self.truth)
        found = [storms.centres(values, grid) for values in self._blocks("psl")]
        depth, track = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return storms.storm(depth, track)

    @cached_property
    def storm_hour(self) -> int:
        """Position of the hour worth looking at.

        The deepest hour of the storm; where no low comes inside, the hour of the lowest pressure; without pressure,
        that of the largest value of the first variable.
        """
        if self.storm is not None and self.storm.hour >= 0:
            return self.storm.hour
        names = self.variables
        if "psl" in names:
            return int(np.concatenate([v.min(axis=(1, 2)) for v in self._blocks("psl")]).argmin())
        return int(np.concatenate([v.max(axis=(1, 2)) for v in self._blocks(names[0])]).argmax())

    @property
    def moment(self) -> str:
        """What the hour worth looking at is, in words."""
        if self.storm is None:
            return f"The hour of the largest value of {shown(self.variables[0]).label}"
        if self.storm.hour < 0:
            return "The hour of the lowest pressure; the low it belongs to lies outside"
        return "The hour at which the storm is deepest"

    def _blocks(self, name: str) -> Iterator[NDArray[np.floating]]:
        values = self.truth[name].transpose("time", "lat", "lon")
        for a in range(0, values.sizes["time"], BLOCK_HOURS):
            yield values.isel(time=slice(a, a + BLOCK_HOURS)).to_numpy()

    def window(self, hours: int) -> slice:
        """The stretch of so many hours around the storm, within the series."""
        total = self.truth.sizes["time"]
        length = min(hours, total)
        start = min(max(0, self.storm_hour - length // 2), total - length)
        return slice(start, start + length)

"""What the report is shown of one case: the truth, the coarse input, and one ensemble a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

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

    def storm_hour(self) -> int:
        """Position of the hour worth looking at: the deepest pressure, else the largest field of the first variable."""
        names = self.variables
        name = "psl" if "psl" in names else names[0]
        values = self.truth[name].transpose("time", "lat", "lon")
        peak: list[NDArray[np.floating]] = []
        for a in range(0, values.sizes["time"], BLOCK_HOURS):
            block = values.isel(time=slice(a, a + BLOCK_HOURS)).to_numpy()
            peak.append(-block.min(axis=(1, 2)) if name == "psl" else block.max(axis=(1, 2)))
        return int(np.concatenate(peak).argmax())

    def window(self, hours: int) -> slice:
        """The stretch of so many hours around the storm, within the series."""
        total = self.truth.sizes["time"]
        length = min(hours, total)
        start = min(max(0, self.storm_hour() - length // 2), total - length)
        return slice(start, start + length)

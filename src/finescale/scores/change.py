"""Whether the fine output changes from one climate to another as much as the coarse input that it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.grid.coarsening import Coarsening
from finescale.scores.season import alike

STILL = 0.05  # a change below this share of the spread of the input is no signal to keep
NONE = float("nan")


@dataclass(frozen=True)
class Change:
    """The earlier climate on both grids, and the later coarse input.

    Attributes:
        fine: Area mean of each variable in the earlier climate, at the hours that H sees, with the seasons of the
            later input.
        coarse: The same of the coarse input.
        later: The later coarse input [time, lat, lon], where the earlier climate has its seasons.
        area: Weights of the coarse cells [lat, lon].
    """

    fine: Mapping[str, float]
    coarse: Mapping[str, float]
    later: xr.Dataset
    area: NDArray[np.float64]

    @classmethod
    def since(cls, fine: xr.Dataset, coarse: xr.Dataset, later: xr.Dataset, coarsening: Coarsening) -> Change:
        """Count the earlier climate so that its seasons are those of the later input.

        Args:
            fine: Fields [time, lat, lon] of the earlier climate.
            coarse: What H sees of them.
            later: The later coarse input [time, lat, lon].
            coarsening: The operator H.
        """
        counts, common = alike(coarse["time"], later["time"])
        past = coarse.isel(time=np.flatnonzero(counts)).assign_coords(count=("time", counts[counts > 0]))
        past = past.isel(time=past.indexes["time"].isin(fine.indexes["time"]))
        seen = fine.sel(time=past["time"])
        names = [str(n) for n in later.data_vars if n in fine and n in coarse]
        return cls(
            {n: area_mean(seen[n], coarsening.fine.area, past["count"]) for n in names},
            {n: area_mean(past[n], coarsening.coarse.area, past["count"]) for n in names},
            later.isel(time=common),
            coarsening.coarse.area,
        )

    def rows(self, x: xr.DataArray, area: NDArray[np.float64]) -> Iterator[tuple[str, float, float, float]]:
        """Give `change_error` (fine less coarse change, 0 is right) and `change_kept` (their ratio, 1 is right).

        Args:
            x: Members of one variable [member, time, lat, lon].
            area: Weights of the fine cells [lat, lon].
        """
        name = str(x.name)
        if name not in self.fine:
            return
        seen = x.isel(time=x.indexes["time"].isin(self.later.indexes["time"]))
        known = self.later[name].sel(time=seen["time"])
        fine = area_mean(seen, area) - self.fine[name]
        coarse = area_mean(known, self.area) - self.coarse[name]
        yield "change_error", fine - coarse, NONE, NONE
        signal = abs(coarse) > STILL * float(known.std())
        yield "change_kept", fine / coarse if signal else NONE, NONE, NONE


def area_mean(field: xr.DataArray, area: NDArray[np.float64], counts: xr.DataArray | None = None) -> float:
    """Average fields [..., lat, lon] over area, members and time, where each time counts so often."""
    means = (field * xr.DataArray(area, dims=("lat", "lon"))).sum(("lat", "lon"))
    return float((means if counts is None else means.weighted(counts)).mean())

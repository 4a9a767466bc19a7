"""Which hours are observed by the coarse model, and which day each hour belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError

CLASSES = ("observed", "between", "all")


@dataclass(frozen=True)
class Hours:
    """The clock of a scored series.

    Attributes:
        observed: Whether the coarse model reports this hour, bool [T].
        day: Number of the day in the series, counted from 0 in the series' own calendar, int [T].
    """

    observed: NDArray[np.bool_]
    day: NDArray[np.int64]

    @classmethod
    def of(cls, time: xr.DataArray, every: int) -> Hours:
        """Read the clock of a time axis.

        Args:
            time: The time coordinate [T], any calendar.
            every: Hours between two observations, on the absolute UTC clock.
        """
        if time.size == 0:
            raise FinescaleError("a series to score has hours: 0 hours; choose a period that the data cover")
        date = (time.dt.year * 10_000 + time.dt.month * 100 + time.dt.day).to_numpy()
        whole = (time.dt.minute.to_numpy() == 0) & (time.dt.second.to_numpy() == 0)
        return cls(
            observed=np.asarray((time.dt.hour.to_numpy() % every == 0) & whole),
            day=np.unique(date, return_inverse=True)[1].astype(np.int64),
        )

    @property
    def days(self) -> int:
        """How many days the series touches."""
        return int(self.day.max()) + 1

    def mask(self, hours: str) -> NDArray[np.bool_]:
        """Give the hours [T] of one class: `observed`, `between` or `all`."""
        if hours == "all":
            return np.ones_like(self.observed)
        return self.observed if hours == "observed" else ~self.observed

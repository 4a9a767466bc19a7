"""Coarse data as context of a paired prior: at every hour its value and its change, linear between the coarse times."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.fields.hours import absolute_hours
from finescale.fields.pack import pack
from finescale.fields.scaling import Scaling


@dataclass(frozen=True)
class CoarseFrames:
    """Coarse fields at any hour.

    The stamps are held in memory: they are fewer than the fine hours by the factor of the coarsening in space and time.

    Attributes:
        values: scaled fields at the coarse times ``[N, C, h, w]``.
        hours: absolute hours of those ``[N]``, ascending.
    """

    values: NDArray[np.float32]
    hours: NDArray[np.int64]

    @classmethod
    def of(cls, coarse: xr.Dataset, scaling: Scaling) -> "CoarseFrames":
        """Read coarse fields ``[time, lat, lon]``; a missing value is refused, for nothing can stand in for it."""
        if coarse.sizes["time"] < 2:
            raise FinescaleError(
                f"coarse data must hold two times or more: found {coarse.sizes['time']}; widen the period"
            )
        values = scaling.apply(pack(coarse, scaling.variables))
        for c, name in enumerate(scaling.variables):
            gaps = int((~np.isfinite(values[:, c])).sum())
            if gaps:
                raise FinescaleError(
                    f"a prior of pairs needs whole coarse data: {name} has {gaps} missing values; fill them or "
                    "choose a method that is guided by what is there"
                )
        return cls(values, absolute_hours(coarse["time"]))

    def __call__(self, hours: NDArray[np.int64]) -> NDArray[np.float32]:
        """Frames at some hours.

        Args:
            hours: absolute, any shape ``[...]``; beyond the first and last time the outer value stays.

        Returns:
            ``[..., 2 C, h, w]``: the value at the hour, then the change over the interval between coarse times in
            which it lies.
        """
        inside = np.clip(hours, self.hours[0], self.hours[-1])
        right = np.clip(np.searchsorted(self.hours, inside, side="left"), 1, len(self.hours) - 1)
        begin, end = self.hours[right - 1], self.hours[right]
        share = ((inside - begin) / (end - begin)).astype(np.float32)[..., None, None, None]
        change = self.values[right] - self.values[right - 1]
        return np.concatenate([self.values[right - 1] + share * change, change], axis=-3)

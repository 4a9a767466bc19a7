"""Which time steps share one map: hour of day x season, month or day-of-year window, in any calendar.

Days are placed by the fraction of their year that has passed, so a 360-day year, a leap year and a no-leap year fall
on the same slots: no day is dropped and none is made up.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError

DAYS = 365


@dataclass(frozen=True)
class Index:
    """Time steps sorted into groups; group = hour class * slots + slot.

    Attributes:
        order: positions of the time steps, sorted by group [time].
        starts: where each group starts in ``order`` [groups + 1].
        group: group of each time step [time].
        slots: groups in a year (for each hour class).
        half: neighbouring slots pooled on either side, around the year.
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    group: NDArray[np.int64]
    slots: int
    half: int

    @property
    def pool_sizes(self) -> NDArray[np.int64]:
        """Time steps in the window of each group [groups]."""
        sizes = np.diff(self.starts).reshape(-1, self.slots)
        offsets = range(-self.half, self.half + 1)
        return np.asarray(sum(np.roll(sizes, -offset, axis=1) for offset in offsets)).ravel()


@dataclass(frozen=True)
class Grouping:
    """How time steps are pooled.

    Attributes:
        season: one map for the ``year``, for each ``season``, ``month``, or slot of ``step`` days (``dayofyear``).
        window: days pooled around each slot of ``dayofyear``; an odd multiple of ``step``.
        step: days in one slot; 1 or 5 (which divide 365). Five days keep the fitted tables small.
        hours: whether each hour of the day has its own maps.
    """

    season: Literal["year", "season", "month", "dayofyear"] = "dayofyear"
    window: int = 35
    step: int = 5
    hours: bool = True

    def __post_init__(self) -> None:
        if self.season not in ("year", "season", "month", "dayofyear"):
            raise FinescaleError(
                f"grouping is by year, season, month or dayofyear: {self.season!r}; choose one of them"
            )
        if self.step not in (1, 5):
            raise FinescaleError(f"a slot of the year has 1 or 5 days: step {self.step}; choose 1 or 5")
        if self.window % self.step or (self.window // self.step) % 2 == 0 or not 0 < self.window < DAYS:
            raise FinescaleError(
                f"the window is an odd multiple of the step: {self.window} days by steps of {self.step}; "
                f"choose {self.step * (2 * (self.window // self.step // 2) + 1)}"
            )

    @property
    def slots(self) -> int:
        """Groups in a year for each hour class."""
        return {"year": 1, "season": 4, "month": 12, "dayofyear": DAYS // self.step}[self.season]

    @property
    def half(self) -> int:
        """Neighbouring slots pooled on either side."""
        return (self.window // self.step) // 2 if self.season == "dayofyear" else 0

    def hour_classes(self, time: xr.DataArray) -> tuple[int, ...]:
        """Minutes of the day that have maps of their own; one class (-1) when the day is not divided."""
        minutes = np.unique(minute_of_day(time))
        return tuple(int(m) for m in minutes) if self.hours and minutes.size > 1 else (-1,)

    def index(self, time: xr.DataArray, classes: tuple[int, ...]) -> Index:
        """Sort time steps into the groups of this grouping.

        Args:
            time: the time coordinate, in any calendar [time].
            classes: the hour classes of the fitted maps (see ``hour_classes``).
        """
        if classes == (-1,):
            hour = np.zeros(time.size, dtype=np.int64)
        else:
            minutes = minute_of_day(time)
            strange = sorted(set(minutes.tolist()) - set(classes))
            if strange:
                known = ", ".join(clock(m) for m in classes)
                raise FinescaleError(
                    f"every hour of the day needs maps of its own: {clock(strange[0])} is not among {known}; "
                    "bring both series to the same hours or group without hours"
                )
            hour = np.searchsorted(np.asarray(classes), minutes)
        group = hour * self.slots + self._slot(time)
        order = np.argsort(group, kind="stable")
        starts = np.searchsorted(group[order], np.arange(len(classes) * self.slots + 1))
        return Index(order.astype(np.int64), starts.astype(np.int64), group, self.slots, self.half)

    def _slot(self, time: xr.DataArray) -> NDArray[np.int64]:
        if self.season == "year":
            return np.zeros(time.size, dtype=np.int64)
        if self.season == "month":
            return _integers(time.dt.month) - 1
        if self.season == "season":
            return _integers(time.dt.month) % 12 // 3
        middle = (_integers(time.dt.dayofyear) - 0.5) / _integers(time.dt.days_in_year)
        return (np.floor(middle * DAYS).astype(np.int64)) // self.step


def minute_of_day(time: xr.DataArray) -> NDArray[np.int64]:
    """Minutes since midnight [time]."""
    return _integers(time.dt.hour) * 60 + _integers(time.dt.minute)


def clock(minutes: int) -> str:
    """Minutes of the day as ``06:00``."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def calendar(time: xr.DataArray) -> str:
    """CF name of a calendar, with one name for the names of the same one."""
    name = str(time.dt.calendar)
    same = {
        "gregorian": "standard",
        "proleptic_gregorian": "standard",
        "365_day": "noleap",
        "366_day": "all_leap",
    }
    return same.get(name, name)


def _integers(values: xr.DataArray) -> NDArray[np.int64]:
    return np.asarray(values, dtype=np.int64)

"""The frame of the invented world: where it lies, how fine it is, which periods it covers."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.grid.grid import Grid

LAT_CENTRE, LON_CENTRE = 48.0, -6.0
LAT_STEP, LON_STEP = 0.08, 0.12
KM_PER_DEGREE = 111.195


@dataclass(frozen=True)
class World:
    """Sizes and periods of one invented world; the defaults are the demo.

    Attributes:
        seed: seed of the weather and of the land.
        cells: fine cells along each side of the reference domain (0.08 x 0.12 degrees, about 9 km).
        factor: fine cells along each side of a cell of TWIN-STD; TWIN-360 has cells a quarter wider.
        reference: first and last day of the reference (TWIN-REA).
        historical: first and last day of the historical runs.
        scenario: first and last day of the ssp245 runs.
        truth: first day of the scenario, and the day after the last, whose fine hourly truth is kept.
        storm: hour of the severe storm in the reference.
    """

    seed: int = 0
    cells: int = 48
    factor: int = 8
    reference: tuple[str, str] = ("2001-01-01", "2003-02-15")
    historical: tuple[str, str] = ("2001-01-01", "2004-12-30")
    scenario: tuple[str, str] = ("2015-01-01", "2018-12-30")
    truth: tuple[str, str] = ("2016-01-05", "2016-02-04")
    storm: str = "2003-01-18T12"

    def __post_init__(self) -> None:
        if self.cells < 2 * self.factor or self.cells % self.factor:
            raise FinescaleError(
                f"the domain is two or more whole coarse cells wide: {self.cells} cells in blocks of "
                f"{self.factor}; choose cells = {2 * self.factor}, {3 * self.factor}, ..."
            )

        for first, last in (self.reference, self.historical, self.scenario, self.truth):
            if first >= last:
                raise FinescaleError(f"a period ends after it begins: {first} to {last}; swap the days")
        if not self.reference[0] <= self.storm[:10] <= self.reference[1]:
            raise FinescaleError(
                f"the storm falls into the reference: {self.storm} is not in {' to '.join(self.reference)}; move it"
            )
        if not self.scenario[0] <= self.truth[0] < self.truth[1] <= self.scenario[1]:
            raise FinescaleError(
                f"the fine truth lies within the scenario: {' to '.join(self.truth)} is not in "
                f"{' to '.join(self.scenario)}; move it"
            )

    @property
    def margin(self) -> int:
        """Fine cells that the models see beyond each side of the domain."""
        return 3 * self.factor // 2

    @cached_property
    def grid(self) -> Grid:
        """Grid of the reference domain."""
        return self.window(0, self.cells)

    def window(self, first: int, last: int) -> Grid:
        """Return the fine grid of cells first..last-1, counted from the south-west corner of the domain."""
        index = np.arange(first, last) + 0.5 - self.cells / 2
        return Grid(tuple(LAT_CENTRE + index * LAT_STEP), tuple(LON_CENTRE + index * LON_STEP))

    def generator(self, *key: str) -> np.random.Generator:
        """Return the generator of one named part of the world: parts never share random numbers."""
        return np.random.Generator(np.random.SFC64([self.seed, *(zlib.crc32(k.encode()) for k in key)]))


def kilometres(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return northing [lat] and easting [lon] of a grid from the centre of the world, km on a plane."""
    north = (np.asarray(grid.lat) - LAT_CENTRE) * KM_PER_DEGREE
    east = (np.asarray(grid.lon) - LON_CENTRE) * KM_PER_DEGREE * np.cos(np.deg2rad(LAT_CENTRE))
    return north, east


@dataclass(frozen=True)
class Clock:
    """The hours of one run.

    Attributes:
        time: stamps [time], datetime64 or cftime.
        hours: hours since the first stamp [time].
        season: phase of the year [time], 0 at the start of January, 1 at its end.
        hour: hour of the day, UTC [time].
    """

    time: xr.DataArray
    hours: NDArray[np.int64]
    season: NDArray[np.float64]
    hour: NDArray[np.float64]

    @property
    def calendar(self) -> str:
        """Name of the calendar: standard or 360_day."""
        return "360_day" if self.time.dtype == object else "standard"

    @property
    def year_hours(self) -> float:
        """Hours of a mean year."""
        return 8640.0 if self.calendar == "360_day" else 8765.82

    def where(self, kept: NDArray[np.bool_]) -> Clock:
        """Return the stamps that are kept [time]."""
        return Clock(self.time[kept], self.hours[kept], self.season[kept], self.hour[kept])

    def during(self, days: tuple[str, str]) -> NDArray[np.bool_]:
        """Tell which stamps lie between the starts of two days, the second one left out [time]."""
        ends = _dates(*days, 24, self.calendar).values
        return np.asarray((self.time.values >= ends[0]) & (self.time.values < ends[-1]))

    @classmethod
    def between(
        cls, first: str, last: str, *, every: int, calendar: str, also: tuple[str, str] | None
    ) -> Clock:
        """Count every `every` hours from one day to the end of another, and each hour of the days `also`."""
        time = _dates(first, last, 1, calendar)
        keep = time.dt.hour.values % every == 0
        hour = time.dt.hour.values.astype(np.float64)
        length = 360.0 if calendar == "360_day" else time.dt.is_leap_year.values + 365.0
        season = (time.dt.dayofyear.values - 1 + hour / 24) / length
        every_hour = cls(time, np.arange(time.size), np.asarray(season), hour)
        return every_hour.where(keep if also is None else keep | every_hour.during(also))

    def __len__(self) -> int:
        return self.hours.size


def _dates(first: str, last: str, every: int, calendar: str) -> xr.DataArray:
    time = xr.date_range(
        first, f"{last}T23", freq=f"{every}h", calendar=calendar, use_cftime=calendar == "360_day"
    )
    return xr.DataArray(time, dims="time", name="time")

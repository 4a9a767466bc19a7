"""Calendars: kept as they are until a stated policy converts them, which the output records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import cftime
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.climate.provenance import note
from finescale.errors import FinescaleError

Policy = Literal["same-date", "nearest-day"]
_ALIASES = {"gregorian": "standard", "365_day": "noleap", "366_day": "all_leap"}
_GREGORIAN = ("standard", "proleptic_gregorian")
_RECORD = "calendar_policy"  # attribute that says what was done: "noleap to standard by nearest-day"
_CALENDARS = ("standard", "proleptic_gregorian", "noleap", "all_leap", "360_day", "julian")


def calendar_of(ds: xr.Dataset | xr.DataArray) -> str:
    """Return the calendar of the time axis under one name."""
    name = str(ds["time"].dt.calendar)
    return _ALIASES.get(name, name)


def convert(ds: xr.Dataset, target: str, policy: Policy) -> xr.Dataset:
    """Return the data in another calendar, lazily; the policy is written into the attributes.

    Args:
        ds: data with `time`.
        target: name of a CF calendar.
        policy: `same-date` keeps each value at its date, drops dates that the target lacks and leaves out those that
            the source lacks; `nearest-day` fills every day of the target's years with the source day at the nearest
            fraction of the year (days repeat or fall out evenly over the year) and keeps the hour of day.
    """
    wanted, source = _ALIASES.get(target, target), calendar_of(ds)
    if wanted not in _CALENDARS:
        raise FinescaleError(f"a calendar is one of {', '.join(_CALENDARS)}: {target!r}; choose one of these")
    if wanted == source or ({wanted, source} <= set(_GREGORIAN) and int(ds["time"].dt.year[0]) > 1582):
        return ds
    positions, stamps = (_same_date if policy == "same-date" else _nearest_day)(ds["time"], wanted)
    if not positions.size:
        raise FinescaleError(
            f"a conversion keeps some days: none of the series exists in {wanted}; check its dates"
        )
    index: Any = xr.CFTimeIndex(stamps)  # type: ignore[no-untyped-call]
    times = index.to_datetimeindex(time_unit="us") if wanted in _GREGORIAN else index
    moved = ds.isel(time=positions).assign_coords(time=("time", times, dict(ds["time"].attrs)))
    moved.attrs[_RECORD] = f"{source} to {wanted} by {policy}"
    return note(moved, f"converted the calendar from {source} to {wanted} by {policy}")


def repeated_days(ds: xr.Dataset) -> NDArray[np.bool_]:
    """Whether each time lies on a day that the conversion by nearest day took from the source a second time [time]."""
    source, policy = _conversion(ds)
    if policy != "nearest-day":
        return np.zeros(ds.sizes["time"], dtype=bool)
    years, day = np.asarray(ds["time"].dt.year), np.asarray(ds["time"].dt.dayofyear)
    out = np.zeros(day.size, dtype=bool)
    for year in np.unique(years):
        have, need = _days_in_year(int(year), source), _days_in_year(int(year), calendar_of(ds))
        taken = np.array([_nearest(k, need, have) for k in range(need + 1)])
        now = years == year
        out[now] = (day[now] > 1) & (taken[day[now]] == taken[day[now] - 1])
    return out


def days_never_there(ds: xr.Dataset, days: Sequence[Any]) -> int:
    """Count the dates that a conversion by same date had to leave out, because the source has no such day."""
    source, policy = _conversion(ds)
    return sum(policy == "same-date" and d.day > _month_length(d.year, d.month, source) for d in days)


def _conversion(ds: xr.Dataset) -> tuple[str, str]:
    """Return the source calendar and the policy of a conversion that was recorded; empty where there was none."""
    words = str(ds.attrs.get(_RECORD, "")).split()
    return (words[0], words[-1]) if len(words) == 5 and words[0] in _CALENDARS else ("", "")


def _same_date(time: xr.DataArray, target: str) -> tuple[NDArray[np.intp], list[cftime.datetime]]:
    positions, stamps = [], []
    for k, parts in enumerate(_parts(time)):
        if parts[2] <= _month_length(parts[0], parts[1], target):
            positions.append(k)
            stamps.append(cftime.datetime(*parts, calendar=target))
    return np.asarray(positions, dtype=np.intp), stamps


def _nearest_day(time: xr.DataArray, target: str) -> tuple[NDArray[np.intp], list[cftime.datetime]]:
    """Walk through the days of the target calendar and take each from the nearest source day of the same year."""
    parts = _parts(time)
    source = calendar_of(time)
    of_day: dict[tuple[int, int], list[int]] = {}
    for k, (position, day) in enumerate(zip(parts, np.asarray(time.dt.dayofyear), strict=True)):
        of_day.setdefault((position[0], int(day)), []).append(k)
    positions: list[int] = []
    stamps: list[cftime.datetime] = []
    for year in sorted({p[0] for p in parts}):
        have, need = _days_in_year(year, source), _days_in_year(year, target)
        for day in range(1, need + 1):
            date = _day_of_year(year, day, target)
            for k in of_day.get((year, _nearest(day, need, have)), ()):
                positions.append(k)
                stamps.append(cftime.datetime(date[0], date[1], date[2], *parts[k][3:], calendar=target))
    return np.asarray(positions, dtype=np.intp), stamps


def _nearest(day: int, need: int, have: int) -> int:
    """Return the day of a year of `have` days at the same part of the year as a day of one of `need` days."""
    return min(have, int((day - 0.5) / need * have) + 1)


def _parts(time: xr.DataArray) -> list[tuple[int, int, int, int, int, int]]:
    t = time.dt
    columns = (t.year, t.month, t.day, t.hour, t.minute, t.second)
    return [tuple(int(v) for v in row) for row in np.stack([c.values for c in columns], axis=1)]  # type: ignore[misc]


def _days_in_year(year: int, calendar: str) -> int:
    fixed = {"360_day": 360, "noleap": 365, "all_leap": 366}
    return fixed.get(calendar) or (366 if cftime.is_leap_year(year, calendar) else 365)


def _month_length(year: int, month: int, calendar: str) -> int:
    if calendar == "360_day":
        return 30
    leap = _days_in_year(year, calendar) == 366
    return (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]


def _day_of_year(year: int, day: int, calendar: str) -> tuple[int, int, int]:
    for month in range(1, 13):
        length = _month_length(year, month, calendar)
        if day <= length:
            return year, month, day
        day -= length
    raise AssertionError("a day of the year lies in one of its months")

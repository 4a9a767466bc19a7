"""Time stamps on the absolute UTC clock, in any calendar that xarray reads."""

from __future__ import annotations

import datetime as dt

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError


def on_the_clock(time: xr.DataArray, every: int) -> NDArray[np.intp]:
    """Positions of the stamps [time] whose hour of the day is a multiple of `every`, on the full hour."""
    if time.ndim != 1 or not hasattr(time, "dt"):
        raise FinescaleError(
            f"time is a decoded axis of dates: dims {time.dims}, dtype {time.dtype}; decode it first"
        )
    past_hour = time.dt.minute * 60 + time.dt.second + time.dt.microsecond
    found = np.flatnonzero(((time.dt.hour % every == 0) & (past_hour == 0)).values)
    if not found.size:
        raise FinescaleError(
            f"observations fall on hours that are multiples of {every}: no stamp of {_span(time)} does; "
            "shift the time axis to full hours or choose another step"
        )
    return found


def check_hourly(time: xr.DataArray) -> None:
    """Raise unless the stamps [time] follow one another by exactly one hour."""
    wrong = np.flatnonzero(np.diff(time.values) != _hours(time, 1))
    if wrong.size:
        at = int(wrong[0])
        raise FinescaleError(
            f"a mean over hours needs every hour: {time.values[at]} is followed by {time.values[at + 1]}; "
            "fill the hole or coarsen the blocks one by one"
        )


def check_even(time: xr.DataArray, every: float) -> None:
    """Raise unless the stamps [time] follow one another every so many hours: nothing is known of what is missing."""
    wrong = np.flatnonzero(abs(np.diff(time.values) / _hours(time, 1) - every) > 1e-3)
    if wrong.size:
        at = int(wrong[0])
        raise FinescaleError(
            f"coarse times follow every {every:g} h: {time.values[at]} is followed by {time.values[at + 1]}; "
            "fill the hole or downscale the parts one by one"
        )


def ending(stamps: xr.DataArray, every: int) -> dict[str, xr.DataArray]:
    """Return `time` and `time_bnds` of means over the `every` hours that end at the stamps [time]."""
    end = stamps.values
    bounds = np.stack([end - _hours(stamps, every), end], axis=1)
    time = xr.DataArray(end, dims="time", attrs=stamps.attrs | {"bounds": "time_bnds"})
    # CF wants bounds in the units of their axis; left to itself each would choose its own when written.
    time.encoding = {"units": "hours since 1970-01-01"}
    return {"time": time, "time_bnds": xr.DataArray(bounds, dims=("time", "bnds"))}


def hours_between(first: xr.DataArray, second: xr.DataArray) -> NDArray[np.float64]:
    """Hours from each of some stamps [time] to the like of others, in whatever calendar they share."""
    return np.asarray((second.values - first.values) / _hours(first, 1), dtype=np.float64)


def _hours(time: xr.DataArray, hours: int) -> np.timedelta64 | dt.timedelta:
    # cftime stamps subtract to datetime.timedelta, numpy ones to timedelta64.
    return dt.timedelta(hours=hours) if time.dtype == object else np.timedelta64(hours, "h")


def _span(time: xr.DataArray) -> str:
    return f"{time.values[0]} to {time.values[-1]}" if time.size else "an empty axis"


def year_fraction(time: xr.DataArray) -> NDArray[np.float64]:
    """Share of its year that has passed at each stamp [time], in [0, 1): the same season in every calendar."""
    parts = time.dt
    seconds = parts.hour.values * 3600.0 + parts.minute.values * 60.0 + parts.second.values
    return np.asarray((parts.dayofyear.values - 1 + seconds / 86400.0) / parts.days_in_year.values)

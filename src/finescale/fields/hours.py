"""Absolute hours: whole numbers that name an hour in any calendar, on which windows, blocks and noise are laid out."""

import cftime
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError

EPOCH = "hours since 1970-01-01"


def absolute_hours(time: xr.DataArray) -> NDArray[np.int64]:
    """Hours since 1970 in the calendar of the time axis, ``[T]``; refuses times between the hours."""
    values = time.values
    if time.dtype.kind == "M":
        hours = (values - np.datetime64("1970-01-01")) / np.timedelta64(1, "h")
    else:
        hours = np.asarray(cftime.date2num(values, EPOCH, calendar=values.flat[0].calendar), dtype=np.float64)
    whole = np.round(hours).astype(np.int64)
    off = np.abs(hours - whole) > 1e-4
    if off.any():
        raise FinescaleError(f"times lie on full hours: {values[off][0]} does not; shift or drop it")
    return whole


def time_axis(first: int, stop: int, like: xr.DataArray) -> xr.DataArray:
    """The hourly stamps of the absolute hours [first, stop) in the calendar of another axis."""
    hours = np.arange(first, stop)
    if like.dtype.kind == "M":
        stamps = np.datetime64("1970-01-01", "ns") + hours.astype("timedelta64[h]")
    else:
        calendar = like.values.flat[0].calendar
        stamps = cftime.num2date(hours, EPOCH, calendar=calendar, only_use_cftime_datetimes=True)
    return xr.DataArray(stamps, dims="time", name="time", attrs=dict(like.attrs))

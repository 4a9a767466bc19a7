"""The same days of the year out of two climates: what is left between them is no difference of seasons."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

LEVELS = 60  # counts are rounded to so many steps: halves, thirds, quarters and fifths of a year stay exact


def alike(earlier: xr.DataArray, later: xr.DataArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Say how often each time of one climate counts, so that its seasons are those of another.

    Times are matched by day of the year, and by month where the two have hardly a day in common (the period that was
    cut out of a single year). Series of whole years count once everywhere, whatever their calendars.

    Args:
        earlier: Time axis [T1] of the climate whose times are to be counted.
        later: Time axis [T2] of the other, in any calendar.

    Returns:
        Counts [T1], 0 where the other climate has no such season; and which times [T2] of the other have a season
        in common.
    """
    for part in (_days, _months):
        (mine, my_years), (theirs, their_years) = part(earlier), part(later)
        common = (my_years > 0) & (their_years > 0)
        if 2 * common.sum() >= min((my_years > 0).sum(), (their_years > 0).sum()):
            break
    share = np.divide(their_years, my_years, out=np.zeros_like(my_years), where=common)
    counts = np.rint(LEVELS * share / (share.max() or 1.0)).astype(np.int64)
    return (counts // (np.gcd.reduce(counts) or 1))[mine], common[theirs]


Part = tuple[
    NDArray[np.int64], NDArray[np.float64]
]  # part of the year of each time, and years that have each part


def _days(time: xr.DataArray) -> Part:
    """Number the days of the year; those that not every calendar has belong to the day before them."""
    month, day = time.dt.month.to_numpy(), time.dt.day.to_numpy()
    last = np.where(month == 2, 28, 30)
    length = np.where(day < last, 1, time.dt.days_in_month.to_numpy() - last + 1)
    return _counted(31 * month + np.minimum(day, last), length)


def _months(time: xr.DataArray) -> Part:
    return _counted(31 * time.dt.month.to_numpy(), time.dt.days_in_month.to_numpy())


def _counted(part: NDArray[np.int64], days: NDArray[np.int64]) -> Part:
    return part, np.asarray(np.bincount(part, weights=1 / days, minlength=31 * 13), dtype=np.float64)

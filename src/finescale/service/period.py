"""The days of a piece in a run of any calendar, and the margins around them."""

import math

import numpy as np
import xarray as xr

from finescale.climate.subset import day_number, days
from finescale.errors import FinescaleError
from finescale.service.job import Piece


def cut(coarse: xr.Dataset, piece: Piece, margin: int) -> tuple[xr.Dataset | None, str]:
    """The period and so many hours on either side out of a run; None, with the days that it has, where it has none."""
    stamp = days(coarse["time"])
    had = f"{coarse['time'].values[0]!s:.10} .. {coarse['time'].values[-1]!s:.10}"
    first, last = (day_number(day) for day in piece.period)
    where = np.flatnonzero((stamp >= first) & (stamp <= last))
    if not where.size:
        return None, had
    if stamp.min() > first or (stamp.max() < last and not _beyond_month(coarse, last)):
        raise FinescaleError(
            f"a period lies inside the run: {piece.span} was asked of {piece.gcm} {piece.scenario}, which has {had}; "
            "choose a period within"
        )
    steps = 1 + math.ceil(margin * 3600 / _step(coarse["time"]))
    return coarse.isel(time=slice(max(0, int(where[0]) - steps), int(where[-1]) + 1 + steps)), had


def inside(time: xr.DataArray, piece: Piece) -> slice:
    """Positions of the hours whose day lies in the period."""
    stamp = days(time)
    first, last = (day_number(day) for day in piece.period)
    where = np.flatnonzero((stamp >= first) & (stamp <= last))
    return slice(int(where[0]), int(where[-1]) + 1)


def _beyond_month(coarse: xr.Dataset, last: int) -> bool:
    """Whether a day lies beyond the end of the run's last month in its calendar: the 31st where months have 30 days."""
    end = coarse["time"].dt
    year, month = int(end.year[-1]), int(end.month[-1])
    return last // 100 == year * 100 + month and last % 100 > int(end.days_in_month[-1])


def _step(time: xr.DataArray) -> float:
    """Seconds between two coarse times."""
    gap = time.values[1] - time.values[0]
    return float(gap.total_seconds() if time.dtype == object else gap / np.timedelta64(1, "s"))

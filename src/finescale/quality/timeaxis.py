"""The time axis as the gates see it: order, step, gaps, periods, and where neighbours in time are neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

import cftime
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from finescale.climate.calendar import days_never_there, repeated_days

DAY = 86400.0
# Months last 28 to 31 days and years 360 to 366: steps of such lengths are counted in calendar units.
MONTH = (27.9 * DAY, 31.1 * DAY)
YEAR = (359.5 * DAY, 366.5 * DAY)


Moment: TypeAlias = pd.Timestamp | cftime.datetime


@dataclass(frozen=True)
class TimeAxis:
    """What a time coordinate says.

    Attributes:
        labels: period of each time [n]: a year and month, a year for monthly data, a decade for yearly data.
        follows: whether each time follows the one before it at the regular step [n]; the first does not.
        copied: whether each time lies on a day that a stated calendar policy made out of the day before it [n].
        step: the usual step in seconds; NaN with fewer than two times.
        facts: check -> number or text, each about the whole axis.
    """

    labels: NDArray[np.str_]
    follows: NDArray[np.bool_]
    copied: NDArray[np.bool_]
    step: float
    facts: dict[str, float | str]


STATIC = TimeAxis(np.array(["static"]), np.array([False]), np.array([False]), float("nan"), {})


def read(ds: xr.Dataset, dim: str = "time") -> TimeAxis:
    """Read the time axis of a dataset; a dataset without one is a single period called static."""
    if dim not in ds.dims:
        return STATIC
    index = ds.indexes.get(dim)
    count = ds.sizes[dim]
    if not isinstance(index, pd.DatetimeIndex | xr.CFTimeIndex):
        facts: dict[str, float | str] = {"decoded": 0.0, "count": float(count)}
        none = np.zeros(count, bool)
        return TimeAxis(np.full(count, "undated"), none, none, float("nan"), facts)
    seconds = np.array((index - index[0]).total_seconds(), dtype=float)
    months = np.asarray(index.year) * 12 + np.asarray(index.month) - 1
    steps = np.diff(seconds)
    forward = steps[steps > 0]
    step = _mode(forward) if forward.size else float("nan")
    regular = _regular(steps, months, step)
    season = _seasonal(steps, months, regular)
    lost = ~regular & (steps > 0) & ~season
    for at in np.flatnonzero(lost).tolist():
        lost[at] = not _left_out(ds, index[at], index[at + 1], step)
    facts = {
        "decoded": 1.0,
        "count": float(count),
        "calendar": str(getattr(index, "calendar", "proleptic_gregorian")),
        "start": _iso(index[0]),
        "end": _iso(index[-1]),
        "backwards": float(np.count_nonzero(steps < 0)),
        "duplicates": float(np.count_nonzero(steps == 0)),
        "irregular": float(np.count_nonzero(lost)),
    }
    if np.isfinite(step):
        facts["step_hours"] = step / 3600
        facts["gap_hours"] = float(steps[lost].max() / 3600) if lost.any() else 0.0
    copied = repeated_days(ds)
    return TimeAxis(_periods(index, step), np.concatenate(([False], regular)), copied, step, facts)


def _left_out(ds: xr.Dataset, before: Moment, after: Moment, step: float) -> bool:
    """Whether a hole in time is just the days that the source's calendar lacks, by the policy that the data state."""
    hole = after - before
    absent = days_never_there(ds, [before + timedelta(days=k) for k in range(1, hole.days + 1)])
    return absent > 0 and abs(hole.total_seconds() - step - absent * DAY) < 1.0


def _mode(steps: NDArray[np.float64]) -> float:
    values, counts = np.unique(np.round(steps), return_counts=True)
    return float(values[counts.argmax()])


def _regular(steps: NDArray[np.float64], months: NDArray[np.int_], step: float) -> NDArray[np.bool_]:
    """Whether each step [n - 1] is the usual one, months and years counted by the calendar."""
    if MONTH[0] <= step <= MONTH[1]:
        return np.asarray(np.diff(months) == 1)
    if YEAR[0] <= step <= YEAR[1]:
        return np.asarray(np.diff(months) == 12)
    return np.asarray(np.abs(steps - step) < 1.0)


def _seasonal(
    steps: NDArray[np.float64], months: NDArray[np.int_], regular: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Jumps from the same month to the same month every year: a season was selected, nothing is lost."""
    long = ~regular & (steps > MONTH[0])
    at = np.flatnonzero(long)
    if at.size < 2:
        return np.zeros_like(long)
    edges = {(int(months[i] % 12), int(months[i + 1] % 12)) for i in at}
    yearly = np.all(np.diff(months[at]) == 12)
    return long if len(edges) == 1 and yearly else np.zeros_like(long)


def _periods(index: pd.DatetimeIndex | xr.CFTimeIndex, step: float) -> NDArray[np.str_]:
    years = np.asarray(index.year)
    if step > MONTH[1]:
        return np.array([f"{year // 10}0s" for year in years])
    if step >= MONTH[0]:
        return np.array([f"{year:04d}" for year in years])
    return np.array([f"{y:04d}-{m:02d}" for y, m in zip(years, np.asarray(index.month), strict=True)])


def _iso(moment: Moment) -> str:
    return str(moment.isoformat())[:16]

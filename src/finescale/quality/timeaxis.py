"""The time axis as the gates see it: order, step, gaps, periods, and where neighbours in time are neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import cftime
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

DAY = 86400.0
# Months last 28 to 31 days and years 360 to 366: steps of such lengths are counted in calendar units.
MONTH = (27.9 * DAY, 31.1 * DAY)
YEAR = (359.5 * DAY, 366.5 * DAY)


@dataclass(frozen=True)
class TimeAxis:
    """What a time coordinate says.

    Attributes:
        labels: period of each time [n]: a year and month, a year for monthly data, a decade for yearly data.
        follows: whether each time follows the one before it at the regular step [n]; the first does not.
        step: the usual step in seconds; NaN with fewer than two times.
        facts: check -> number or text, each about the whole axis.
    """

    labels: NDArray[np.str_]
    follows: NDArray[np.bool_]
    step: float
    facts: dict[str, float | str]


def read(ds: xr.Dataset, dim: str = "time") -> TimeAxis:
    """Read the time axis of a dataset; a dataset without one is a single period called static."""
    if dim not in ds.dims:
        return TimeAxis(np.array(["static"]), np.array([False]), float("nan"), {})
    index = ds.indexes.get(dim)
    count = ds.sizes[dim]
    if not isinstance(index, pd.DatetimeIndex | xr.CFTimeIndex):
        facts: dict[str, float | str] = {"decoded": 0.0, "count": float(count)}
        return TimeAxis(np.full(count, "undated"), np.zeros(count, bool), float("nan"), facts)
    seconds = np.array((index - index[0]).total_seconds(), dtype=float)
    months = np.asarray(index.year) * 12 + np.asarray(index.month) - 1
    steps = np.diff(seconds)
    forward = steps[steps > 0]
    step = _mode(forward) if forward.size else float("nan")
    regular = _regular(steps, months, step)
    season = _seasonal(steps, months, regular)
    lost = ~regular & (steps > 0) & ~season
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
    return TimeAxis(_periods(index, step), np.concatenate(([False], regular)), step, facts)


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


def _iso(moment: pd.Timestamp | cftime.datetime) -> str:
    return str(moment.isoformat())[:16]

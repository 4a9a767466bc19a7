"""Regularities of a climate: the cycles of day and year, spells of heat and cold."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray


def mean_cycle(field: xr.DataArray, part: str) -> xr.DataArray:
    """Average a series over equal hours of the day (`hour`) or equal months (`month`).

    Args:
        field: Fields [..., time, lat, lon].
        part: `hour` or `month`.

    Returns:
        Fields [..., hour or month, lat, lon].
    """
    return field.groupby(f"time.{part}").mean("time", skipna=False)


def cycle_error(x: xr.DataArray, o: xr.DataArray, area: NDArray[np.float64], part: str = "hour") -> float:
    """Root mean square error of the mean cycle about its own mean, over members and cells.

    Args:
        x: Members [member, time, lat, lon].
        o: Truth [time, lat, lon].
        area: Weights of the cells [lat, lon].
        part: `hour` or `month`.
    """
    cycles = [mean_cycle(f, part) for f in (x, o)]
    shapes = [c - c.mean(part) for c in cycles]
    squared = (shapes[0] - shapes[1]).transpose("member", part, "lat", "lon").to_numpy() ** 2
    return float(np.sqrt((squared * area).sum(axis=(-2, -1)).mean()))


def spells(
    daily: NDArray[np.floating], threshold: NDArray[np.floating], *, least: int = 3
) -> NDArray[np.int64]:
    """Count the days that belong to spells above a threshold.

    Args:
        daily: Daily means [days, ...].
        threshold: What a day of the spell exceeds [...]; for cold spells give both with the sign turned.
        least: Days in a row that make a spell.

    Returns:
        Days in spells [...].
    """
    above = daily > threshold
    run = np.zeros(above.shape[1:], dtype=np.int64)
    total = np.zeros(above.shape[1:], dtype=np.int64)
    for day in above:
        run = np.where(day, run + 1, 0)
        # The day that completes a spell brings the days before it along.
        total += np.where(run == least, least, np.where(run > least, 1, 0))
    return total


def daily_mean(field: xr.DataArray) -> xr.DataArray:
    """Average to the days of the series' own calendar, leaving out days with fewer steps than the others."""
    whole = field["time"].dt.floor("D")
    days, counts = np.unique(whole.to_numpy(), return_counts=True)
    mean = field.groupby(whole.rename("day")).mean("time", skipna=False)
    return mean.sel(day=days[counts == counts.max()])

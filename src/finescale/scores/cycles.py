"""Regularities of a climate: the cycles of day and year, spells of heat and cold."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.climate.timeline import seconds_between
from finescale.scores.hourly import blocks

DAY = 86400.0  # seconds


def mean_cycle(
    field: xr.DataArray, part: str, counts: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Average a series over equal hours of the day (`hour`) or equal months (`month`), block by block.

    Args:
        field: Members [member, time, lat, lon].
        part: `hour` or `month`.
        counts: How often each time counts [time]; once where not given.

    Returns:
        The hours or months [P] that the series has, and the means [member, P, lat, lon].
    """
    clock = getattr(field["time"].dt, part).to_numpy()
    parts = np.unique(clock)
    weights = (parts[:, None] == clock) * np.asarray(1 if counts is None else counts, dtype=np.float64)
    weights /= weights.sum(axis=1, keepdims=True)
    total = np.zeros((field.sizes["member"], parts.size, field.sizes["lat"] * field.sizes["lon"]))
    for block in blocks(field):
        values = field.isel(time=block).transpose("member", "time", "lat", "lon").to_numpy()
        total += weights[:, block] @ values.reshape(*values.shape[:2], -1).astype(np.float64)
    return parts, total.reshape(len(total), parts.size, field.sizes["lat"], field.sizes["lon"])


def cycle_error(
    x: xr.DataArray,
    o: xr.DataArray,
    area: NDArray[np.float64],
    part: str = "hour",
    counts: NDArray[np.int64] | None = None,
) -> float:
    """Root mean square error of the mean cycle about its own mean, over members and cells.

    Args:
        x: Members [member, time, lat, lon].
        o: Truth [time, lat, lon].
        area: Weights of the cells [lat, lon].
        part: `hour` or `month`.
        counts: How often each time of the truth counts; once where not given.
    """
    mine, ours = mean_cycle(x, part)
    theirs, true = mean_cycle(o.expand_dims("member"), part, counts)
    _, a, b = np.intersect1d(mine, theirs, return_indices=True)
    shapes = [cycle[:, at] - cycle[:, at].mean(axis=1, keepdims=True) for cycle, at in ((ours, a), (true, b))]
    return float(np.sqrt(((shapes[0] - shapes[1]) ** 2 * area).sum(axis=(-2, -1)).mean()))


def in_spells(
    daily: NDArray[np.floating],
    threshold: NDArray[np.floating],
    *,
    least: int = 3,
    follows: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Mark the days that belong to spells above a threshold.

    Args:
        daily: Daily means [days, ...].
        threshold: What a day of the spell exceeds [...]; for cold spells give both with the sign turned.
        least: Days in a row that make a spell.
        follows: Whether each day is the one after the day before it in the series [days]; all are where not given.

    Returns:
        Days in spells, bool [days, ...].
    """
    run = np.zeros(daily.shape[1:], dtype=np.int64)
    long = np.zeros(daily.shape, dtype=bool)
    for t, above in enumerate(daily > threshold):
        run = np.where(above, 1 + run * (follows is None or follows[t]), 0)
        long[t] = run >= least
    # The day that completes a spell brings the days before it along.
    found = long.copy()
    for before in range(1, least):
        found[:-before] |= long[before:]
    return found


def daily_mean(field: xr.DataArray) -> xr.DataArray:
    """Average to the days of the series' own calendar, leaving out days with fewer steps than the others."""
    whole = field["time"].dt.floor("D")
    days, counts = np.unique(whole.to_numpy(), return_counts=True)
    mean = field.groupby(whole.rename("day")).mean("time", skipna=False)
    return mean.sel(day=days[counts == counts.max()])


def follows(day: xr.DataArray) -> NDArray[np.bool_]:
    """Say of each day [days] whether it is the one after the day before it in the series."""
    return np.concatenate([[False], seconds_between(day) == DAY])

"""Training, validation and test data as blocks of time, with gaps longer than the window between them.

Neighbouring hours are nearly equal: drawn at random they would let a model be tested on what it has learnt.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.climate.subset import Period, crop_period
from finescale.climate.timeline import seconds, seconds_between
from finescale.errors import FinescaleError

SHARES: Mapping[str, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}
_YEARS = 5  # from here on blocks begin with a year, so that no season is missing from any of them


def by_periods(
    ds: xr.Dataset, periods: Mapping[str, Period], *, window_hours: float
) -> dict[str, xr.Dataset]:
    """Cut stated periods out of a series, after checking that none leaks into another.

    Args:
        ds: data with `time`.
        periods: name to first and last day, both included.
        window_hours: length of the longest window any method looks at.
    """
    blocks = {name: crop_period(ds, period, f"block {name}") for name, period in periods.items()}
    check_apart(blocks, window_hours)
    return blocks


def by_shares(
    ds: xr.Dataset, shares: Mapping[str, float] = SHARES, *, window_hours: float
) -> dict[str, xr.Dataset]:
    """Cut a series into consecutive blocks, whole years where there are enough of them.

    Args:
        ds: data with `time`.
        shares: name to share of the series, in order of time; they sum to one.
        window_hours: length of the longest window; the gap between blocks is longer, taken from the earlier block.
    """
    if abs(sum(shares.values()) - 1) > 1e-9 or min(shares.values()) <= 0:
        raise FinescaleError(f"shares of a split are positive and sum to one: {dict(shares)}; correct them")
    elapsed = np.concatenate([[0.0], np.cumsum(seconds_between(ds["time"]))])
    starts = _starts(ds["time"], list(shares.values()))
    bounds = [*starts, ds.sizes["time"]]
    blocks = {}
    for name, (start, end) in zip(shares, pairwise(bounds), strict=True):
        stop = end
        if end < ds.sizes["time"]:
            stop = int(np.searchsorted(elapsed, elapsed[end] - window_hours * 3600.0, side="left"))
        if stop <= start:
            raise FinescaleError(
                f"a block is longer than the gap behind it: {name} has {end - start} steps, the window "
                f"{window_hours:g} h; use a shorter window or a longer series"
            )
        blocks[name] = ds.isel(time=slice(start, stop))
    check_apart(blocks, window_hours)
    return blocks


def check_apart(blocks: Mapping[str, xr.Dataset], window_hours: float) -> None:
    """Raise unless any two blocks lie farther apart than the window."""
    ordered = sorted(blocks.items(), key=lambda item: item[1]["time"].values[0])
    for (first, before), (second, after) in pairwise(ordered):
        gap = seconds(after["time"].values[0] - before["time"].values[-1]) / 3600
        if gap <= window_hours:
            raise FinescaleError(
                f"blocks lie farther apart than the window of {window_hours:g} h: {first} ends {gap:g} h before "
                f"{second} begins; shorten one of them"
            )


def _starts(time: xr.DataArray, shares: list[float]) -> list[int]:
    """First step of each block: the nearest turn of a year, or the plain share of a short series."""
    size = time.size
    plain = [round(size * s) for s in np.concatenate([[0.0], np.cumsum(shares)[:-1]])]
    year = np.asarray(time.dt.year)
    turns: NDArray[np.intp] = np.flatnonzero(np.diff(year)) + 1
    if len(turns) + 1 < max(_YEARS, 2 * len(shares)):
        return plain
    snapped = [0, *(int(turns[np.abs(turns - p).argmin()]) for p in plain[1:])]
    return snapped if len(set(snapped)) == len(snapped) else plain

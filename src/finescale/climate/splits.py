"""Training, validation and test data as consecutive blocks of days, with gaps longer than any window between them.

Neighbouring hours are nearly equal: drawn at random they would let a model be tested on what it has learnt.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.climate.subset import days
from finescale.climate.timeline import seconds_between
from finescale.errors import FinescaleError

_YEARS = 5  # from here on blocks begin with a year, so that no season is missing from any of them
_SEASON = 24 * 28.0  # hours: a longer jump in a daily series lies between two seasons


def by_shares(
    time: xr.DataArray, shares: Mapping[str, float], *, gap_hours: float
) -> dict[str, tuple[str, str]]:
    """Cut a series into consecutive blocks of days, whole years (or seasons) where there are enough of them.

    Args:
        time: the stamps of the series [time], in any calendar; jumps (winters only) count as gaps.
        shares: name to share of the series, in order of time; they sum to one.
        gap_hours: free hours between the end of a block's last day and the next block, taken from the earlier one.

    Returns:
        Name to first and last day, both included, in the calendar of the series.
    """
    if abs(sum(shares.values()) - 1) > 1e-9 or min(shares.values()) <= 0:
        raise FinescaleError(f"shares of a split are positive and sum to one: {dict(shares)}; correct them")
    day, first = np.unique(days(time), return_index=True)
    midnight = np.concatenate([[0.0], np.cumsum(seconds_between(time))])[first] / 3600.0
    midnight -= np.asarray(time.dt.hour)[first]
    starts = [*_starts(day, midnight, list(shares.values())), day.size]
    blocks = {}
    for name, begin, end in zip(shares, starts[:-1], starts[1:], strict=True):
        last = end - 1
        if end < day.size:
            last = int(np.searchsorted(midnight + 24.0 + gap_hours, midnight[end], side="right")) - 1
        if last < begin:
            raise FinescaleError(
                f"a block is longer than the gap behind it: {name} has {end - begin} days, the gap is "
                f"{gap_hours:g} h; use a shorter window or a longer series"
            )
        blocks[name] = _text(day[begin]), _text(day[last])
    return blocks


def _starts(day: NDArray[np.int64], midnight: NDArray[np.float64], shares: list[float]) -> list[int]:
    """First day of each block: the nearest season or turn of a year, or the plain share of a short series."""
    plain = [round(day.size * s) for s in np.concatenate([[0.0], np.cumsum(shares)[:-1]])]
    turns = np.flatnonzero(np.diff(midnight) > _SEASON) + 1
    if not turns.size:
        turns = np.flatnonzero(np.diff(day // 10000)) + 1
    if len(turns) + 1 < max(_YEARS, 2 * len(shares)):
        return plain
    snapped = [0, *(int(turns[np.abs(turns - p).argmin()]) for p in plain[1:])]
    return snapped if len(set(snapped)) == len(snapped) else plain


def _text(day: np.int64) -> str:
    return f"{day // 10000:04d}-{day // 100 % 100:02d}-{day % 100:02d}"

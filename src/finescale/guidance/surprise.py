"""How much more active days seem to a climate that has not seen them.

Covariances of few days are too sure of what they found: in units of what they expect, the coarse anomalies of other
days are large however ordinary the weather. That is no activity, and draws that followed it would be too wide. So a
period is judged part by part, each by a climate that was fitted without it, and the mean of that is taken off.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.fields.axis import segments
from finescale.grid.coarsening import Coarsening
from finescale.guidance.activity import STAMPS, Judged
from finescale.guidance.conditions import conditions
from finescale.prior.gaussian import GaussianClimate


def surprise(
    coarse: xr.Dataset,
    coarsening: Coarsening,
    climates: Sequence[GaussianClimate],
    part: NDArray[np.int64],
) -> tuple[float, ...]:
    """Mean logarithm of activity of days that a climate has not seen, by variable; 0 where they seem less active.

    Args:
        coarse: the coarse data that the climates' period has.
        coarsening: the operator H between the two grids.
        climates: one for each part of the period, fitted without it.
        part: the one that each coarse field belongs to ``[time]``.
    """
    logs, told = (np.zeros(len(climates[0].mask)) for _ in range(2))
    breaks = np.diff(segments(coarse["time"])).astype(bool) | np.diff(part).astype(bool)
    for run in np.split(np.arange(len(part)), np.flatnonzero(breaks) + 1):
        if len(run) < STAMPS:
            continue
        climate = climates[part[run[0]]]
        judged = Judged.of(conditions(coarse.isel(time=run), coarsening, climate.scaling), climate)
        logs += judged.logs.sum(axis=0)
        told += judged.told.sum(axis=0)
    return tuple(np.maximum(logs / np.maximum(told, 1e-9), 0).tolist())

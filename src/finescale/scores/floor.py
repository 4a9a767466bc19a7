"""The noise floor: the truth of another period in the place of a forecast."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from finescale.climate.timeline import seconds_between
from finescale.errors import FinescaleError
from finescale.grid.coarsening import Coarsening
from finescale.scores.hourly import held
from finescale.scores.scorecard import score

METHOD = "noise-floor"


def noise_floor(
    other: xr.Dataset,
    truth: xr.Dataset,
    *,
    case: str,
    static: xr.Dataset | None,
    coarsening: Coarsening,
    seed: int = 0,
    resamples: int = 200,
    threads: int | None = None,
) -> pd.DataFrame:
    """Score the truth of another period as if it were a forecast: a perfect climate without a clue.

    Spectra and percentiles cannot be expected to come closer to the truth; errors hour by hour must.

    Args:
        other: Fields [time, lat, lon] of the truth in other periods; the stretch that begins nearest to the
            same day of the year is taken.
        truth: Fields [time, lat, lon].
        case: Name of the case, copied into the table.
        static: As in `score`.
        coarsening: As in `score`.
        seed: As in `score`.
        resamples: As in `score`.
        threads: As in `score`.
    """
    length, time = truth.sizes["time"], other["time"]
    first = truth["time"][0]
    starts = np.flatnonzero(time.dt.hour.to_numpy() == int(first.dt.hour))
    starts = starts[starts + length <= time.size]
    if starts.size == 0:
        raise FinescaleError(
            f"the noise floor needs {length} hours of another period: {time.size} given; give a longer one"
        )
    # A stretch must not run over a gap: where the test block was taken out, or between winters.
    hours = np.concatenate([[0.0], np.cumsum(seconds_between(time))]) / 3600.0
    starts = starts[hours[starts + length - 1] - hours[starts] == length - 1]
    if starts.size == 0:
        raise FinescaleError(
            f"the noise floor needs {length} hours of another period without a gap; give a longer one"
        )
    apart = np.abs(time.dt.dayofyear.to_numpy()[starts] - int(first.dt.dayofyear))
    begin = int(starts[np.minimum(apart, 365 - np.minimum(apart, 365)).argmin()])
    stretch = other[[n for n in truth.data_vars if n in other]].isel(time=slice(begin, begin + length))
    shifted = held(stretch.assign_coords(time=truth["time"]))
    return score(
        shifted,
        held(truth),
        method=METHOD,
        case=case,
        static=static,
        coarsening=coarsening,
        seed=seed,
        resamples=resamples,
        threads=threads,
    )

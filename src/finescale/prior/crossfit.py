"""Climates for the network to correct that have not seen the days it learns from.

A climate fits its own days too well: what it leaves of them is smaller, and of another kind, than what it leaves of
any other day. A network that corrects it there learns to undo a certainty that is right on no other day. So each part
of the period is learned from with a climate that was fitted without it, as in the cross-fitting of Chernozhukov et al.
(2018), Econometrics Journal 21; what is drawn later corrects the climate of the whole period.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.fields.axis import segments
from finescale.prior.gaussian import GaussianClimate

# Stretches of each part: parts that lie scattered know all seasons.
STRETCHES = 4
# Parts, if nobody asks for another number and the period is long enough.
MOST = 4
# Frames for each number of an autoregression that the other parts must leave.
ENOUGH = 20
# Frames that a search for patterns looks at, about.
SKETCH = 4096


def parts(frames: int, folds: int) -> NDArray[np.int64]:
    """The part that each frame belongs to ``[frames]``."""
    return np.arange(frames, dtype=np.int64) * folds * STRETCHES // frames % folds


def usual(frames: int, window: int, order: int) -> int:
    """As many parts as a period allows: stretches of two windows, and enough left to fit a climate; 1 for none."""
    for folds in range(MOST, 1, -1):
        if frames >= 2 * window * folds * STRETCHES and frames - frames // folds >= ENOUGH * (order + 1):
            return folds
    return 1


def climates(ds: xr.Dataset, whole: GaussianClimate, folds: int, window: int) -> list[GaussianClimate]:
    """A climate like `whole` for each part of its period, fitted without it.

    Args:
        ds: the period; lazy.
        whole: the climate of all of it.
        folds: number of parts.
        window: frames that are learned from together.
    """
    frames, order = ds.sizes["time"], whole.phi.shape[1]
    longest = min(int(np.bincount(stretch, minlength=1).max()) for stretch in _stretches(ds, folds))
    needed = 4 * (order + 1)
    if longest < window or frames - frames // folds < needed:
        raise FinescaleError(
            f"every part of a training period holds a window, and the others a climate: {frames} frames in {folds} "
            f"parts of {STRETCHES} stretches leave {longest} in a row; lower training.folds, or set it to 1"
        )
    own = parts(frames, folds)
    every = max(1, frames // SKETCH)
    return [whole.again(ds.isel(time=own != fold), every) for fold in range(folds)]


def _stretches(ds: xr.Dataset, folds: int) -> list[NDArray[np.int64]]:
    own = parts(ds.sizes["time"], folds)
    return [segments(ds["time"][own == fold]) for fold in range(folds)]

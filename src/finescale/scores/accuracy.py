"""Errors of the ensemble mean, the only forecast a deterministic user keeps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from finescale.scores.bootstrap import Means


def mae(means: Means, members: int) -> NDArray[np.float64]:
    """Mean absolute error of the ensemble mean, in the unit of the variable."""
    return means["abs_error"]


def rmse(means: Means, members: int) -> NDArray[np.float64]:
    """Root of the mean squared error of the ensemble mean, in the unit of the variable."""
    return np.asarray(np.sqrt(means["sq_error"]))


def bias(means: Means, members: int) -> NDArray[np.float64]:
    """Mean error of the ensemble mean, in the unit of the variable."""
    return means["error"]

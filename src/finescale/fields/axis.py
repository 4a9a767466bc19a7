"""The time axis of a series: its step, and where it breaks."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray


def _gaps(time: xr.DataArray) -> NDArray[np.float64]:
    gaps = np.diff(time.values)
    if time.dtype.kind == "M":
        return np.asarray(gaps / np.timedelta64(1, "h"), dtype=np.float64)
    return np.array([gap.total_seconds() / 3600 for gap in gaps], dtype=np.float64)


def step_hours(time: xr.DataArray) -> float:
    """The most frequent distance between two frames, in hours."""
    distinct, counts = np.unique(_gaps(time), return_counts=True)
    return float(distinct[np.argmax(counts)])


def segments(time: xr.DataArray) -> NDArray[np.int64]:
    """Number the unbroken stretches of a time axis, ``[N]``."""
    gaps = _gaps(time)
    if not gaps.size:
        return np.zeros(time.size, dtype=np.int64)
    broken = np.abs(gaps - step_hours(time)) > 1e-3
    return np.concatenate([[0], np.cumsum(broken)]).astype(np.int64)

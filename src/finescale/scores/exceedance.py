"""Rare events: Brier scores, reliability and threshold-weighted CRPS for the exceedance of a percentile."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.scores.bootstrap import Means
from finescale.scores.ensemble import cell_statistics

LEVELS = {"p90": 0.90, "p99": 0.99}
BAND_BYTES = 96 * 2**20


def thresholds(truth: xr.DataArray) -> NDArray[np.float64]:
    """Give the percentiles of each cell over the scored period, reading bands of rows that fit in memory.

    Args:
        truth: The series [time, lat, lon].

    Returns:
        Thresholds [levels, lat, lon].
    """
    rows = max(1, BAND_BYTES // (8 * truth.sizes["time"] * truth.sizes["lon"]))
    edges = [*range(0, truth.sizes["lat"], rows), truth.sizes["lat"]]
    bands = [
        np.quantile(truth.isel(lat=slice(a, b)).to_numpy().astype(np.float64), list(LEVELS.values()), axis=0)
        for a, b in pairwise(edges)
    ]
    return np.concatenate(bands, axis=1)


def hourly_exceedance(
    x: NDArray[np.floating],
    o: NDArray[np.floating],
    limits: NDArray[np.float64],
    weights: NDArray[np.float64],
    *,
    threads: int = 1,
) -> Means:
    """Score the chance of exceeding each threshold, hour by hour.

    The Brier score is the fair one (Ferro 2014): the finite ensemble is not punished for its size. The
    threshold-weighted CRPS (Gneiting and Ranjan 2011) is that of max(value, threshold) (Allen et al. 2023).

    Args:
        x: Members [M, T, lat, lon].
        o: Truth [T, lat, lon].
        limits: Thresholds [levels, lat, lon].
        weights: Weights of the regions [R, lat, lon].
        threads: Threads used.

    Returns:
        `brier_<level>` and `twcrps_<level>` [T, R] by name of the level.
    """
    members, hours = x.shape[:2]
    w = weights.reshape(weights.shape[0], -1)
    found = {}
    for level, limit in zip(LEVELS, limits.astype(x.dtype), strict=True):
        share = (x > limit).mean(axis=0)
        score = (share - (o > limit)) ** 2
        if members > 1:
            score -= share * (1 - share) / (members - 1)
        found[f"brier_{level}"] = score.reshape(hours, -1) @ w.T
        found[f"twcrps_{level}"] = _tail_crps(x, o, limit, threads).reshape(hours, -1) @ w.T
    return found


def _tail_crps(
    x: NDArray[np.floating], o: NDArray[np.floating], limit: NDArray[np.floating], threads: int
) -> NDArray[np.float64]:
    """CRPS of max(value, limit) in every cell [T, lat, lon]; nothing where neither truth nor a member is above."""
    score = np.zeros(o.shape)
    here = (o > limit) | (x > limit).any(axis=0)
    least = np.broadcast_to(limit, o.shape)[here]
    fields, _, _ = cell_statistics(np.maximum(x[:, here], least), np.maximum(o[here], least), threads=threads)
    score[here] = fields[2] - fields[3] / 2
    return score


def reliability(
    x: NDArray[np.floating], o: NDArray[np.floating], limit: NDArray[np.float64], area: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Count how often each share of members was forecast, and how often the event came.

    Args:
        x: Members [M, T, lat, lon].
        o: Truth [T, lat, lon].
        limit: Threshold [lat, lon].
        area: Weights of the cells [lat, lon].

    Returns:
        Weights [2, M + 1]: of all forecasts with k members above, and of those where the event came.
    """
    members = x.shape[0]
    above = (x > limit).sum(axis=0)
    weight = np.broadcast_to(area, o.shape)
    event = weight * (o > limit)
    return np.stack(
        [np.bincount(above.ravel(), weights=w.ravel(), minlength=members + 1) for w in (weight, event)]
    )


def calibrated_reliability(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give how often the event would come with k members above were the truth one more member [M + 1].

    A few members are above by chance more often than the truth: only with endless ones is it k / M. How many of the
    M + 1 series are above is counted; each of them is then the truth equally often.

    Args:
        found: As `reliability` gives it.
    """
    count, event = found
    ranks = np.arange(count.size + 1)
    of_all = np.append(count - event, 0.0) + np.insert(event, 0, 0.0)
    above, below = (of_all * ranks)[1:], (of_all * ranks[::-1])[:-1]
    with np.errstate(invalid="ignore"):
        return np.asarray(above / (above + below))

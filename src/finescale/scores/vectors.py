"""Whole fields as one thing: energy score, variogram score and multivariate ranks, hour by hour.

Squared distances and sums of ranks add up over variables, so the joint scores of all variables need no second
reading of the data.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from finescale.scores import kernels
from finescale.scores.bootstrap import Means

LAGS = np.array([(0, 1), (1, 0), (0, 3), (3, 0), (0, 8), (8, 0)], dtype=np.int64)


def squared_distances(
    x: NDArray[np.floating], o: NDArray[np.floating], weights: NDArray[np.float64], *, threads: int = 1
) -> NDArray[np.float64]:
    """Give the squared distances between truth and members, hour by hour.

    Args:
        x: Members [M, T, lat, lon].
        o: Truth [T, lat, lon].
        weights: Weights of the cells [lat, lon].
        threads: Threads used.

    Returns:
        Weighted sums of squared differences [T, M + 1, M + 1]; the truth comes first.
    """
    members, hours = x.shape[:2]
    root = np.sqrt(weights).ravel()
    out = np.zeros((hours, members + 1, members + 1))

    def hour(t: int) -> None:
        # About the truth, so that a matrix product of large pressures loses no digits.
        d = (x[:, t].reshape(members, -1) - o[t].ravel().astype(np.float64)) * root
        gram = d @ d.T
        square = gram.diagonal()
        out[t, 0, 1:] = out[t, 1:, 0] = square
        out[t, 1:, 1:] = np.maximum(square[:, None] + square[None, :] - 2 * gram, 0.0)

    _each(hour, hours, threads)
    return out


def energy_score(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fair energy score (Gneiting and Raftery 2007) of each hour; with one member the distance itself.

    Args:
        distances: Squared distances [T, M + 1, M + 1], the truth first.

    Returns:
        The score [T].
    """
    members = distances.shape[-1] - 1
    root = np.sqrt(distances)
    to_truth = root[:, 0, 1:].mean(axis=1)
    if members == 1:
        return np.asarray(to_truth)
    return np.asarray(to_truth - root[:, 1:, 1:].sum(axis=(1, 2)) / (2 * members * (members - 1)))


def preranks(
    x: NDArray[np.floating], o: NDArray[np.floating], weights: NDArray[np.float64], *, threads: int = 1
) -> Means:
    """Give the pre-ranks that order whole fields (Thorarinsdottir, Scheuerer and Heinz 2016).

    Args:
        x: Members [M, T, lat, lon].
        o: Truth [T, lat, lon].
        weights: Weights of the cells [lat, lon].
        threads: Threads used.

    Returns:
        `average` (mean rank) and `depth` (band depth) [T, M + 1]; the truth comes first.
    """
    members, hours = x.shape[:2]
    found = {key: np.empty((hours, members + 1)) for key in ("average", "depth")}
    flat = np.ascontiguousarray(weights.ravel())

    def hour(t: int) -> None:
        fields = np.ascontiguousarray(x[:, t].reshape(members, -1))
        truth = np.ascontiguousarray(o[t].ravel())
        kernels.preranks(fields, truth, flat, found["average"][t], found["depth"][t])

    _each(hour, hours, threads)
    return found


def field_ranks(prerank: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Turn pre-ranks into the rank of the truth, ties broken at random.

    Args:
        prerank: Pre-ranks [T, M + 1], the truth first.
        seed: Seed of the draws.

    Returns:
        One at the rank of the truth and zero elsewhere [T, M + 1].
    """
    below = (prerank[:, 1:] < prerank[:, :1]).sum(axis=1)
    ties = (prerank[:, 1:] == prerank[:, :1]).sum(axis=1)
    u = np.random.Generator(np.random.Philox(key=[seed, 0xF1E1D])).random(prerank.shape[0])
    rank = below + np.floor(u * (ties + 1)).astype(np.int64)
    return np.asarray(np.eye(prerank.shape[1])[rank])


def variogram_score(
    x: NDArray[np.floating], o: NDArray[np.floating], *, p: float = 0.5, threads: int = 1
) -> NDArray[np.float64]:
    """Variogram score (Scheuerer and Hamill 2015) over pairs of cells 1, 3 and 8 steps apart.

    The weight of a pair is one over its steps; the weights of all lags sum to one.

    Args:
        x: Members [M, T, lat, lon].
        o: Truth [T, lat, lon].
        p: Power of the differences.
        threads: Threads used.

    Returns:
        The score [T], in units of the variable to the power 2 p.
    """
    lags = LAGS[(LAGS[:, 0] < o.shape[1]) & (LAGS[:, 1] < o.shape[2])]
    weights = 1.0 / lags.sum(axis=1)
    weights /= weights.sum()
    out = np.empty(o.shape[0])

    def hour(t: int) -> None:
        fields = np.ascontiguousarray(x[:, t])
        out[t] = kernels.variogram_hour(fields, np.ascontiguousarray(o[t]), lags, weights, p)

    _each(hour, o.shape[0], threads)
    return out


def _each(work: Callable[[int], None], count: int, threads: int) -> None:
    """Do the work of every hour, several at a time."""

    def share(first: int) -> None:
        for t in range(first, count, threads):
            work(t)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(share, range(threads)))

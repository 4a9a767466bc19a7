"""How well an ensemble knows what it does not know: CRPS, spread and ranks, cell by cell."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from finescale.scores import kernels
from finescale.scores.bootstrap import Means


def hourly_statistics(
    x: NDArray[np.floating],
    o: NDArray[np.floating],
    weights: NDArray[np.float64],
    *,
    seed: int = 0,
    variable: str = "",
    first_hour: int = 0,
    threads: int = 1,
) -> Means:
    """Average the errors, the fair CRPS, the variance and the ranks of each hour over regions.

    With one member the CRPS is its absolute error and the variance is NaN.

    Args:
        x: Members [M, T, lat, lon].
        o: Truth [T, lat, lon].
        weights: Weights of the regions [R, lat, lon], each summing to one.
        seed: Seed of the draws that break ties between ranks.
        variable: Its name; draws differ from variable to variable.
        first_hour: Number of the first hour in the series: the draws do not depend on the blocks.
        threads: Threads used.

    Returns:
        `error`, `abs_error`, `sq_error`, `crps`, `variance` [T, R] and `ranks` [T, R, M + 1] (frequencies).
    """
    members, hours = x.shape[:2]
    fields, below, ties = cell_statistics(x.reshape(members, -1), o.reshape(-1), threads=threads)
    w = weights.reshape(weights.shape[0], -1)
    error, variance, absolute, difference = (f.reshape(hours, -1) for f in fields)
    rank = below.reshape(hours, -1).astype(np.int64)
    _break_ties(rank, ties.reshape(hours, -1), seed, variable, first_hour)
    ranks = np.empty((hours, w.shape[0], members + 1))
    for t in range(hours):
        for r in range(w.shape[0]):
            ranks[t, r] = np.bincount(rank[t], weights=w[r], minlength=members + 1)
    return {
        "error": error @ w.T,
        "abs_error": np.abs(error) @ w.T,
        "sq_error": (error**2) @ w.T,
        "crps": (absolute - difference / 2) @ w.T,
        "variance": (variance if members > 1 else np.full_like(variance, np.nan)) @ w.T,
        "ranks": ranks,
    }


def cell_statistics(
    x: NDArray[np.floating], o: NDArray[np.floating], *, threads: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.int16], NDArray[np.int16]]:
    """Give what the scores of each cell are made of.

    Args:
        x: Members [M, N].
        o: Truth [N].
        threads: Threads used.

    Returns:
        Fields [4, N] (error of the mean; variance with ddof 1; mean absolute error of the members; mean
        absolute difference of two different members), the members below the truth [N], those equal to it [N].
    """
    x, o = np.ascontiguousarray(x), np.ascontiguousarray(o)
    n = o.size
    fields = np.empty((4, n))
    below, ties = np.empty(n, dtype=np.int16), np.empty(n, dtype=np.int16)
    network = kernels.sorting_network(x.shape[0])
    cuts = np.linspace(0, n, threads + 1).astype(np.int64)
    with ThreadPoolExecutor(threads) as pool:
        jobs = [
            pool.submit(kernels.ensemble_fields, x, o, network, a, b, fields, below, ties)
            for a, b in pairwise(cuts)
        ]
        for job in jobs:
            job.result()
    return fields, below, ties


def crps(means: Means, members: int) -> NDArray[np.float64]:
    """Fair continuous ranked probability score (Ferro 2014), in the unit of the variable; least is best."""
    return means["crps"]


def spread_skill(means: Means, members: int) -> NDArray[np.float64]:
    """Spread over error of the mean with the factor (M + 1) / M (Fortin et al. 2014); 1 is calibrated."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.sqrt((members + 1) / members * means["variance"] / means["sq_error"])
    return np.where(means["sq_error"] > 0, ratio, np.nan)


def pit_reliability(means: Means, members: int) -> NDArray[np.float64]:
    """Reliability index (Delle Monache et al. 2006): sum of |rank frequency - 1/(M + 1)|; 0 is flat."""
    if members < 2:
        return np.full(means["ranks"].shape[:-1], np.nan)
    return unevenness(means["ranks"])


def coverage(means: Means, members: int, level: float) -> NDArray[np.float64]:
    """Share of truths inside the central interval of the ensemble; a calibrated one has the level itself.

    The randomised PIT (Czado, Gneiting and Held 2009) is uniform within a rank, so the share follows from the
    ranks, whatever the number of members.
    """
    if members < 2:
        return np.full(means["ranks"].shape[:-1], np.nan)
    edges = np.clip(np.linspace(0, 1, members + 2), (1 - level) / 2, (1 + level) / 2)
    return np.asarray(means["ranks"] @ (np.diff(edges) * (members + 1)))


def unevenness(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of |frequency - flat frequency| over the ranks [..., M + 1]; 0 is flat."""
    return np.asarray(np.abs(frequency - 1 / frequency.shape[-1]).sum(axis=-1))


def _break_ties(
    rank: NDArray[np.int64], ties: NDArray[np.int16], seed: int, variable: str, first_hour: int
) -> None:
    """Move each rank up by a random part of its ties, with draws that belong to the hour."""
    name = zlib.crc32(variable.encode())
    for t in np.flatnonzero(ties.any(axis=1)):
        philox = np.random.Philox(key=[seed, name], counter=[0, 0, 0, first_hour + int(t)])
        u = np.random.Generator(philox).random(rank.shape[1])
        rank[t] += np.floor(u * (ties[t] + 1.0)).astype(np.int64)

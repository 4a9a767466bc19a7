"""Empirical orthogonal functions of any length of data, by a streaming randomised SVD.

Each variable gets its own orthonormal patterns (so that its unexplained part stays its own), and the joint
EOFs are rotations of all of them together. Passes over the data: ``power`` sketches of the covariance, then
one to measure covariance and autocovariance in the small space. Memory: patterns and one block, whatever the
length.

Reference: Halko, Martinsson, Tropp (2011), "Finding structure with randomness", SIAM Review 53.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Yields (first frame, anomalies [T, C, H * W]) in time order; the argument keeps every n-th frame.
Anomalies = Callable[[int], Iterator[tuple[int, NDArray[np.float32]]]]


@dataclass(frozen=True)
class Patterns:
    """Orthonormal patterns, each of one variable.

    Attributes:
        fields: ``[M, H * W]``, unit norm, zero in masked cells.
        owner: ``[M]``, index of the variable, ascending.
    """

    fields: NDArray[np.float32]
    owner: NDArray[np.int64]


def find_patterns(
    anomalies: Anomalies,
    variables: int,
    cells: int,
    modes: int,
    *,
    seed: int,
    power: int = 2,
    every: int = 1,
) -> Patterns:
    """The ``modes`` leading patterns over all variables by explained variance (in scaled units).

    Args:
        anomalies: the data.
        variables: C.
        cells: H * W.
        modes: patterns wanted in total.
        seed: of the random sketch.
        power: passes of subspace iteration.
        every: frames between two that the sketches look at.
    """
    each = min(modes + 8, cells)  # Halko et al.: a few spare directions make the last ones accurate
    rng = np.random.Generator(np.random.Philox(seed))
    basis = rng.standard_normal((variables, cells, each)).astype(np.float32)
    spectrum = np.zeros((variables, each))
    for _ in range(power):
        sketch = np.zeros((variables, cells, each), dtype=np.float32)
        for _, block in anomalies(every):
            for c in range(variables):
                a = block[:, c]
                sketch[c] += a.T @ (a @ basis[c])
        for c in range(variables):
            u, s, _ = np.linalg.svd(sketch[c], full_matrices=False)
            basis[c], spectrum[c] = u, s
    return _leading(basis, spectrum, modes)


def _leading(basis: NDArray[np.float32], spectrum: Array, modes: int) -> Patterns:
    """Half of the patterns are shared out evenly, half go where the variance is.

    By variance alone a smooth variable (pressure) would get so few that its small scales would be left to a white
    residual, which has far too much of the smallest.
    """
    floor = 1e-8 * spectrum.max(axis=1, keepdims=True)
    sure = modes // (2 * len(spectrum))
    ranked = [(c, i) for c, i in np.ndindex(*spectrum.shape) if spectrum[c, i] > floor[c]]
    ranked.sort(key=lambda ci: (ci[1] >= sure, -float(spectrum[ci])))
    kept = sorted(ranked[:modes])
    fields = np.stack([basis[c, :, i] for c, i in kept])
    return Patterns(np.ascontiguousarray(fields), np.array([c for c, _ in kept]))


@dataclass(frozen=True)
class Moments:
    """Covariances in the space of the patterns and what they leave unexplained.

    Attributes:
        rotation: eigenvectors of the joint covariance of the patterns, ``[M, K]``, K = M.
        autocovariance: of each joint EOF's series, lags 0 to p, ``[K, p + 1]``.
        lagged: covariances of all EOFs' series at lags 0 to p, ``E[z_t z_{t-h}^T]``, ``[p + 1, K, K]``.
        residual: autocovariance of the unexplained part per variable, summed over its cells, ``[C, p + 1]``.
        frames: number of frames seen.
    """

    rotation: Array
    autocovariance: Array
    lagged: Array
    residual: Array
    frames: int


def measure(
    anomalies: Anomalies, patterns: Patterns, variables: int, order: int, segment: NDArray[np.int64]
) -> Moments:
    """One pass: joint covariance of the patterns' series, lagged covariances, and residual covariances.

    Lagged sums run across block borders but not across gaps of the time axis (``segment [N]`` numbers its
    unbroken stretches), and divide by the number of frames (the biased estimator keeps every Toeplitz matrix
    positive).
    """
    m = len(patterns.owner)
    lagged = np.zeros((order + 1, m, m))
    total = np.zeros((order + 1, variables))
    tail_y = np.zeros((0, m))
    tail_a: NDArray[np.float32] | None = None
    frames = 0
    for _, block in anomalies(1):
        y = np.concatenate(
            [block[:, c] @ patterns.fields[patterns.owner == c].T for c in range(variables)], axis=1
        ).astype(np.float64)
        long_y = np.concatenate([tail_y, y])
        long_a = block if tail_a is None else np.concatenate([tail_a, block])
        for lag in range(order + 1):
            have = min(len(block), len(long_y) - lag)
            new, old = slice(len(long_y) - have, None), slice(len(long_y) - have - lag, len(long_y) - lag)
            last = frames + len(block)
            whole = segment[last - have : last] == segment[last - have - lag : last - lag]
            lagged[lag] += (long_y[new] * whole[:, None]).T @ long_y[old]
            total[lag] += np.einsum("t,tcn,tcn->c", whole, long_a[new], long_a[old], dtype=np.float64)
        tail_y, tail_a = long_y[len(long_y) - order :], long_a[len(long_a) - order :]
        frames += len(block)
    return _moments(lagged / frames, total / frames, patterns.owner, variables, frames)


def _moments(lagged: Array, total: Array, owner: NDArray[np.int64], variables: int, frames: int) -> Moments:
    variance, rotation = np.linalg.eigh((lagged[0] + lagged[0].T) / 2)
    rotation = rotation[:, np.argsort(-variance)]
    rotated = rotation.T @ lagged @ rotation
    autocovariance = np.einsum("lkk->kl", rotated)
    inside = np.stack(
        [np.einsum("lmm->l", lagged[:, owner == c][:, :, owner == c]) for c in range(variables)]
    )
    return Moments(rotation, autocovariance, rotated, total.T - inside, frames)

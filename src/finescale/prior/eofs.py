"""Empirical orthogonal functions of any length of data, in the cosine waves of `finescale.prior.bands`.

Each band of each variable gets its own orthonormal patterns (so that what they leave unexplained stays within the
band), and the joint EOFs are rotations of all of them together. Two passes over the data: one gathers the covariance
within each band, one measures covariances in time in the small space. Memory: those covariances and one block,
whatever the length.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Yields waves of anomalies [T, C, N] block by block, in time order; the argument keeps every n-th frame of a block.
Anomalies = Callable[[int], Iterator[NDArray[np.float32]]]


@dataclass(frozen=True)
class Group:
    """A band of one variable.

    Attributes:
        variable: which.
        span: its waves.
        rows: its patterns.
    """

    variable: int
    span: slice
    rows: slice

    @property
    def free(self) -> int:
        """Number of directions that no pattern takes."""
        return int(self.span.stop - self.span.start - self.rows.stop + self.rows.start)


def groups_of(owner: NDArray[np.int64], edges: Sequence[int], variables: int) -> list[Group]:
    """All groups, variable by variable; ``owner [M]`` is ascending."""
    bands = len(edges) - 1
    ends = np.searchsorted(owner, np.arange(variables * bands + 1)).tolist()
    spans = [slice(edges[b], edges[b + 1]) for b in range(bands)]
    return [Group(g // bands, spans[g % bands], slice(*ends[g : g + 2])) for g in range(variables * bands)]


@dataclass(frozen=True)
class Patterns:
    """Orthonormal patterns, each of one group: a band of one variable.

    Attributes:
        fields: ``[M, N]``, unit norm, zero outside their band.
        owner: group of each pattern ``[M]``, ascending; group g is band g mod B of variable g div B.
        edges: where bands begin and end among the N waves ``[B + 1]``.
    """

    fields: NDArray[np.float32]
    owner: NDArray[np.int64]
    edges: tuple[int, ...]


def find_patterns(
    anomalies: Anomalies, variables: int, edges: Sequence[int], modes: int, *, every: int = 1
) -> Patterns:
    """The ``modes`` leading patterns over all variables by explained variance (in scaled units).

    Args:
        anomalies: the data.
        variables: C.
        edges: of the bands.
        modes: patterns wanted in total.
        every: frames between two that are looked at.
    """
    spans = [slice(a, b) for a, b in pairwise(edges)]
    sums = [[np.zeros((s.stop - s.start,) * 2) for s in spans] for _ in range(variables)]
    for block in anomalies(every):
        for c, row in enumerate(sums):
            for total, span in zip(row, spans, strict=True):
                a = block[:, c, span].astype(np.float64)
                total += a.T @ a
    solved = [[np.linalg.eigh(total) for total in row] for row in sums]
    counts = _leading([[values for values, _ in row] for row in solved], modes)
    fields, owner = [], []
    for c, axes_of in enumerate(solved):
        for b, (span, axes) in enumerate(zip(spans, axes_of, strict=True)):
            kept = counts[c * len(spans) + b]
            part = np.zeros((kept, edges[-1]), np.float32)
            part[:, span] = axes.eigenvectors[:, ::-1][:, :kept].T
            fields.append(part)
            owner.append(np.full(kept, c * len(spans) + b))
    return Patterns(np.concatenate(fields), np.concatenate(owner), tuple(edges))


def _leading(spectra: Sequence[Sequence[Array]], modes: int) -> list[int]:
    """How many patterns are kept of each band, variable by variable; a band's variances ``[N_b]`` are ascending.

    Half of them are shared out evenly between variables, by variance: by that alone a smooth variable (pressure)
    would get so few that its smaller scales would be left to the residual. A quarter, shared out evenly too, goes to
    what stands out most of what its band still holds: the short waves of a smooth field are its edges, and a residual
    that is white within a band would lay them over all of it. The last quarter goes where the variance is.
    """
    bands = [(values, max(v[-1] for v in row)) for row in spectra for values in row]
    counts = [0] * len(bands)

    def left(band: int, floor: float) -> Array:
        values, top = bands[band]
        rest = values[: len(values) - counts[band]]
        return rest if len(rest) and rest[-1] > floor * top else np.zeros(1)

    def largest(band: int) -> float:
        return float(left(band, 1e-8)[-1])

    def outstanding(band: int) -> float:
        rest = left(band, 1e-12)
        return float(rest[-1] / max(rest.mean(), 1e-300))

    def take(count: int, own: range, worth: Callable[[int], float]) -> None:
        for _ in range(count):
            best = max(own, key=worth)
            counts[best] += worth(best) > 0

    each = len(bands) // len(spectra)
    for first in range(0, len(bands), each):
        take(modes // (2 * len(spectra)), range(first, first + each), largest)
        take(modes // (4 * len(spectra)), range(first, first + each), outstanding)
    take(modes - sum(counts), range(len(bands)), largest)
    return counts


@dataclass(frozen=True)
class Moments:
    """Covariances in the space of the patterns and what they leave unexplained.

    Attributes:
        rotation: eigenvectors of the joint covariance of the patterns, ``[M, K]``, K = M.
        autocovariance: of each joint EOF's series, lags 0 to p, ``[K, p + 1]``.
        lagged: covariances of all EOFs' series at lags 0 to p, ``E[z_t z_{t-h}^T]``, ``[p + 1, K, K]``.
        sure: the same divided by all frames.
        residual: autocovariance of the unexplained part of each group, summed over its waves, ``[G, p + 1]``.
        frames: number of frames seen.
    """

    rotation: Array
    autocovariance: Array
    lagged: Array
    sure: Array
    residual: Array
    frames: int


def measure(
    anomalies: Anomalies, patterns: Patterns, variables: int, order: int, segment: NDArray[np.int64]
) -> Moments:
    """One pass: joint covariance of the patterns' series, lagged covariances, and residual covariances.

    Lagged pairs run across block borders but not across gaps of the time axis (``segment [N]`` numbers its
    unbroken stretches). A covariance at a lag is that at lag 0 less what the pairs differ by, so that frames at
    the ends of stretches, which have no partner, neither add to the increments nor take from them: the usual
    estimator, which divides by all frames, would make smooth weather rough. That one alone always leaves
    covariances between EOFs that some process can have; ``joint.possible`` goes towards it as far as it must.
    """
    m, groups = len(patterns.owner), groups_of(patterns.owner, patterns.edges, variables)
    lagged, waves = np.zeros((order + 1, m, m)), np.zeros((order + 1, len(groups)))
    ends, lost = np.zeros_like(lagged), np.zeros_like(waves)
    pairs, frames = np.zeros((order + 1, 1)), 0
    tail_y, tail_r = np.zeros((0, m)), np.zeros((0, variables, patterns.edges[-1]), np.float32)

    def energy(a: NDArray[np.float32], b: NDArray[np.float32]) -> Array:
        product = np.einsum("tcn,tcn->cn", a, b).astype(float)
        return np.asarray(np.add.reduceat(product, patterns.edges[:-1], axis=1).ravel())

    def alone(lag: int, y: Array, r: NDArray[np.float32]) -> None:
        """Count frames that have no partner on one side."""
        ends[lag] += y.T @ y / 2
        lost[lag] += energy(r, r) / 2

    for block in anomalies(1):
        y, rest = _split(block, patterns, groups)
        long_y, long_r = np.concatenate([tail_y, y.astype(np.float64)]), np.concatenate([tail_r, rest])
        last = frames + len(block)
        for lag in range(order + 1):
            have = min(len(block), len(long_y) - lag)
            new = np.arange(len(long_y) - have, len(long_y))
            whole = segment[last - have : last] == segment[last - have - lag : last - lag]
            kept, broken = new[whole], new[~whole]
            lagged[lag] += long_y[kept].T @ long_y[kept - lag]
            waves[lag] += energy(long_r[kept], long_r[kept - lag])
            pairs[lag] += len(kept)
            first = np.arange(len(long_y) - len(block), len(long_y) - have)
            without = np.concatenate([first, broken, broken - lag])
            if len(without):
                alone(lag, long_y[without], long_r[without])
        tail_y, tail_r = long_y[len(long_y) - order :], long_r[len(long_r) - order :]
        frames = last
    for lag in range(1, order + 1):
        alone(lag, tail_y[len(tail_y) - lag :], tail_r[len(tail_r) - lag :])
    pairs = np.maximum(pairs, 1)
    residual = waves[0] / frames - (waves[0] - lost - waves) / pairs
    sure = lagged / frames
    lagged = sure[0] - (lagged[0] - ends - lagged) / pairs[..., None]
    rotation = _axes(sure[0])
    lagged, sure = (rotation.T @ part @ rotation for part in (lagged, sure))
    series = np.einsum("lkk->kl", lagged)
    return Moments(rotation, series, lagged, sure, residual.T, frames)


def _split(
    block: NDArray[np.float32], patterns: Patterns, groups: Sequence[Group]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Series of the patterns ``[T, M]`` and what they leave ``[T, C, N]``."""
    y, rest = np.empty((len(block), len(patterns.owner)), np.float32), block.copy()
    for g in groups:
        fields = patterns.fields[g.rows, g.span]
        y[:, g.rows] = block[:, g.variable, g.span] @ fields.T
        rest[:, g.variable, g.span] -= y[:, g.rows] @ fields
    return y, rest


def _axes(covariance: Array) -> Array:
    """The axes of the covariance at lag 0, large ones first."""
    variance, rotation = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(rotation[:, np.argsort(-variance)])

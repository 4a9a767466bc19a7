"""The compiled inner loops of the scores: sums over members, many cells at a time.

Every loop runs over a strip of cells for one pair of members, so that the processor works on whole vectors;
the members of a strip are sorted with Batcher's odd-even merge network (Batcher 1968), whose comparisons do
not depend on the data.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

Reals = NDArray[np.floating]
Integers = NDArray[np.integer]
STRIP = 128  # cells a strip: members x strip float64 stay in the first-level cache


@cache
def sorting_network(members: int) -> NDArray[np.int32]:
    """Give the comparators of Batcher's odd-even merge sort.

    Args:
        members: How many values are sorted.

    Returns:
        Pairs [n, 2] of positions (low, high), to be applied in order.
    """
    pairs = []
    p = 1
    while p < members:
        k = p
        while k >= 1:
            for j in range(k % p, members - k, 2 * k):
                for i in range(min(k, members - j - k)):
                    if (i + j) // (p * 2) == (i + j + k) // (p * 2):
                        pairs.append((i + j, i + j + k))
            k //= 2
        p *= 2
    return np.array(pairs, dtype=np.int32).reshape(-1, 2)


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def ensemble_fields(
    x: Reals, o: Reals, network: Integers, first: int, stop: int, out: Reals, below: Integers, ties: Integers
) -> None:
    """Fill the per-cell statistics of an ensemble against a truth.

    Args:
        x: Members [M, N].
        o: Truth [N].
        network: Comparators of `sorting_network(M)`.
        first: First cell of this call.
        stop: One past its last cell.
        out: Filled, float64 [4, N]: error of the mean, variance (ddof 1), mean absolute error of the members,
            mean absolute difference of two different members.
        below: Filled, int16 [N]: members below the truth.
        ties: Filled, int16 [N]: members equal to the truth.
    """
    members = x.shape[0]
    d = np.empty((members, STRIP))
    for start in range(first, stop, STRIP):
        width = min(STRIP, stop - start)
        for c in range(width):
            out[0, start + c] = 0.0
            out[1, start + c] = 0.0
            out[2, start + c] = 0.0
            out[3, start + c] = 0.0
            below[start + c] = 0
            ties[start + c] = 0
        for m in range(members):
            for c in range(width):
                # Differences from the truth: small numbers, so that pressures near 1e5 Pa lose no digits.
                value = np.float64(x[m, start + c]) - np.float64(o[start + c])
                d[m, c] = value
                out[0, start + c] += value
                out[2, start + c] += abs(value)
                below[start + c] += value < 0.0
                ties[start + c] += value == 0.0
        for k in range(network.shape[0]):
            i, j = network[k, 0], network[k, 1]
            for c in range(width):
                a, b = d[i, c], d[j, c]
                d[i, c] = a if a < b else b
                d[j, c] = b if a < b else a
        for c in range(width):
            out[0, start + c] /= members
            out[2, start + c] /= members
        if members > 1:
            for m in range(members):
                weight = 2.0 * (2 * m - members + 1) / (members * (members - 1))
                for c in range(width):
                    deviation = d[m, c] - out[0, start + c]
                    out[1, start + c] += deviation * deviation / (members - 1)
                    out[3, start + c] += weight * d[m, c]


@njit(cache=True, nogil=True)
def resampled_upper_quantiles(
    values: Reals, order: Integers, inside: Integers, day: Integers, weights: Integers, q: float, out: Reals
) -> None:
    """Give a high quantile of resampled series, walking down from their largest values.

    Args:
        values: The series [S, T].
        order: Their hours in rising order of value, int [S, T].
        inside: Which hours count, bool [T].
        day: The day each hour belongs to, int [T].
        weights: How often each day was drawn, int [B, D].
        q: The quantile, in (0, 1), by linear interpolation.
        out: Filled, float64 [B, S]; NaN where no hour of a resampling counts.
    """
    draws, hours = weights.shape[0], values.shape[1]
    # Days first: one value then meets all resamplings side by side.
    counts = np.ascontiguousarray(weights.T.astype(np.int32))
    length = np.zeros(draws, dtype=np.int64)
    for h in range(hours):
        if inside[h]:
            length += counts[day[h]]
    position = (length - 1.0) * (1.0 - q)
    lower = np.floor(position).astype(np.int32)
    fraction = position - lower
    left = np.empty(draws, dtype=np.int32)
    first, second = np.empty(draws, dtype=np.int32), np.empty(draws, dtype=np.int32)
    for s in range(values.shape[0]):
        left[:] = lower
        first[:] = -1
        second[:] = -1
        for k in range(hours - 1, -1, -1):
            h = order[s, k]
            if not inside[h]:
                continue
            hour, drawn, short = np.int32(h), counts[day[h]], 0
            for b in range(draws):
                # Written over until enough larger values are passed.
                first[b] = hour if left[b] >= 0 else first[b]
                second[b] = hour if left[b] >= -1 else second[b]
                left[b] -= drawn[b]
                short += left[b] >= -1
            if short == 0:
                break
        for b in range(draws):
            if length[b] == 0:
                out[b, s] = np.nan
                continue
            part = np.float64(values[s, second[b]]) * fraction[b] if fraction[b] > 0.0 else 0.0
            out[b, s] = np.float64(values[s, first[b]]) * (1.0 - fraction[b]) + part


@njit(cache=True, nogil=True)
def preranks(x: Reals, o: Reals, weights: Reals, average: Reals, depth: Reals) -> None:
    """Sum the ranks and the band depths of truth and members over the cells of one hour.

    Args:
        x: Members [M, N].
        o: Truth [N].
        weights: Weights of the cells [N].
        average: Filled, float64 [M + 1]: weighted mean rank among all M + 1 (ties count half), the truth first.
        depth: Filled, float64 [M + 1]: weighted mean of (ranks below) * (ranks above).
    """
    members, n = x.shape
    rank = np.empty((members + 1, STRIP))
    average[:] = 0.0
    depth[:] = 0.0
    for start in range(0, n, STRIP):
        width = min(STRIP, n - start)
        rank[:] = 0.0
        for a in range(members + 1):
            for b in range(a):
                for c in range(width):
                    u = x[a - 1, start + c]
                    v = o[start + c] if b == 0 else x[b - 1, start + c]
                    half = 0.5 if u == v else 0.0
                    above = 1.0 if u > v else half
                    rank[a, c] += above
                    rank[b, c] += 1.0 - above
        for a in range(members + 1):
            for c in range(width):
                average[a] += weights[start + c] * rank[a, c]
                depth[a] += weights[start + c] * rank[a, c] * (members - rank[a, c])


@njit(cache=True, nogil=True)
def variogram_hour(x: Reals, o: Reals, lags: Integers, weights: Reals, p: float) -> float:
    """Give the variogram score of one hour over pairs of cells that lie a few steps apart.

    Args:
        x: Members [M, rows, columns].
        o: Truth [rows, columns].
        lags: Steps in rows and columns [L, 2], not negative.
        weights: Weight of each lag [L].
        p: Power of the differences.

    Returns:
        The weighted mean over lags of the mean over pairs of (|o_i - o_j|^p - mean_m |x_mi - x_mj|^p)^2.
    """
    members, rows, columns = x.shape
    total = 0.0
    for k in range(lags.shape[0]):
        dy, dx = lags[k, 0], lags[k, 1]
        expected = np.zeros((rows - dy, columns - dx))
        for m in range(members):
            for i in range(rows - dy):
                for j in range(columns - dx):
                    step = abs(np.float64(x[m, i, j]) - np.float64(x[m, i + dy, j + dx]))
                    expected[i, j] += np.sqrt(step) if p == 0.5 else step**p
        part = 0.0
        for i in range(rows - dy):
            for j in range(columns - dx):
                step = abs(np.float64(o[i, j]) - np.float64(o[i + dy, j + dx]))
                true = np.sqrt(step) if p == 0.5 else step**p
                part += (true - expected[i, j] / members) ** 2
        total += weights[k] * part / expected.size
    return total

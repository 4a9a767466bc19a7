"""Weights along one axis as sparse matrices: shares of overlap of intervals, and linear interpolation."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.grid.grid import midpoints

Floats = NDArray[np.float64]


def edges_of(ds: xr.Dataset, name: str) -> Floats:
    """Edges [n + 1] of the cells along an axis: CF bounds where the data declare them, else midpoints.

    Longitudes are unwrapped, so that they rise or fall along the whole axis; the outermost rows of a Gaussian grid
    reach the poles.
    """
    centres = np.asarray(ds[name].values, dtype=np.float64)
    if name in ("lon", "rlon"):
        centres = np.unwrap(centres, period=360.0)
    steps = np.diff(centres)
    if centres.size < 2 or not (np.all(steps > 0) or np.all(steps < 0)):
        raise FinescaleError(
            f"the cells of a regular grid follow one another: {name} has {centres.size} values that neither "
            "rise nor fall throughout; sort the data along it and drop doubles"
        )
    bounds = ds.get(str(ds[name].attrs.get("bounds", f"{name}_bnds")))
    edges = midpoints(centres) if bounds is None else _joined(bounds, name, centres)
    if name != "lat":
        return edges
    return np.clip(edges if bounds is not None else _to_poles(edges), -90.0, 90.0)


def _to_poles(edges: Floats) -> Floats:
    """Move the outer edges of a Gaussian axis to the poles.

    Its outermost centre lies 0.77 steps from the pole (2.405 and 3.115 are the first zero of the Bessel function J0 and
    the distance to the second), so that half a step beyond the centre 0.27 remain; regular axes leave none or half.
    """
    out = edges.copy()
    for end, inner in ((0, 1), (-1, -2)):
        left = (90.0 - abs(edges[end])) / abs(edges[end] - edges[inner])
        if 0.2 < left < 0.35:
            out[end] = np.copysign(90.0, edges[end])
    return out


def _joined(bounds: xr.DataArray, name: str, centres: Floats) -> Floats:
    pairs = np.asarray(bounds.transpose(name, ...).values, dtype=np.float64)
    if name == "lon":
        # Bounds may be wrapped otherwise than the centres; each belongs within half a turn of its centre.
        pairs = centres[:, None] + (pairs - centres[:, None] + 180.0) % 360.0 - 180.0
    pairs = np.sort(pairs, axis=1) if centres[1] > centres[0] else -np.sort(-pairs, axis=1)
    gap = np.abs(pairs[1:, 0] - pairs[:-1, 1])
    if gap.max() > 1e-3 * np.abs(np.diff(centres)).min():
        raise FinescaleError(
            f"neighbouring cells share an edge: {name} bounds leave {gap.max():.6g} degrees between two; "
            f"mend or drop {bounds.name}"
        )
    return np.append(pairs[:, 0], pairs[-1, 1])


def overlap(source: Floats, target: Floats) -> sp.csr_array:
    """Share of each target interval that lies in each source interval.

    Args:
        source: edges [n + 1], rising or falling.
        target: edges [m + 1], rising.

    Returns:
        Matrix [m, n]; a row sums to the share of the target interval that the source covers, at most one.
    """
    if source[0] > source[-1]:
        return sp.csr_array(overlap(source[::-1], target)[:, ::-1])
    first = np.clip(np.searchsorted(source, target[:-1], side="right") - 1, 0, len(source) - 2)
    last = np.clip(np.searchsorted(source, target[1:], side="left"), 1, len(source) - 1)
    count = np.maximum(last - first, 0)
    row = np.repeat(np.arange(len(count)), count)
    column = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    width = np.minimum(source[column + 1], target[row + 1]) - np.maximum(source[column], target[row])
    keep = width > 0
    share = width[keep] / np.diff(target)[row[keep]]
    return sp.csr_array((share, (row[keep], column[keep])), shape=(len(target) - 1, len(source) - 1))


def around(source: Floats, target: Floats) -> sp.csr_array:
    """Share of each target interval of longitude in each source interval [m, n], however it is cut."""
    turns = 360.0 * np.arange(
        np.floor((target[0] - source.max()) / 360.0), np.ceil((target[-1] - source.min()) / 360.0) + 1
    )
    return sp.csr_array(sum(overlap(source + turn, target) for turn in turns))


def linear(source: Floats, edges: Floats, target: Floats) -> sp.csr_array:
    """Linear interpolation from the centres of intervals to points.

    Args:
        source: centres [n], rising or falling.
        edges: edges [n + 1] of their intervals.
        target: points [m].

    Returns:
        Matrix [m, n]; rows sum to one, or to zero for points outside all intervals. Between an outer centre
        and its outer edge the value of the centre is held.
    """
    if source[0] > source[-1]:
        return sp.csr_array(linear(source[::-1], edges[::-1], target)[:, ::-1])
    inside = np.flatnonzero((target >= edges[0]) & (target <= edges[-1]))
    point = np.clip(target[inside], source[0], source[-1])
    left = np.clip(np.searchsorted(source, point, side="right") - 1, 0, len(source) - 2)
    right_share = (point - source[left]) / (source[left + 1] - source[left])
    shares = np.concatenate((1 - right_share, right_share))
    rows, columns = np.tile(inside, 2), np.concatenate((left, left + 1))
    matrix = sp.csr_array((shares, (rows, columns)), shape=(len(target), len(source)))
    # A stored zero would let a NaN through that has no weight.
    matrix.eliminate_zeros()
    return matrix


def linear_around(source: Floats, edges: Floats, target: Floats) -> sp.csr_array:
    """Linear interpolation in longitude [m, n], across the cut of the circle where the source closes it."""
    if source[0] > source[-1]:
        return sp.csr_array(linear_around(source[::-1], edges[::-1], target)[:, ::-1])
    point = edges[0] + (target - edges[0]) % 360.0
    if edges[-1] - edges[0] < 360.0 - 1e-3 * np.diff(source).min():
        return linear(source, edges, point)
    # One cell more on either side, then folded back onto the cells that they are.
    n = len(source)
    wide = np.concatenate(([source[-1] - 360.0], source, [source[0] + 360.0]))
    fold = sp.csr_array((np.ones(n + 2), (np.arange(n + 2), np.arange(-1, n + 1) % n)), shape=(n + 2, n))
    return sp.csr_array(linear(wide, midpoints(wide), point) @ fold)

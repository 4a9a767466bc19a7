"""Distances between clouds of fields, as published for zero-shot downscaling (Schmidt et al. 2025)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

PROJECTIONS = 100
WINDOW = 15


def directions(cells: int, *, count: int = PROJECTIONS, seed: int = 0) -> NDArray[np.float64]:
    """Draw unit vectors [cells, count], the same for every method."""
    generator = np.random.Generator(np.random.Philox(key=[seed, 0x51CE]))
    drawn = generator.standard_normal((cells, count))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=0))


def sliced_wasserstein(projected: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Mean over directions and members of the distance between two clouds of projected fields.

    Sliced Wasserstein-1 distance (Bonneel et al. 2015): the points are the hours.

    Args:
        projected: Members [M, T, directions].
        truth: Truth [T, directions].

    Returns:
        The distance, in the unit of the projections.
    """
    ordered = np.sort(truth, axis=0)
    return float(np.mean([np.abs(np.sort(member, axis=0) - ordered).mean() for member in projected]))


def ssim(x: NDArray[np.floating], o: NDArray[np.floating], *, window: int = WINDOW) -> NDArray[np.float64]:
    """Structural similarity (Wang et al. 2004) with a flat window and the joint range of both fields.

    Args:
        x: Fields [..., lat, lon].
        o: Truth of the same shape.
        window: Cells along a side of the window, odd; shrunk to fit the field.

    Returns:
        Similarity [...], 1 for equal fields; NaN where neither field varies.
    """
    size = min(window, *(n - 1 + n % 2 for n in x.shape[-2:]))
    low = np.minimum(x.min(axis=(-2, -1)), o.min(axis=(-2, -1))).astype(np.float64)
    span = np.maximum(x.max(axis=(-2, -1)), o.max(axis=(-2, -1))) - low
    # About a common level: squares of pressures would lose the digits that matter.
    a, b = x - low[..., None, None], o - low[..., None, None]
    shift = (1,) * (x.ndim - 2) + (size, size)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(uniform_filter(values, shift))

    unbiased = size**2 / (size**2 - 1)
    mx, mo = mean(a), mean(b)
    vx, vo = unbiased * (mean(a * a) - mx**2), unbiased * (mean(b * b) - mo**2)
    both = unbiased * (mean(a * b) - mx * mo)
    # The published constants; the level that was taken off belongs to the first factor.
    c1, c2 = ((k * span[..., None, None]) ** 2 for k in (0.01, 0.03))
    mx, mo = mx + low[..., None, None], mo + low[..., None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        each = ((2 * mx * mo + c1) * (2 * both + c2)) / ((mx**2 + mo**2 + c1) * (vx + vo + c2))
    edge = size // 2
    inner = each[..., edge : each.shape[-2] - edge, edge : each.shape[-1] - edge]
    return np.asarray(inner.mean(axis=(-2, -1)))

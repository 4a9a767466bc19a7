"""Return levels: what is exceeded once in so many years, with intervals from resampled years."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma

from finescale.errors import FinescaleError

MIN_YEARS = 5


def gev(maxima: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Fit generalised extreme value distributions by L-moments (Hosking 1985).

    Args:
        maxima: Yearly maxima [years, ...].

    Returns:
        Location, scale and shape (positive: bounded above) [...].
    """
    ordered = np.sort(maxima, axis=0)
    years = len(ordered)
    order = np.arange(years).reshape(-1, *([1] * (ordered.ndim - 1)))
    b0 = ordered.mean(axis=0)
    b1 = (ordered * order / (years - 1)).mean(axis=0)
    b2 = (ordered * order * (order - 1) / ((years - 1) * (years - 2))).mean(axis=0)
    l1, l2, l3 = b0, 2 * b1 - b0, 6 * b2 - 6 * b1 + b0
    with np.errstate(divide="ignore", invalid="ignore"):
        c = 2 / (3 + l3 / l2) - np.log(2) / np.log(3)
        shape = 7.8590 * c + 2.9554 * c**2
        # A shape of zero is the Gumbel law: the formulas are taken at its side, where they are the same.
        shape = np.where(np.abs(shape) < 1e-6, 1e-6, shape)
        scale = l2 * shape / ((1 - 2.0**-shape) * gamma(1 + shape))
        location = l1 - scale * (1 - gamma(1 + shape)) / shape
    flat = l2 <= 1e-12 * np.maximum(1, np.abs(l1))  # the same maximum every year
    return np.where(flat, l1, location), np.where(flat, 0.0, scale), np.where(flat, 1e-6, shape)


def gev_level(maxima: NDArray[np.float64], years: float) -> NDArray[np.float64]:
    """Give the level [...] exceeded by the yearly maximum once in so many years on average.

    Args:
        maxima: Yearly maxima [years, ...], five or more.
        years: The return period, above 1.
    """
    if len(maxima) < MIN_YEARS:
        raise FinescaleError(
            f"a return level needs {MIN_YEARS} yearly maxima: {len(maxima)}; lengthen the period or use `pareto_level`"
        )
    location, scale, shape = gev(np.asarray(maxima, dtype=np.float64))
    reduced = -np.log1p(-1 / years)
    return np.asarray(location + scale * (1 - reduced**shape) / shape)


def resampled_levels(
    maxima: NDArray[np.float64], years: float, *, resamples: int = 200, seed: int = 0
) -> NDArray[np.float64]:
    """Give the level of resampled years [1 + resamples, ...]; the first is that of the years themselves."""
    generator = np.random.Generator(np.random.Philox(key=[seed, 0x4E54]))
    drawn = generator.integers(0, len(maxima), size=(resamples, len(maxima)))
    return np.stack([gev_level(maxima, years), *(gev_level(maxima[d], years) for d in drawn)])


def declustered(series: NDArray[np.floating], threshold: float, *, apart: int = 48) -> NDArray[np.float64]:
    """Give the peaks of a series above a threshold, one a cluster.

    Args:
        series: Values [T], hourly.
        threshold: What a peak exceeds.
        apart: Hours below the threshold that end a cluster.

    Returns:
        The largest value of each cluster [clusters].
    """
    above = np.flatnonzero(series > threshold)
    if above.size == 0:
        return np.empty(0)
    clusters = np.split(above, np.flatnonzero(np.diff(above) > apart) + 1)
    return np.array([series[c].max() for c in clusters], dtype=np.float64)


def pareto_level(series: NDArray[np.floating], years: float, *, hours_a_year: float = 8766.0) -> float:
    """Give a return level from the declustered peaks over the 95th percentile (generalised Pareto, L-moments).

    Args:
        series: Values [T], hourly.
        years: The return period.
        hours_a_year: Hours of a year in the series' calendar.

    Returns:
        The level; NaN with fewer than ten clusters.
    """
    threshold = float(np.quantile(series, 0.95))
    peaks = np.sort(declustered(series, threshold)) - threshold
    if peaks.size < 10:
        return float("nan")
    mean = peaks.mean()
    second = (2 * np.arange(peaks.size) / (peaks.size - 1) - 1) @ peaks / peaks.size
    shape = mean / second - 2  # positive: bounded above
    scale = mean * (1 + shape)
    events = years * hours_a_year * peaks.size / series.size
    if abs(shape) < 1e-9:
        return float(threshold + scale * np.log(events))
    return float(threshold + scale * -np.expm1(-shape * np.log(events)) / shape)

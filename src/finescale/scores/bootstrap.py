"""Intervals from resampled days: hours of one day depend on one another, days much less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_DAYS = 5  # fewer days say nothing about how days differ
LEVEL = 0.95

Means = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class DayBootstrap:
    """How often each day is drawn in each resampling; the first row is the series itself.

    Attributes:
        weights: Counts [1 + resamples, days].
        day: The day of each hour [T].
    """

    weights: NDArray[np.int64]
    day: NDArray[np.int64]

    @classmethod
    def draw(cls, day: NDArray[np.int64], *, resamples: int, seed: int) -> DayBootstrap:
        """Draw days with replacement; the same seed and days give the same draws for every method.

        Args:
            day: The day of each hour [T], counted from 0.
            resamples: How many resampled series.
            seed: Seed of the draws.
        """
        days = int(day.max()) + 1
        generator = np.random.Generator(np.random.Philox(key=[seed, 0xB007]))
        drawn = generator.multinomial(days, np.full(days, 1 / days), size=resamples)
        return cls(weights=np.vstack([np.ones((1, days), dtype=np.int64), drawn]), day=day)

    def means(self, statistics: Means, hours: NDArray[np.bool_]) -> Means:
        """Average hourly statistics over the chosen hours of each resampled series.

        Args:
            statistics: Arrays [T, ...] by name.
            hours: Which hours count, bool [T].

        Returns:
            Arrays [1 + resamples, ...] by name.
        """
        counts = self.weights @ self._by_day(np.ones((hours.size, 1)), hours)
        # A resampling without such hours has no mean; NaN keeps it out of the interval.
        counts = np.where(counts > 0, counts, np.nan)
        result = {}
        for name, values in statistics.items():
            flat = values.reshape(values.shape[0], -1)
            mean = (self.weights @ self._by_day(flat, hours)) / counts
            result[name] = mean.reshape(-1, *values.shape[1:])
        return result

    def interval(self, values: NDArray[np.float64]) -> tuple[float, float, float]:
        """Turn the value of each series [1 + resamples] into value, low and high.

        Resampled absolute values (a spectral distance, an uneven histogram) are biased upwards, so the
        percentiles are moved until their median meets the value. Too few days give NaN bounds.
        """
        value, drawn = float(values[0]), values[1:]
        if self.weights.shape[1] < MIN_DAYS or drawn.size == 0 or not np.isfinite(value):
            return value, float("nan"), float("nan")
        low, middle, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
        least = 0.0 if np.nanmin(drawn) >= 0.0 and value >= 0.0 else -np.inf
        return value, max(least, value + float(low - middle)), value + float(high - middle)

    def _by_day(self, values: NDArray[np.float64], hours: NDArray[np.bool_]) -> NDArray[np.float64]:
        total = np.zeros((self.weights.shape[1], values.shape[1]))
        np.add.at(total, self.day[hours], values[hours])
        return total


Formula = Callable[[Means, int], NDArray[np.float64]]

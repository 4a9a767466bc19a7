"""Slow change of each group: running means over days, and a straight line in time through them."""

import numpy as np

from finescale.bias.compiled import Floats, Integers, compiled
from finescale.bias.sample import Sample


def running_means(sample: Sample, window_days: int) -> Floats:
    """Mean over the days around each time step at the same hour of the day [cell, time].

    Args:
        sample: values and their groups; gaps between years only shorten the windows beside them.
        window_days: width of the window, an odd number of days.
    """
    if window_days == 1:
        return sample.values
    out = np.full_like(sample.values, np.nan)
    hours = sample.index.group // sample.index.slots
    # Half a day of tolerance: instants of one hour class lie whole days apart, up to rounding.
    reach = window_days // 2 + 0.5
    for hour in np.unique(hours):
        steps = np.flatnonzero(hours == hour)
        days = sample.days[steps]
        valid = ~np.isnan(sample.values[:, steps])
        # Sums of numbers near zero keep their digits.
        centre = np.nanmean(np.where(valid.any(axis=1, keepdims=True), sample.values[:, steps], 0.0), axis=1)[
            :, None
        ]
        sums = _running(np.where(valid, sample.values[:, steps] - centre, 0.0))
        counts = _running(valid.astype(np.float64))
        low, high = np.searchsorted(days, days - reach), np.searchsorted(days, days + reach)
        count = counts[:, high] - counts[:, low]
        mean = (sums[:, high] - sums[:, low]) / np.maximum(count, 1.0) + centre
        out[:, steps] = np.where(count > 0, mean, np.nan)
    return out


def _running(values: Floats) -> Floats:
    return np.concatenate([np.zeros((values.shape[0], 1)), np.cumsum(values, axis=1)], axis=1)


@compiled
def group_lines(values: Floats, days: Floats, order: Integers, starts: Integers) -> Floats:
    """Least-squares straight line in time through the values of each group.

    Args:
        values: one series a cell [cell, time]; NaN is left out.
        days: time in days [time].
        order: time steps sorted by group [time].
        starts: where each group starts in ``order`` [groups + 1].

    Returns:
        The line at every time step [cell, time]; the mean where all values stand at one time.
    """
    out = np.full(values.shape, np.nan)
    for c in range(values.shape[0]):
        for g in range(starts.size - 1):
            n, day, mean = 0, 0.0, 0.0
            for k in range(starts[g], starts[g + 1]):
                if not np.isnan(values[c, order[k]]):
                    n += 1
                    day += days[order[k]]
                    mean += values[c, order[k]]
            if n == 0:
                continue
            day, mean = day / n, mean / n
            spread, slope = 0.0, 0.0
            for k in range(starts[g], starts[g + 1]):
                if not np.isnan(values[c, order[k]]):
                    spread += (days[order[k]] - day) ** 2
                    slope += (days[order[k]] - day) * (values[c, order[k]] - mean)
            slope = slope / spread if spread > 0.0 else 0.0
            for k in range(starts[g], starts[g + 1]):
                out[c, order[k]] = mean + slope * (days[order[k]] - day)
    return out

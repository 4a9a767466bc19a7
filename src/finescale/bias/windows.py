"""Order statistics of sliding day-of-year windows, for every cell at once.

The values of each slot are sorted once. A window is kept as one sorted array; going to the next slot, one linear
merge drops the slot that leaves and takes in the slot that enters, so a window of n values costs n steps instead of
n log n.
"""

import numpy as np

from finescale.bias.compiled import Floats, Integers, compiled
from finescale.bias.tails import pareto_quantile


@compiled
def arrange(series: Floats, order: Integers, starts: Integers) -> tuple[Floats, Integers]:
    """Sort the values of one series inside each group; missing values are left out and counted off.

    Returns:
        The values, group after group [time], and the number of valid ones in each group [groups].
    """
    arranged = np.empty(order.size)
    counts = np.zeros(starts.size - 1, dtype=np.int64)
    for g in range(starts.size - 1):
        n = starts[g]
        for k in range(starts[g], starts[g + 1]):
            value = series[order[k]]
            if not np.isnan(value):
                arranged[n] = value
                n += 1
        arranged[starts[g] : n].sort()
        counts[g] = n - starts[g]
    return arranged, counts


@compiled
def first_window(
    arranged: Floats, counts: Integers, starts: Integers, base: int, slots: int, half: int, pool: Floats
) -> int:
    """Fill ``pool`` with the sorted window around slot 0 of the hour class that starts at group ``base``; its size."""
    n = 0
    for offset in range(-half, half + 1):
        g = base + offset % slots
        for k in range(starts[g], starts[g] + counts[g]):
            pool[n] = arranged[k]
            n += 1
    pool[:n].sort()
    return n


@compiled
def next_window(
    arranged: Floats,
    counts: Integers,
    starts: Integers,
    leaving: int,
    entering: int,
    pool: Floats,
    size: int,
    spare: Floats,
) -> int:
    """Write into ``spare`` the sorted ``pool`` without group ``leaving`` and with group ``entering``; its size."""
    a, a_end = starts[leaving], starts[leaving] + counts[leaving]
    b, b_end = starts[entering], starts[entering] + counts[entering]
    n = 0
    for k in range(size):
        value = pool[k]
        if a < a_end and value == arranged[a]:
            a += 1
            continue
        while b < b_end and arranged[b] <= value:
            spare[n] = arranged[b]
            n += 1
            b += 1
        spare[n] = value
        n += 1
    while b < b_end:
        spare[n] = arranged[b]
        n += 1
        b += 1
    return n


@compiled
def window_around(
    arranged: Floats,
    counts: Integers,
    starts: Integers,
    base: int,
    slot: int,
    slots: int,
    half: int,
    size: int,
    pool: Floats,
    spare: Floats,
) -> tuple[int, Floats, Floats]:
    """Go to the window around a slot from that of the slot before it, beginning with slot 0.

    Args:
        arranged: values sorted inside each group, and ``counts`` of them, as ``arrange`` gives them.
        counts: valid values in each group [groups].
        starts: where each group starts [groups + 1].
        base: first group of the hour class.
        slot: the slot.
        slots: groups in a year.
        half: slots pooled on either side.
        size: values in the window of the slot before.
        pool: that window, sorted.
        spare: room for another one.

    Returns:
        Size of the window, the array that holds it, and the one that is free.
    """
    if slot == 0:
        return first_window(arranged, counts, starts, base, slots, half, pool), pool, spare
    if half >= (slots - 1) / 2:
        return size, pool, spare
    leaving, entering = base + (slot - half - 1) % slots, base + (slot + half) % slots
    return next_window(arranged, counts, starts, leaving, entering, pool, size, spare), spare, pool


@compiled
def quantile(pool: Floats, size: int, probability: float) -> float:
    """Quantile of the first ``size`` values of a sorted array (type 7 of Hyndman and Fan, 1996)."""
    position = probability * (size - 1)
    low = int(np.floor(position))
    if low >= size - 1:
        return float(pool[size - 1])
    return float(pool[low] + (pool[low + 1] - pool[low]) * (position - low))


@compiled
def window_quantiles(
    values: Floats,
    order: Integers,
    starts: Integers,
    slots: int,
    half: int,
    probabilities: Floats,
    lower_edge: float,
    upper_edge: float,
) -> Floats:
    """Quantiles of the window around each group, for every cell.

    Args:
        values: one series a cell [cell, time]; NaN is left out.
        order: time steps sorted by group [time].
        starts: where each group starts in ``order`` [groups + 1].
        slots: groups in a year.
        half: slots pooled on either side.
        probabilities: of the quantiles, in [0, 1] [quantile].
        lower_edge: below this probability quantiles come from a Pareto law; 0 for none.
        upper_edge: above this probability quantiles come from a Pareto law; 1 for none.

    Returns:
        The quantiles [cell, group, quantile]; NaN where the window has no value, or too few for a Pareto law.
    """
    groups = starts.size - 1
    out = np.full((values.shape[0], groups, probabilities.size), np.nan)
    pool, spare = np.empty(values.shape[1]), np.empty(values.shape[1])
    for c in range(values.shape[0]):
        arranged, counts = arrange(values[c], order, starts)
        for base in range(0, groups, slots):
            size = 0
            for s in range(slots):
                size, pool, spare = window_around(
                    arranged, counts, starts, base, s, slots, half, size, pool, spare
                )
                if size > 0:
                    low, high = quantile(pool, size, lower_edge), quantile(pool, size, upper_edge)
                    for k in range(probabilities.size):
                        p = probabilities[k]
                        if p > upper_edge:
                            out[c, base + s, k] = pareto_quantile(pool, size, high, upper_edge, p, True)
                        elif p < lower_edge:
                            out[c, base + s, k] = pareto_quantile(
                                pool, size, low, 1 - lower_edge, 1 - p, False
                            )
                        else:
                            out[c, base + s, k] = quantile(pool, size, p)
    return out


@compiled
def window_means(values: Floats, order: Integers, starts: Integers, slots: int, half: int) -> Floats:
    """Mean of the window around each group, for every cell [cell, group]; arguments as ``window_quantiles``."""
    groups = starts.size - 1
    out = np.full((values.shape[0], groups), np.nan)
    sums, counts = np.empty(groups), np.empty(groups)
    for c in range(values.shape[0]):
        for g in range(groups):
            sums[g], counts[g] = 0.0, 0.0
            for k in range(starts[g], starts[g + 1]):
                value = values[c, order[k]]
                if not np.isnan(value):
                    sums[g] += value
                    counts[g] += 1.0
        for g in range(groups):
            base, s = g // slots * slots, g % slots
            total, count = 0.0, 0.0
            for offset in range(-half, half + 1):
                total += sums[base + (s + offset) % slots]
                count += counts[base + (s + offset) % slots]
            if count > 0.0:
                out[c, g] = total / count
    return out

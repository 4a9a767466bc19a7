"""Where each value of a series stands among the values of its window: the tau of quantile delta mapping."""

import numpy as np

from finescale.bias.compiled import Floats, Integers, compiled
from finescale.bias.windows import arrange, window_around


@compiled
def average_rank(pool: Floats, size: int, value: float) -> float:
    """Rank of a value of the pool, from 1; tied values share their average rank."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if pool[middle] < value:
            low = middle + 1
        else:
            high = middle
    left, high = low, size
    while low < high:
        middle = (low + high) // 2
        if pool[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return (left + low + 1) / 2.0


@compiled
def window_ranks(values: Floats, order: Integers, starts: Integers, slots: int, half: int) -> Floats:
    """Share of the window's values that each value exceeds: 0 for the least, 1 for the greatest.

    With ranks r of n values, ties sharing their average, tau = (r - 1) / (n - 1). Many ties at the lower end (dry days)
    leave the ranks of the others where they are.

    Args:
        values: one series a cell [cell, time]; NaN stays NaN.
        order: time steps sorted by group [time].
        starts: where each group starts in ``order`` [groups + 1].
        slots: groups in a year.
        half: slots pooled on either side.

    Returns:
        tau [cell, time], 1/2 where the whole window has one value.
    """
    groups = starts.size - 1
    out = np.full(values.shape, np.nan)
    pool, spare = np.empty(values.shape[1]), np.empty(values.shape[1])
    for c in range(values.shape[0]):
        arranged, counts = arrange(values[c], order, starts)
        for base in range(0, groups, slots):
            size = 0
            for s in range(slots):
                size, pool, spare = window_around(
                    arranged, counts, starts, base, s, slots, half, size, pool, spare
                )
                if size == 0:
                    continue
                for k in range(starts[base + s], starts[base + s + 1]):
                    value = values[c, order[k]]
                    if np.isnan(value):
                        continue
                    rank = average_rank(pool, size, value)
                    out[c, order[k]] = (rank - 1.0) / (size - 1.0) if size > 1 else 0.5
    return out

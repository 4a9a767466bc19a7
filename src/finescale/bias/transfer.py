"""From one distribution to another: quantile tables applied to every value of every cell.

Between two quantiles the two quantile functions are interpolated linearly (or the nearest quantile is taken); beyond
the outer ones the shift, or the ratio, of the outermost quantile is kept.
"""

import numpy as np

from finescale.bias.compiled import Floats, Integers, compiled


@compiled
def locate(nodes: Floats, x: float, nearest: bool) -> tuple[int, float]:
    """Node below x and the weight of the node above it; the outermost node beyond the ends."""
    last = nodes.size - 1
    if x <= nodes[0]:
        return 0, 0.0
    if x >= nodes[last]:
        return last, 0.0
    low = int(np.searchsorted(nodes, x, side="right")) - 1
    weight = float((x - nodes[low]) / (nodes[low + 1] - nodes[low]))
    if nearest:
        return (low + 1, 0.0) if weight > 0.5 else (low, 0.0)
    return low, weight


@compiled
def correct(x: float, old: Floats, new: Floats, k: int, weight: float, ratio: bool) -> float:
    """Move x as the quantile functions ``old`` and ``new`` differ at a node and a weight."""
    if weight > 0.0:
        source = old[k] + weight * (old[k + 1] - old[k])
        target = new[k] + weight * (new[k + 1] - new[k])
    else:
        source, target = old[k], new[k]
    if not ratio:
        return float(x + (target - source))
    if x == 0.0:
        return 0.0
    # A ratio to nothing says nothing, nor does one on the way up from nothing: take it where the model first has an
    # amount.
    while old[k] <= 0.0 and k < old.size - 1:
        k += 1
        source, target = old[k], new[k]
    return float(x * (target / source)) if source > 0.0 else x


@compiled
def moved(
    x: float, place: float, nodes: Floats, old: Floats, new: Floats, ratio: bool, nearest: bool
) -> float:
    """Move x as the quantile functions differ where ``place`` falls among the ``nodes``; NaN without a table."""
    if np.isnan(x) or np.isnan(old[0]) or np.isnan(new[0]):
        return np.nan
    k, weight = locate(nodes, place, nearest)
    return correct(x, old, new, k, weight, ratio)


@compiled
def map_values(
    values: Floats, group: Integers, old: Floats, new: Floats, ratio: bool, nearest: bool
) -> Floats:
    """Quantile mapping: each value moves as the quantile functions differ where it stands in ``old``.

    Args:
        values: one series a cell [cell, time].
        group: group of each time step [time].
        old: quantiles of the model [cell, group, quantile].
        new: quantiles of the reference [cell, group, quantile].
        ratio: multiply instead of add.
        nearest: take the nearest quantile instead of interpolating.

    Returns:
        The mapped values [cell, time]; NaN where a value or a table is missing.
    """
    out = np.empty(values.shape)
    for c in range(values.shape[0]):
        for t in range(values.shape[1]):
            x, before, after = values[c, t], old[c, group[t]], new[c, group[t]]
            out[c, t] = moved(x, x, before, before, after, ratio, nearest)
    return out


@compiled
def rearranged(before: Floats, after: Floats, order: Integers, starts: Integers) -> Floats:
    """Deal the values of each group out again in the order that they had before.

    The law of each group stays what it is, and a map that falls here and there rises: Chernozhukov, Fernandez-Val and
    Galichon (2010), Quantile and probability curves without crossing, https://doi.org/10.3982/ECTA7880

    Args:
        before: values before the map [cell, time].
        after: values after it [cell, time]; missing where they were.
        order: time steps sorted by group [time].
        starts: where each group starts in ``order`` [groups + 1].

    Returns:
        The values after the map, in the order of those before it [cell, time].
    """
    out = after.copy()
    for c in range(before.shape[0]):
        for g in range(starts.size - 1):
            members = order[starts[g] : starts[g + 1]]
            steps = members[~np.isnan(after[c][members])]
            ranks = np.argsort(before[c][steps], kind="mergesort")
            dealt = np.sort(after[c][steps])
            for k in range(steps.size):
                out[c, steps[ranks[k]]] = dealt[k]
    return out


@compiled
def map_ranks(
    values: Floats,
    ranks: Floats,
    group: Integers,
    probabilities: Floats,
    old: Floats,
    new: Floats,
    ratio: bool,
    nearest: bool,
) -> Floats:
    """Quantile delta mapping: each value moves as the quantile functions differ at its own rank.

    Args:
        values: one series a cell [cell, time].
        ranks: where each value stands in its own series, in [0, 1] [cell, time].
        group: group of each time step [time].
        probabilities: of the quantiles [quantile].
        old: quantiles of the model [cell, group, quantile].
        new: quantiles of the reference [cell, group, quantile].
        ratio: multiply instead of add.
        nearest: take the nearest quantile instead of interpolating.

    Returns:
        The mapped values [cell, time]; NaN where a value or a table is missing.
    """
    out = np.empty(values.shape)
    for c in range(values.shape[0]):
        for t in range(values.shape[1]):
            x, before, after = values[c, t], old[c, group[t]], new[c, group[t]]
            out[c, t] = moved(x, ranks[c, t], probabilities, before, after, ratio, nearest)
    return out

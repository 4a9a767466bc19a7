"""Guards on what a map keeps: the order of the values in each group, and the model's own mean change."""

import numpy as np

from finescale.bias.compiled import Floats, Integers, compiled
from finescale.bias.guards import Name
from finescale.bias.sample import Rule, Sample, Tables
from finescale.errors import FinescaleError

LEAST_RANK_CORRELATION = 0.98
"""Least mean rank correlation of a group before and after; a rising map has one."""

CHANGE_KEPT = 0.01
"""Share of the model's mean change that quantile delta mapping may add or take away."""

SHAPE_SLACK = 0.05
"""Part of the shift's own spread over the quantiles that ranks within short windows may add to the mean."""


@compiled
def rank_correlation(before: Floats, after: Floats, order: Integers, starts: Integers) -> Floats:
    """Spearman's correlation of the groups before and after, weighted by their sizes [cell]; NaN without values."""
    out = np.full(before.shape[0], np.nan)
    for c in range(before.shape[0]):
        total, count = 0.0, 0
        for g in range(starts.size - 1):
            n = starts[g + 1] - starts[g]
            if n < 3:
                continue
            a, b = np.empty(n), np.empty(n)
            for k in range(n):
                a[k], b[k] = before[c, order[starts[g] + k]], after[c, order[starts[g] + k]]
            if np.isnan(a).any() or np.isnan(b).any():
                continue
            first = np.argsort(np.argsort(a, kind="mergesort"), kind="mergesort")
            second = np.argsort(np.argsort(b, kind="mergesort"), kind="mergesort")
            square = 0.0
            for k in range(n):
                square += float(first[k] - second[k]) ** 2
            total += n * (1.0 - 6.0 * square / (n * (float(n) * n - 1.0)))
            count += n
        if count > 0:
            out[c] = total / count
    return out


def check_order(before: Sample, after: Floats, rule: Rule, name: Name) -> None:
    """Refuse a univariate map that shuffles values; amounts are left out, their dry steps have no order."""
    if rule.ratio:
        return
    index = before.index
    kept = rank_correlation(before.values, after, index.order, index.starts)
    if (kept < LEAST_RANK_CORRELATION).any():
        cell = int(np.nanargmin(kept))
        raise FinescaleError(
            f"a map keeps the order of its values: the rank correlation of {rule.name} before and after is "
            f"{kept[cell]:.3f} at {name(int(before.cells[cell]))}; use fewer quantiles or wider groups"
        )


def check_change(before: Sample, after: Floats, tables: Tables, rule: Rule, name: Name) -> None:
    """Refuse a quantile delta map that changes the model's mean change by more than it may.

    The mean shift of a run has to be the mean shift of its groups: then the corrected run stands to the corrected
    calibration as the run to the calibration. Ratios keep the change of every quantile, not that of the mean.
    """
    if rule.ratio or rule.method not in ("qdm", "mbcn"):
        return
    edges = np.concatenate([[0.0], (rule.nodes[1:] + rule.nodes[:-1]) / 2.0, [1.0]])
    weights, group = np.diff(edges), before.index.group
    old, new = tables["model"], tables["reference"]
    shift = (new - old) @ weights
    spread = np.sqrt((((new - old) - shift[..., None]) ** 2) @ weights)[:, group].mean(axis=1)
    change = before.values.mean(axis=1) - (old @ weights)[:, group].mean(axis=1)
    added = (after - before.values).mean(axis=1) - shift[:, group].mean(axis=1)
    excess = np.abs(added) - CHANGE_KEPT * np.abs(change) - SHAPE_SLACK * spread
    if (excess > 0.0).any():
        cell = int(np.nanargmax(excess))
        raise FinescaleError(
            f"the model's own change is kept: the mean change of {rule.name}, {change[cell]:.4g}, became "
            f"{change[cell] + added[cell]:.4g} at {name(int(before.cells[cell]))}; give whole years, or wider groups"
        )

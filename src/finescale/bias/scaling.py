"""Linear scaling: the mean of each group is moved, or multiplied, onto the reference's."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from finescale.bias.compiled import Floats
from finescale.bias.sample import Rule, Sample, Tables
from finescale.bias.windows import window_means


class Scaling:
    """x + (mean of the reference - mean of the model), or x times their ratio."""

    tables: Mapping[str, tuple[str, ...]] = MappingProxyType({"scale": ("group",)})

    def fit(self, reference: Sample, historical: Sample, rule: Rule) -> Tables:
        """Fit the shift or the factor of each group [cell, group]."""
        return {"scale": mean_change(pool_mean(historical), pool_mean(reference), rule.ratio)}

    def apply(self, tables: Tables, simulation: Sample, rule: Rule) -> Floats:
        """Shift or multiply a run [cell, time]."""
        scale = tables["scale"][:, simulation.index.group]
        return simulation.values * scale if rule.ratio else simulation.values + scale


def pool_mean(sample: Sample) -> Floats:
    """Mean of the window around each group [cell, group]; NaN where it is empty."""
    index = sample.index
    return window_means(sample.values, index.order, index.starts, index.slots, index.half)


def mean_change(old: Floats, new: Floats, ratio: bool) -> Floats:
    """What takes ``old`` to ``new``: a difference or, for amounts, a ratio (1 where there is nothing to multiply)."""
    if not ratio:
        return new - old
    return np.where(old > 0.0, new / np.where(old > 0.0, old, 1.0), np.where(np.isnan(old), np.nan, 1.0))

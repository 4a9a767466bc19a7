"""Detrended quantile mapping: the mean change is taken off, the rest is mapped, the change is put back."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from finescale.bias.compiled import Floats
from finescale.bias.quantiles import TABLES, pool_quantiles
from finescale.bias.sample import Rule, Sample, Tables
from finescale.bias.scaling import mean_change, pool_mean
from finescale.bias.transfer import map_values
from finescale.bias.trend import group_lines, running_means
from finescale.bias.wetdays import adapt, dried, fit_wet_days


class DetrendedQuantileMapping:
    """Empirical quantile mapping of what is left over a straight line in time, one line a group.

    Cannon, Sobie and Murdock (2015), https://doi.org/10.1175/JCLI-D-14-00754.1
    """

    tables: Mapping[str, tuple[str, ...]] = MappingProxyType({**TABLES, "scale": ("group",)})

    def __init__(self, window_days: int) -> None:
        self._window_days = window_days

    def fit(self, reference: Sample, historical: Sample, rule: Rule) -> Tables:
        """Fit the quantiles of both sides about their means and the change of the mean."""
        wet_days = fit_wet_days(reference, historical, rule)
        adapted = adapt(historical, wet_days, rule)
        truth = dried(reference, rule)
        old, new = pool_mean(adapted), pool_mean(truth)
        return {
            "model": about(pool_quantiles(adapted, rule), old[..., None], rule.ratio),
            "reference": about(pool_quantiles(truth, rule), new[..., None], rule.ratio),
            "scale": mean_change(old, new, rule.ratio),
        } | wet_days

    def apply(self, tables: Tables, simulation: Sample, rule: Rule) -> Floats:
        """Map a run [cell, time]."""
        adapted = adapt(simulation, tables, rule)
        index = adapted.index
        scale = tables["scale"][:, index.group]
        scaled = adapted.values * scale if rule.ratio else adapted.values + scale
        means = running_means(replace(adapted, values=scaled), self._window_days)
        line = group_lines(means, adapted.days, index.order, index.starts)
        left = about(scaled, line, rule.ratio)
        mapped = map_values(left, index.group, tables["model"], tables["reference"], rule.ratio, rule.nearest)
        return mapped * line if rule.ratio else mapped + line


def about(values: Floats, centre: Floats, ratio: bool) -> Floats:
    """Values over a centre: differences or ratios (nothing over nothing is nothing)."""
    if not ratio:
        return values - centre
    return np.where(centre > 0.0, values / np.where(centre > 0.0, centre, 1.0), 0.0 * values)

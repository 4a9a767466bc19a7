"""Quantile tables of both sides, and empirical quantile mapping between them."""

from collections.abc import Mapping
from types import MappingProxyType

from finescale.bias.compiled import Floats
from finescale.bias.sample import Rule, Sample, Tables
from finescale.bias.transfer import map_values
from finescale.bias.wetdays import adapt, dried, fit_wet_days
from finescale.bias.windows import window_quantiles

TABLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "model": ("group", "quantile"),
        "reference": ("group", "quantile"),
        "wetted": ("group",),
        "wet_below": ("group",),
    }
)


class EmpiricalQuantileMapping:
    """y = F_reference^-1(F_model(x)), with both laws as tables of quantiles.

    Each value moves by the difference (or the ratio) of the two quantile functions where it stands in the model's. A
    trend is moved with the rest: for other periods than the calibration's quantile delta mapping is the better choice.

    Déqué (2007), Frequency of precipitation and temperature extremes over France in an anthropogenic scenario,
    https://doi.org/10.1016/j.gloplacha.2006.11.030
    """

    tables = TABLES

    def fit(self, reference: Sample, historical: Sample, rule: Rule) -> Tables:
        """Fit the quantiles of both sides [cell, group, quantile]."""
        wet_days = fit_wet_days(reference, historical, rule)
        adapted = adapt(historical, wet_days, rule)
        return {
            "model": pool_quantiles(adapted, rule),
            "reference": pool_quantiles(dried(reference, rule), rule),
        } | wet_days

    def apply(self, tables: Tables, simulation: Sample, rule: Rule) -> Floats:
        """Map a run [cell, time]."""
        adapted = adapt(simulation, tables, rule)
        return map_values(
            adapted.values,
            adapted.index.group,
            tables["model"],
            tables["reference"],
            rule.ratio,
            rule.nearest,
        )


def pool_quantiles(sample: Sample, rule: Rule) -> Floats:
    """Quantiles of the window around each group [cell, group, quantile]; NaN where it is empty."""
    index = sample.index
    lower = 0.0 if rule.ratio else 1.0 - rule.tail
    return window_quantiles(
        sample.values, index.order, index.starts, index.slots, index.half, rule.nodes, lower, rule.tail
    )

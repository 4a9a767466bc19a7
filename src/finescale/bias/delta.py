"""Quantile delta mapping: the model's own change of every quantile is kept."""

from finescale.bias.compiled import Floats
from finescale.bias.quantiles import EmpiricalQuantileMapping
from finescale.bias.ranks import window_ranks
from finescale.bias.sample import Rule, Sample, Tables
from finescale.bias.transfer import map_ranks, rearranged
from finescale.bias.wetdays import adapt


class QuantileDeltaMapping(EmpiricalQuantileMapping):
    """y = x + F_reference^-1(tau) - F_model^-1(tau) with tau = F_simulation(x), or the like with ratios.

    Values are ranked in the run that is mapped, so give it whole: a run of decades with a strong trend is better
    mapped by periods of about thirty years, each ranked in itself.

    Cannon, Sobie and Murdock (2015), Bias correction of GCM precipitation by quantile mapping: how well do methods
    preserve changes in quantiles and extremes?, https://doi.org/10.1175/JCLI-D-14-00754.1
    """

    def apply(self, tables: Tables, simulation: Sample, rule: Rule) -> Floats:
        """Map a run [cell, time]."""
        adapted = adapt(simulation, tables, rule)
        index = adapted.index
        half = index.half if rule.rank_window else 0
        ranks = window_ranks(adapted.values, index.order, index.starts, index.slots, half)
        mapped = map_ranks(
            adapted.values,
            ranks,
            index.group,
            rule.nodes,
            tables["model"],
            tables["reference"],
            rule.ratio,
            rule.nearest,
        )
        # The shift of a rank may fall faster than the values rise, where few years make the tables rough.
        return (
            rearranged(adapted.values, mapped, index.order, index.starts) if rule.keep_structure else mapped
        )

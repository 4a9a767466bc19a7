"""No correction: what the model says is kept, so that every comparison has its first line."""

from collections.abc import Mapping
from types import MappingProxyType

from finescale.bias.compiled import Floats
from finescale.bias.sample import Rule, Sample, Tables


class Identity:
    """y = x."""

    tables: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def fit(self, reference: Sample, historical: Sample, rule: Rule) -> Tables:
        """Fit nothing."""
        return {}

    def apply(self, tables: Tables, simulation: Sample, rule: Rule) -> Floats:
        """Return the values as they are [cell, time]."""
        return simulation.values

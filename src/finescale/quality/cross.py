"""Rules between variables: what one of them says, another must allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from finescale.quality import balance
from finescale.quality.balance import Balance

Array = NDArray[np.floating]
# (variable, check, lower, upper): the excess of `lower` over `upper` is what the profile holds.
ORDERED = (
    ("tasmin", "above_tasmax", "tasmin", "tasmax"),
    ("tasmin", "above_tas", "tasmin", "tas"),
    ("tas", "above_tasmax", "tas", "tasmax"),
    ("tdps", "above_tas", "tdps", "tas"),
    ("prsn", "above_pr", "prsn", "pr"),
)
WIND = ("uas", "vas")


@dataclass
class Relations:
    """The largest breach of each rule between variables, period by period.

    Attributes:
        balance: wind against pressure, where the axes allow a judgement.
        worst: (variable, check, period) -> largest excess.
    """

    balance: Balance | None = None
    worst: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def wanted(self, names: set[str]) -> set[str]:
        """Names, among those there, that some rule needs."""
        groups = [{lower, upper} for _, _, lower, upper in ORDERED] + [set(WIND)]
        if self.balance is not None:
            groups.append(set(balance.NAMES))
        return {name for group in groups if group <= names for name in group}

    def add(self, values: Mapping[str, Array], period: str) -> None:
        """Take in the same times of several variables.

        Args:
            values: canonical name -> values [time, y, x] in canonical units.
            period: the period that all these times lie in.
        """
        for variable, check, lower, upper in ORDERED:
            if lower in values and upper in values and values[lower].shape == values[upper].shape:
                self._reached(variable, check, period, values[lower] - values[upper])
        if all(name in values for name in WIND) and values["uas"].shape == values["vas"].shape:
            with np.errstate(over="ignore"):
                self._reached("wind", "speed", period, np.hypot(values["uas"], values["vas"]))

        if self.balance is not None and all(name in values for name in balance.NAMES):
            psl, uas, vas = (values[name] for name in balance.NAMES)
            if psl.shape == uas.shape == vas.shape:
                self.balance.add(psl, uas, vas, period)

    def found(self) -> Iterator[tuple[str, str, str, float]]:
        """Yield variable, check, period and value: the largest excess of each rule, and wind against pressure."""
        for (variable, check, period), value in self.worst.items():
            yield variable, check, period, value
        if self.balance is not None:
            for variable, period, value in self.balance.found():
                yield variable, "with_pressure", period, value

    def _reached(self, variable: str, check: str, period: str, found: Array) -> None:
        key = (variable, check, period)
        self.worst[key] = float(np.fmax(self.worst.get(key, np.nan), np.fmax.reduce(found, axis=None)))

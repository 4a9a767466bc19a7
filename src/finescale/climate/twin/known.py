"""What is known for certain of the invented world: the errors of its models and the warming of its scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finescale.climate.twin.flow import winterness


@dataclass(frozen=True)
class Bias:
    """The error of a model in one variable: model = truth + bias(truth).

    With a = truth - climate (the mean annual cycle of the cell, without the warming):
    model = truth + mean + winter * (2 w - 1) + (spread - 1) * a + (day - 1) * c, where w is 1 in the middle of
    January and 0 in the middle of July and c is the mean course of the day. For winds a is the wind itself, for
    pressure its distance from the mean pressure; for rain model = spread * truth + mean.

    Attributes:
        mean: mean error, units of the variable.
        winter: amplitude of the error's annual cycle, largest in January.
        spread: factor on the anomalies.
        day: factor on the amplitude of the course of the day (tas only).
    """

    mean: float = 0.0
    winter: float = 0.0
    spread: float = 1.0
    day: float = 1.0


@dataclass(frozen=True)
class Warming:
    """The change from the historical to the ssp245 climate.

    Attributes:
        tas: mean warming over the scenario, K.
        tas_per_year: its trend within the scenario, K per year, zero in the middle.
        psl: change of pressure, Pa.
        wind: factor on both wind components.
        pr: factor on rain.
    """

    tas: float = 1.6
    tas_per_year: float = 0.05
    psl: float = -60.0
    wind: float = 1.03
    pr: float = 1.06

    def at(self, hours: NDArray[np.int64], year_hours: float) -> NDArray[np.float64]:
        """Return the warming [time] in K at hours of a scenario run, given the hours of a year."""
        return np.asarray(self.tas + self.tas_per_year * (hours - hours[-1] / 2) / year_hours)


WARMING = Warming()

BIASES: Mapping[str, Mapping[str, Bias]] = MappingProxyType(
    {
        "TWIN-STD": MappingProxyType(
            {
                "psl": Bias(mean=120.0, spread=1.08),
                "tas": Bias(mean=1.5, spread=1.12, day=0.75),
                "uas": Bias(mean=0.5, spread=0.90),
                "vas": Bias(mean=-0.2, spread=0.90),
                "pr": Bias(mean=2.0e-6, spread=1.15),
            }
        ),
        "TWIN-360": MappingProxyType(
            {
                "psl": Bias(mean=-250.0, winter=150.0, spread=0.85),
                "tas": Bias(mean=-2.4, winter=-1.4, spread=1.30, day=0.50),
                "uas": Bias(mean=-0.8, winter=0.5, spread=1.25),
                "vas": Bias(mean=0.4, winter=-0.3, spread=1.20),
                "pr": Bias(mean=6.0e-6, spread=0.70),
            }
        ),
    }
)


def error(
    bias: Bias, truth: NDArray[np.float32], anomaly: NDArray[np.float32], season: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return truth [time, lat, lon] with the mean, seasonal and spread error of a model (all but the day's)."""
    shift = bias.mean + bias.winter * (2 * winterness(season) - 1)
    return np.asarray(truth + shift[:, None, None] + (bias.spread - 1) * anomaly, dtype=np.float32)


def describe() -> dict[str, Any]:
    """Return every known constant as plain data."""
    return {
        "warming": asdict(WARMING),
        "biases": {model: {name: asdict(b) for name, b in table.items()} for model, table in BIASES.items()},
    }

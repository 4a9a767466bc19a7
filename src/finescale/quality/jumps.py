"""Limits on change: between neighbours in time and space, and between one period and the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from finescale.climate.variables import Variable
from finescale.quality.facts import Facts
from finescale.quality.rule import Rule

NEIGHBOURS = 0.5  # degrees; farther apart, neighbouring cells may lie in different climates


@dataclass(frozen=True)
class Change:
    """How far one quantity moves, in canonical units.

    Attributes:
        hour: most change in an hour or less.
        day: most change in a day or less.
        back: most jump there and back within three steps of three hours or less.
        near: most difference between neighbours closer than half a degree.
        climate: most distance of a period's mean from the middle of all periods.
        reason: the records behind them.
    """

    hour: float
    day: float
    back: float
    near: float
    climate: float
    reason: str


_AIR = Change(
    30.0,
    60.0,
    20.0,
    40.0,
    50.0,
    "records: 27 K in minutes (Spearfish, 1943), 57 K in a day (Loma, 1972), both at one mast; "
    "62 K between monthly means of a year (Verkhoyansk); 26 K for a step of 4 km in height",
)
_PRESSURE = Change(
    6000.0,
    10000.0,
    4000.0,
    6000.0,
    5000.0,
    "records: 100 hPa in a day (Patricia, 2015), 55 hPa in an hour while an eye passes; "
    "monthly means range over 40 hPa (Iceland)",
)
_WIND = Change(
    100.0,
    120.0,
    60.0,
    80.0,
    30.0,
    "an eye wall passing in an hour turns 50 m s-1 round; no place blows 30 m s-1 for a month",
)
CHANGES = {
    "tas": _AIR,
    "tasmin": _AIR,
    "tasmax": _AIR,
    "tdps": _AIR,
    "psl": _PRESSURE,
    "uas": _WIND,
    "vas": _WIND,
}


def rules(variable: Variable, facts: Facts) -> Iterator[Rule]:
    """Limits on change of one variable, as far as the profile's steps in time and space make them meaningful."""
    change, hours = CHANGES.get(variable.name), facts.step_hours
    if change is None:
        return
    if hours <= 24.5:
        most = change.hour if hours <= 1.01 else change.day
        yield Rule(variable.name, "jump_time", 0.0, most, change.reason)
    if hours <= 3.01:
        yield Rule(
            variable.name,
            "spike",
            0.0,
            change.back,
            f"no jump of this size is undone at once; {change.reason}",
        )
    if facts.spacing <= NEIGHBOURS:
        yield Rule(variable.name, "jump_space", 0.0, change.near, change.reason)
    yield Rule(
        variable.name, "shift", -change.climate, change.climate, f"another quantity began; {change.reason}"
    )
    yield Rule(
        variable.name,
        "spread_ratio",
        0.05,
        20.0,
        "the spread of a season is within a factor of 20 of the others'; beyond, another quantity began",
    )

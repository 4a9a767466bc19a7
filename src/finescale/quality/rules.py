"""Limits and their reasons: which checks each gate makes of a profile, from physics and world records alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from finescale.climate.variables import VARIABLES, Variable
from finescale.errors import FinescaleError
from finescale.quality import jumps
from finescale.quality.facts import Facts
from finescale.quality.rule import Rule
from finescale.quality.statistics import ENOUGH_CELLS


@dataclass(frozen=True)
class Gate:
    """How strict one place in the flow is.

    Attributes:
        what: the data that passes here.
        harmonised: canonical names, units and axes are already owed.
        complete: no value may be missing that the reference has; otherwise a mask that never changes may.
    """

    what: str
    harmonised: bool = False
    complete: bool = False


GATES = {
    "source": Gate("any data as published"),
    "reference": Gate("the fine reference as published"),
    "gcm": Gate("a climate model as published"),
    "harmonised": Gate("data in canonical names, units and axes", harmonised=True),
    "corrected": Gate("a climate model after bias correction", harmonised=True, complete=True),
    "ensemble": Gate("what a method produced", harmonised=True, complete=True),
}


def rules(gate: str, profile: pd.DataFrame, masked: Mapping[str, float] = MappingProxyType({})) -> list[Rule]:
    """List the limits that a gate sets on what a profile holds.

    Args:
        gate: one of `GATES`.
        profile: as `finescale.quality.profile.profile` makes it.
        masked: share of the cells of a variable that complete data have no values of, because the reference has none.

    Raises:
        FinescaleError: no such gate, or a profile without rows.
    """
    if gate not in GATES:
        raise FinescaleError(f"a gate is one of {', '.join(GATES)}: {gate!r} is none; mend its name")
    if profile.empty:
        raise FinescaleError(
            f"a gate judges a profile with rows: gate {gate} got none; profile the dataset first"
        )
    facts = Facts(profile)
    found = [*_time(facts), *_place(facts, GATES[gate])]
    for name in facts.variables:
        found += _between(name)
        if facts.is_field(name):
            found += _any_field(name, GATES[gate], masked.get(name, 0.0))
        if name in VARIABLES:
            found += [
                *_known_field(VARIABLES[name], GATES[gate], facts),
                *jumps.rules(VARIABLES[name], facts),
            ]
    return found


def _time(facts: Facts) -> Iterator[Rule]:
    if not facts.has("time"):
        return
    none = (0.0, 0.0)
    yield Rule("time", "decoded", 1.0, 1.0, "without dates no season, hour or calendar is known", needed=True)
    yield Rule(
        "time", "backwards", *none, "time runs forward; a reversed step means files joined in the wrong order"
    )
    yield Rule(
        "time", "duplicates", *none, "one moment has one state; a repeated date is a file joined twice"
    )
    yield Rule(
        "time",
        "irregular",
        *none,
        "a lost or odd step breaks every window, rate and observation hour after it",
    )


def _place(facts: Facts, gate: Gate) -> Iterator[Rule]:
    # Harmonised longitudes begin in [-180, 180); a box over the dateline runs on beyond 180, within one turn.
    east = 540.0 if gate.harmonised else 360.0
    for axis, low, high, turn in (("lat", -90.0, 90.0, 180.0), ("lon", -180.0, east, 359.9999999)):
        if not facts.has(axis):
            continue
        first = 179.9999999 if gate.harmonised and axis == "lon" else high
        yield Rule(axis, "missing", 0.0, 0.0, "a place without coordinates is nowhere", needed=True)
        yield Rule(
            axis,
            "min",
            low,
            first,
            "the Earth has no other places; harmonised longitudes begin in [-180, 180)",
        )
        yield Rule(axis, "max", low, high, "the Earth has no other places; longitudes count one turn at most")
        yield Rule(axis, "extent", 0.0, turn, "no place is there twice")
        if gate.harmonised:
            yield Rule(
                axis, "direction", 1.0, 1.0, "harmonised axes ascend; a flipped map is weather upside down"
            )
        elif facts.value(axis, "direction") == 0.0:
            yield Rule(
                axis, "direction", 1.0, 1.0, "an axis runs one way; a fold puts weather in the wrong place"
            )
        yield Rule(
            axis,
            "unevenness",
            1.0,
            3.0,
            "the widest step of regular and Gaussian axes is below twice the narrowest",
        )


def _any_field(name: str, gate: Gate, masked: float) -> Iterator[Rule]:
    yield Rule(
        name, "infinite", 0.0, 0.0, "no quantity is infinite; it comes from a division by zero", needed=True
    )
    yield Rule(name, "steps", 1.0, 1e12, "a period without a time was never written", needed=True)
    yield Rule(
        name,
        "nan_loose",
        0.0,
        0.0,
        "a mask never changes: a value missing only at times is lost data",
        needed=True,
    )
    most = masked if gate.complete else 0.999
    why = (
        "finescale writes every cell that the reference has"
        if gate.complete
        else "a field that is missing nearly everywhere holds nothing"
    )
    yield Rule(name, "nan_share", 0.0, most, why, needed=True)
    yield Rule(
        name, "holes", 0.0, 0.0, "a chunk that was never written reads as missing or as zero without a word"
    )


def _known_field(variable: Variable, gate: Gate, facts: Facts) -> Iterator[Rule]:
    name, reach = variable.name, (variable.low, variable.high)
    yield Rule(name, "units_fit", 1.0, 1.0, f"units must mean what {name} is ({variable.units})", needed=True)
    yield Rule(
        name, "standard_name_fits", 1.0, 1.0, "a name and a standard name that disagree: one of them lies"
    )
    if variable.heights is not None:
        why = "near the ground air warms and slows from metre to metre: another level is another variable"
        yield Rule(name, "height", *variable.heights, why)
    if gate.harmonised:
        yield Rule(name, "units", 0, 0, "harmonised data is in canonical units", allowed=(variable.units,))
    yield Rule(name, "min", *reach, variable.lowest.reason, needed=True)
    yield Rule(name, "max", *reach, variable.highest.reason, needed=True)
    if variable.static or facts.value(name, "cells") < ENOUGH_CELLS:
        return
    yield Rule(name, "frozen_fields", 0.0, 0.0, "weather never repeats a whole map from one time to the next")
    yield Rule(name, "repeated_fields", 0.0, 0.0, "weather never comes back value by value: days were copied")
    if variable.kind == "interval":
        yield Rule(
            name,
            "constant_fields",
            0.0,
            0.0,
            "air is never the same everywhere: a fill value or a dead field",
        )
        yield Rule(
            name,
            "stuck_steps",
            0.0,
            12.0,
            "weather moves every cell by more than storage rounding within 12 steps",
        )
        yield Rule(
            name, "flat_share", 0.0, 0.9, "neighbours differ by more than storage rounding on most of a map"
        )
        yield Rule(
            name,
            "zero_share",
            0.0,
            0.05,
            "exact zero is one value out of hundreds, even in winds packed to 0.1 m s-1",
        )
        yield Rule(
            name,
            "edge_share",
            0.0,
            0.05,
            "only shares (cloud, humidity) pile up at their lowest or highest value",
        )


def _between(name: str) -> Iterator[Rule]:
    rounding = 0.05
    packed = "0.05 K is the coarsest packing in use"
    if name == "tasmin":
        yield Rule("tasmin", "above_tasmax", -200.0, rounding, f"the lowest is below the highest; {packed}")
        yield Rule("tasmin", "above_tas", -200.0, rounding, f"the lowest is below the mean; {packed}")
    if name == "tas":
        yield Rule("tas", "above_tasmax", -200.0, rounding, f"the mean is below the highest; {packed}")
    if name == "tdps":
        yield Rule(
            "tdps",
            "above_tas",
            -200.0,
            1.0,
            "dew point above air is fog; models exceed it by rounding and ice",
        )
    if name == "prsn":
        yield Rule("prsn", "above_pr", -1.0, 1e-6, "snow is a part of precipitation; rounding 0.1 mm a day")
    if name in ("uas", "vas"):
        why = "wind keeps low pressure to its left in the north; below, a sign, an axis or a map is turned round"
        yield Rule(
            name,
            "with_pressure",
            -0.2,
            1.0,
            f"{why} (mountains and sea breezes lower the cosine, to 0.2 or so)",
        )
    if name == "wind":
        yield Rule(
            "wind", "speed", 0.0, 120.0, "the strongest gust measured is 113 m s-1 (Barrow Island, 1996)"
        )

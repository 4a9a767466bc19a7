"""How things are named and coloured for people: units of daily life, palettes that colour-blind eyes can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finescale.climate.variables import VARIABLES

# Okabe and Ito (2008): distinct for every common colour blindness, and in grey with the line styles.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F6000", "#5E4FA2", "#666666")
DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Shown:
    """How one variable is shown.

    Attributes:
        label: Words for an axis, without the unit.
        unit: The unit shown.
        factor: What canonical values are multiplied with.
        offset: What is added after that.
        colours: Name of a perceptually even colour map.
        diverging: Whether the scale is centred on zero.
    """

    label: str
    unit: str
    factor: float = 1.0
    offset: float = 0.0
    colours: str = "viridis"
    diverging: bool = False

    @property
    def difference(self) -> str:
        """The unit of a difference."""
        return "K" if self.unit == "°C" else self.unit

    def convert(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Turn canonical values into shown ones."""
        return np.asarray(values, dtype=np.float64) * self.factor + self.offset

    def scale(self, fields: Sequence[NDArray[np.floating]]) -> tuple[float, float]:
        """Give the lowest and highest shown value of all fields, symmetric for a diverging map."""
        low = min(float(np.min(f)) for f in fields)
        high = max(float(np.max(f)) for f in fields)
        if self.diverging:
            high = max(abs(low), abs(high))
            low = -high
        return (low, high) if high > low else (low - 0.5, high + 0.5)


SHOWN = {
    "psl": Shown("sea-level pressure", "hPa", factor=0.01, colours="cividis"),
    "tas": Shown("temperature at 2 m", "°C", offset=-273.15, colours="viridis"),
    "uas": Shown("eastward wind at 10 m", "m/s", colours="PuOr", diverging=True),
    "vas": Shown("northward wind at 10 m", "m/s", colours="PuOr", diverging=True),
    "pr": Shown("precipitation", "mm/h", factor=3600.0, colours="YlGnBu"),
}


def shown(name: str) -> Shown:
    """Say how a variable is shown; one without a rule of its own keeps its canonical unit."""
    if name in SHOWN:
        return SHOWN[name]
    known = VARIABLES.get(name)
    return Shown(known.long_name if known else name, known.units if known else "")


def style(methods: Sequence[str]) -> dict[str, dict[str, str]]:
    """Give each method a colour and a dash of its own, in the order given."""
    return {
        method: {"color": PALETTE[i % len(PALETTE)], "linestyle": DASHES[i % len(DASHES)]}
        for i, method in enumerate(methods)
    }


def hour(time: object) -> str:
    """Write a time of any calendar as `2003-01-18 14:00`."""
    return str(time)[:16].replace("T", " ")


def number(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits and no exponent where people would not use one."""
    if not np.isfinite(value):
        return "–"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(0, digits - 1 - int(np.floor(np.log10(abs(value) or 1))))}f}"

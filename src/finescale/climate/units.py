"""Units: what a file says, in the units finescale uses, as one factor and one offset.

Besides plain conversions three physical ones are certain: a depth of water is a mass per area (1 mm is 1 kg m-2), a
geopotential is a height (divided by standard gravity), and an amount over a known interval is a flux.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from finescale.errors import FinescaleError

STANDARD_GRAVITY = 9.80665  # m s-2, CGPM 1901; the one ECMWF divides geopotential by
WATER_DENSITY = 1000.0  # kg m-3, the convention behind "millimetres" of rain

# Spellings that files use and that the CF registry does not know.
_SPELLINGS = {
    "(0 - 1)": "1",
    "0-1": "1",
    "fraction": "1",
    "-": "1",
    "": "1",
    "degree_C": "degC",
    "deg C": "degC",
    "C": "degC",
    "celsius": "degC",
    "millibars": "hPa",
    "mb": "hPa",
    "gpm": "m",
}


@dataclass(frozen=True)
class Conversion:
    """canonical = factor * value + offset."""

    factor: float
    offset: float

    @property
    def is_identity(self) -> bool:
        """True when nothing changes."""
        return self.factor == 1.0 and self.offset == 0.0


@cache
def _registry() -> Any:  # noqa: ANN401 - pint is untyped
    from cf_xarray.units import units  # here and not above: pint takes 0.4 s

    return units


def _parse(text: str, name: str) -> Any:  # noqa: ANN401
    cleaned = _SPELLINGS.get(text.strip(), text.strip())
    cleaned = re.sub(r"\bof water( equivalent)?\b", "", cleaned).strip()
    try:
        return _registry().Unit(cleaned)
    except Exception as error:  # pint raises a dozen kinds, assertions among them
        raise FinescaleError(
            f"units can be read: {name} has {text!r}; write them as CF does, for example 'm s-1'"
        ) from error


def is_amount(units: str, canonical: str, name: str) -> bool:
    """Tell whether the units are those of a flux times a time: millimetres where kg m-2 s-1 is wanted."""
    got, want = _parse(units, name), _parse(canonical, name)
    second = _registry().second
    return any(
        (got * water / second).dimensionality == want.dimensionality
        for water in (_registry().Unit("1"), _registry().Unit("kg m-3"))
    )


def conversion(units: str, canonical: str, name: str, *, seconds: float | None = None) -> Conversion:
    """Return how values in `units` become `canonical` ones.

    Args:
        units: what the file says.
        canonical: what finescale wants.
        name: the variable, for the error.
        seconds: the interval over which an amount was gathered; None when values are not amounts.
    """
    got, want = _parse(units, name), _parse(canonical, name)
    registry = _registry()
    for scale, extra in (
        (1.0, registry.Unit("1")),
        (WATER_DENSITY, registry.Unit("kg m-3")),
        (1.0 / STANDARD_GRAVITY, registry.Unit("s2 m-1")),
    ):
        full = got * extra / registry.second if seconds else got * extra
        if full.dimensionality != want.dimensionality or (
            scale == 1.0 / STANDARD_GRAVITY and canonical != "m"
        ):
            continue
        if scale == 1.0 and not seconds:
            zero, one = (registry.Quantity(v, got).to(want).magnitude for v in (0.0, 1.0))
            return Conversion(_tidy(one - zero), _tidy(zero))
        factor = registry.Quantity(1.0, full).to(want).magnitude
        return Conversion(_tidy(scale * factor / (seconds or 1.0)), 0.0)
    raise FinescaleError(
        f"units of {name} mean what {name} is: {units!r} cannot become {canonical!r}; "
        "check whether the variable is what its name says"
    )


def _tidy(value: float) -> float:
    # 274.15 - 273.15 is 0.9999999999999432 in binary: a conversion of a degree must be exactly one.
    return float(f"{value:.12g}")

"""What a dataset holds: its fields, what each claims to be, and how its numbers become canonical ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from finescale.climate.units import conversion, is_amount
from finescale.climate.variables import VARIABLES, Variable, by_name
from finescale.errors import FinescaleError

TIME = "time"
_NOT_SPACE = frozenset({TIME, "bnds", "nv", "bounds", "vertices", "nvertex", "axis_nbounds"})


@dataclass(frozen=True)
class Field:
    """One series of maps: a variable, or one member of it.

    Attributes:
        name: the variable's name in the dataset.
        member: the indices along dimensions that are neither time nor space; empty when there are none.
        where: the same as an indexer.
        variable: what it claims to be; None when its name and standard name are unknown.
        units: what its attribute says; empty when missing.
        factor: canonical = factor * value + offset; NaN when the units cannot become canonical.
        offset: see `factor`.
        timed: whether it has a time axis.
    """

    name: str
    member: str
    where: Mapping[str, int]
    variable: Variable | None
    units: str
    factor: float
    offset: float
    timed: bool

    @property
    def canonical(self) -> str:
        """The name finescale knows it by, or its own."""
        return self.variable.name if self.variable else self.name


def identify(name: str, attrs: Mapping[str, Any]) -> Variable | None:
    """Return what a variable claims to be, by its name first and its standard name second."""
    if (known := by_name(name)) is not None:
        return known
    standard = attrs.get("standard_name")
    named = (v for v in VARIABLES.values() if v.by_standard_name and standard in v.standard_names)
    return next(named, None)


def fields(ds: xr.Dataset, step: float) -> list[Field]:
    """List the fields of a dataset, member by member.

    Args:
        ds: any dataset; bounds, grid mappings and other things that are no maps are left out.
        step: the time step in seconds, over which amounts were gathered.
    """
    names = [name for name in sorted(map(str, ds.data_vars)) if _is_map(ds[name])]
    claims = {name: identify(name, ds[name].attrs) for name in names}
    owners: dict[str, str] = {}
    for name in sorted(names, key=lambda n: _rank(n, claims[n])):
        claim = claims[name]
        if claim is not None and owners.setdefault(claim.name, name) != name:
            claims[name] = (
                None  # wind at 500 hPa beside the wind at 10 m: a name decides, the other stays unknown
            )
    return [field for name in names for field in _members(ds[name], name, claims[name], step)]


def _is_map(data: xr.DataArray) -> bool:
    return data.ndim >= 2 and data.dtype.kind in "fiu" and not _NOT_SPACE & set(map(str, data.dims[-2:]))


def _rank(name: str, claim: Variable | None) -> int:
    return 2 if claim is None or name not in (claim.name, *claim.aliases) else int(name != claim.name)


def _members(data: xr.DataArray, name: str, variable: Variable | None, step: float) -> Iterator[Field]:
    units = str(data.attrs.get("units", ""))
    factor, offset = _conversion(units, variable, step)
    others = [str(d) for d in data.dims[:-2] if d != TIME]
    for index in itertools.product(*(range(data.sizes[d]) for d in others)):
        where = dict(zip(others, index, strict=True))
        member = " ".join(f"{d}={i}" for d, i in where.items() if data.sizes[d] > 1)
        yield Field(name, member, where, variable, units, factor, offset, TIME in data.dims)


def _conversion(units: str, variable: Variable | None, step: float) -> tuple[float, float]:
    if variable is None:
        return 1.0, 0.0
    try:
        amount = step > 0 and is_amount(units, variable.units, variable.name)
        made = conversion(units, variable.units, variable.name, seconds=step if amount else None)
    except FinescaleError:
        return float("nan"), float("nan")
    return made.factor, made.offset


def height(data: xr.DataArray) -> float | None:
    """Return the metres above the ground at which a field says it lies; None when it does not say.

    Only its own attribute counts: a scalar coordinate of a data set may be that of another variable in it.
    """
    said = str(data.attrs.get("height", "")).split()
    return float(said[0]) if len(said) == 2 and said[1] == "m" else None

"""What must hold of two series before they are compared: variables, units, grid, calendar, period."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.bias.grouping import calendar, minute_of_day
from finescale.climate.units import conversion
from finescale.climate.variables import VARIABLES
from finescale.errors import FinescaleError

Series = TypeVar("Series", xr.DataArray, xr.Dataset)

SAME_PLACE = 1e-4
"""Degrees (or metres on projected grids) by which coordinates of the same grid may differ: float32 rounding."""


def pick_variables(
    reference: xr.Dataset, historical: xr.Dataset, names: Sequence[str] | None
) -> tuple[str, ...]:
    """Names of the variables to correct; every one must be on both sides."""
    wanted = (
        tuple(names)
        if names is not None
        else tuple(str(v) for v in historical.data_vars if "time" in historical[v].dims)
    )
    for side, data in (("reference", reference), ("historical run", historical)):
        missing = [name for name in wanted if name not in data.data_vars]
        if missing:
            has = ", ".join(str(v) for v in data.data_vars) or "nothing"
            raise FinescaleError(
                f"a variable is corrected from both sides: {missing[0]} is missing in the {side}, which has {has}; "
                "provide it or leave it out of the variables"
            )
    return wanted


def in_units(array: xr.DataArray, name: str, units: str | None, side: str) -> xr.DataArray:
    """The variable in ``units`` (its canonical ones when None), lazily.

    Args:
        array: the variable, with its units in the attributes.
        name: its name.
        units: wanted.
        side: for messages.
    """
    has = array.attrs.get("units")
    if has is None:
        raise FinescaleError(
            f"a variable says its units: {name} of the {side} has none; set the attribute, for example 'K'"
        )
    want = units or (VARIABLES[name].units if name in VARIABLES else str(has))
    change = conversion(str(has), want, name)
    if change.is_identity:
        return array.assign_attrs(units=want)
    return (
        (array * change.factor + change.offset)
        .astype(array.dtype)
        .assign_attrs(array.attrs | {"units": want})
    )


def check_grid(reference: xr.DataArray, other: xr.DataArray, side: str) -> None:
    """Refuse two series that do not stand on the same cells."""
    for name in (str(d) for d in reference.dims if d != "time"):
        mine, theirs = reference[name], other.coords.get(name)
        if name not in other.dims or other.sizes[name] != reference.sizes[name]:
            raise FinescaleError(
                f"both sides stand on the same grid: {name} has {reference.sizes[name]} cells in the reference and "
                f"{other.sizes.get(name, 0)} in the {side}; regrid one of them"
            )
        if name in reference.coords and theirs is not None:
            apart = float(np.abs(mine.values - theirs.values).max())
            if apart > SAME_PLACE:
                raise FinescaleError(
                    f"both sides stand on the same grid: {name} differs by {apart:.4g} in the {side}; regrid one"
                )


def check_calendars(reference: xr.DataArray, historical: xr.DataArray, policy: str | None) -> None:
    """Refuse two calendars unless the caller says how days are to be compared."""
    first, second = calendar(reference.time), calendar(historical.time)
    if policy not in (None, "year-fraction"):
        raise FinescaleError(
            f"calendars are compared by 'year-fraction' or not at all: {policy!r}; choose 'year-fraction'"
        )
    if first != second and policy is None:
        raise FinescaleError(
            f"both sides have one calendar, or a policy says how to compare them: {first} and {second}; "
            "pass calendars='year-fraction' to compare days by the fraction of their year"
        )


def select_period(array: Series, period: tuple[str, str] | None, side: str) -> Series:
    """Time steps from the first to the last day named, both included, in any calendar.

    Args:
        array: with a time axis.
        period: two dates such as ``2001-01-01``, or years; None for everything.
        side: for messages.
    """
    if period is None:
        return array
    first, last = _day_number(period[0], 1), _day_number(period[1], 31)
    days = _days(array.time)
    chosen = np.flatnonzero((days >= first) & (days <= last))
    if chosen.size == 0:
        raise FinescaleError(
            f"the calibration period lies within the data: no step of the {side} falls in {period[0]}..{period[1]}; "
            f"it covers {' to '.join(period_of(array.time))}"
        )
    return array.isel(time=slice(int(chosen[0]), int(chosen[-1]) + 1))


def check_overlap(reference: xr.DataArray, historical: xr.DataArray) -> None:
    """Refuse calibration periods without a common day: their climates are not the same."""
    first, second = _days(reference.time), _days(historical.time)
    if first[0] > second[-1] or second[0] > first[-1]:
        a, b = (" to ".join(period_of(x.time)) for x in (reference, historical))
        raise FinescaleError(
            f"calibration compares the same years: the reference covers {a}, the historical run {b}; "
            "choose a common period"
        )


def period_of(time: xr.DataArray) -> tuple[str, str]:
    """First and last day."""
    first, last = (str(v) for v in time[[0, -1]].dt.strftime("%Y-%m-%d").values)
    return first, last


def stamps_of(time: xr.DataArray) -> NDArray[np.int64]:
    """A whole number for each instant, in order, the same in every run [time]."""
    return _days(time) * 1440 + minute_of_day(time)


def days_since_first(time: xr.DataArray) -> NDArray[np.float64]:
    """Days since the first step, in the series' own calendar [time]."""
    elapsed = time.to_index() - time.to_index()[0]
    return np.asarray(elapsed / np.timedelta64(1, "D"), dtype=np.float64)


def _days(time: xr.DataArray) -> NDArray[np.int64]:
    year, month, day = (
        np.asarray(getattr(time.dt, part), dtype=np.int64) for part in ("year", "month", "day")
    )
    return np.asarray((year * 12 + month) * 32 + day)


def _day_number(date: str, default: int) -> int:
    parts = str(date)[:10].split("-")
    try:
        year, month, day = (
            int(p) for p in (parts + ["1" if default == 1 else "12", str(default)][len(parts) - 1 :])[:3]
        )
    except ValueError as error:
        raise FinescaleError(f"a date is year-month-day: {date!r}; write for example 2001-01-31") from error
    return (year * 12 + month) * 32 + day

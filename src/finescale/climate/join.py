"""Pieces of one series put end to end: files of one run, then the scenario behind its historical run.

Every seam is checked: no piece may repeat or leave out a step, change its calendar, its grid or its units.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import xarray as xr

from finescale.climate.provenance import series_attrs
from finescale.climate.timeline import sampling, seconds
from finescale.errors import FinescaleError

_GREGORIAN: tuple[Literal["standard", "gregorian", "proleptic_gregorian"], ...] = (
    "standard",
    "gregorian",
    "proleptic_gregorian",
)
# Degrees: centres kept in single precision, or computed twice, differ by less.
_ROUNDING = 1e-4
# A month has 28 to 31 days and a year 365 or 366: seams of monthly data may differ by this factor.
_SLACK = 1.25


def join_time(pieces: Sequence[xr.Dataset], names: Sequence[str]) -> xr.Dataset:
    """Concatenate pieces of a series along time, lazily, after checking every seam.

    Args:
        pieces: datasets with the same variables and grid; any order.
        names: what to call each piece in a message (file or experiment).
    """
    if len(pieces) == 1:
        return pieces[0]
    static = [n for n, p in zip(names, pieces, strict=True) if "time" not in p.dims]
    if static:
        raise FinescaleError(
            f"only series with a time axis can be joined: {static[0]} has none; select one asset"
        )
    order = sorted(range(len(pieces)), key=lambda i: _first_key(pieces[i]))
    ordered, labels = _one_clock([pieces[i] for i in order]), [names[i] for i in order]
    for (a, before), (b, after) in pairwise(zip(labels, ordered, strict=True)):
        check_seam(before, after, a, b)
    grid = {n: v for n, v in ordered[0].coords.items() if "time" not in v.dims}
    same = [ordered[0]] + [
        p.drop_vars([n for n in grid if n in p.coords]).assign_coords(grid) for p in ordered[1:]
    ]
    joined = xr.concat(
        same, dim="time", data_vars="minimal", coords="minimal", compat="override", join="override",
        combine_attrs="drop_conflicts",
    )  # fmt: skip
    return joined.assign_attrs(series_attrs(ordered))


def on_one_grid(parts: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Give every part the horizontal coordinates of the first where they differ by rounding alone."""
    first = {n: v for n, v in parts[0].coords.items() if _places(v)}
    return [
        p.assign_coords({n: v for n, v in first.items() if n in p.coords and _same_place(v, p.coords[n])})
        for p in parts
    ]


def _one_clock(pieces: list[xr.Dataset]) -> list[xr.Dataset]:
    """Date all pieces alike: readers date what ends before 2262 in another type than what goes on beyond."""
    beyond = {str(p["time"].dt.calendar) for p in pieces if p["time"].dtype.kind == "O"}
    calendar = next((name for name in _GREGORIAN if name in beyond), None)
    if calendar is None:
        return pieces
    return [
        p if p["time"].dtype.kind == "O" else p.convert_calendar(calendar, use_cftime=True) for p in pieces
    ]


def check_seam(before: xr.Dataset, after: xr.Dataset, first: str, second: str) -> None:
    """Raise unless `after` goes on exactly where `before` ends.

    Args:
        before: the earlier piece.
        after: the later piece.
        first: name of the earlier piece in messages.
        second: name of the later one.
    """
    pair = f"{first} and {second}"
    calendars = before["time"].dt.calendar, after["time"].dt.calendar
    if calendars[0] != calendars[1]:
        raise FinescaleError(
            f"joined series share a calendar: {pair} have {calendars[0]} and {calendars[1]}; "
            "convert one by a stated policy"
        )
    _check_grid(before, after, pair)
    for name in before.data_vars.keys() & after.data_vars.keys():
        units = before[name].attrs.get("units"), after[name].attrs.get("units")
        if units[0] != units[1]:
            raise FinescaleError(
                f"joined series share units: {name} of {pair} is in {units[0]!r} and {units[1]!r}; harmonise first"
            )
    step = _step(before) or _step(after)
    gap = seconds(after["time"].values[0] - before["time"].values[-1])
    if gap <= 0:
        raise FinescaleError(
            f"joined series follow one another: {second} begins at {_stamp(after, 0)}, before {first} ends at "
            f"{_stamp(before, -1)}; subset one of them by a period"
        )
    if step is not None and not step / _SLACK <= gap <= step * _SLACK:
        raise FinescaleError(
            f"joined series leave no gap: {first} ends at {_stamp(before, -1)}, {second} begins at {_stamp(after, 0)}, "
            f"{gap / 3600:g} h later, but a step is {step / 3600:g} h; find the missing part"
        )


def _check_grid(before: xr.Dataset, after: xr.Dataset, pair: str) -> None:
    for name, values in before.coords.items():
        other = after.coords.get(name)
        if _places(values) and other is not None and not _same_place(values, other):
            raise FinescaleError(f"joined series share a grid: {name} of {pair} differs; regrid one of them")
    for dim, size in before.sizes.items():
        if dim != "time" and after.sizes.get(dim) != size:
            raise FinescaleError(
                f"joined series share a grid: {dim} of {pair} has {size} and "
                f"{after.sizes.get(dim)} cells; regrid one of them"
            )


def _places(values: xr.DataArray) -> bool:
    return "time" not in values.dims and values.dtype.kind == "f"


def _same_place(values: xr.DataArray, other: xr.DataArray) -> bool:
    same = values.dims == other.dims and values.shape == other.shape
    return same and np.allclose(values, other, rtol=0, atol=_ROUNDING, equal_nan=True)


def _step(ds: xr.Dataset) -> float | None:
    if ds.sizes["time"] < 2:
        return None
    ends = ds["time"].values[-min(25, ds.sizes["time"]) :]
    return float(np.median([seconds(b - a) for a, b in pairwise(ends)]))


def _first_key(ds: xr.Dataset) -> tuple[int, ...]:
    first = ds["time"].isel(time=0).dt
    return tuple(int(v) for v in (first.year, first.month, first.day, first.hour, first.minute))


def _stamp(ds: xr.Dataset, position: int) -> str:
    return str(ds["time"].values[position])[:16]


def common_times(parts: Sequence[xr.Dataset], names: Sequence[str]) -> list[xr.Dataset]:
    """Thin instants to the times that all variables have: a model may give one variable more often than another.

    Args:
        parts: one dataset a variable.
        names: their variables; a part without time, or with the times of all others, comes back unchanged.
    """
    axes = [p.indexes["time"] for p in parts if "time" in p.indexes]
    if all(axis.equals(axes[0]) for axis in axes):
        return list(parts)
    rarest = min(axes, key=len)
    # The times of a mean are the ends of its intervals: an instant there is another quantity.
    means = any("mean" in {sampling(v) for v in p.data_vars.values()} for p in parts if "time" in p.indexes)
    thinned = []
    for name, part in zip(names, parts, strict=True):
        if "time" not in part.indexes or part.indexes["time"].equals(rarest):
            thinned.append(part)
            continue
        where = part.indexes["time"].get_indexer(rarest)
        if np.any(where < 0) or means:
            raise FinescaleError(
                f"variables of one series share their times: {name} has others than the rarest, "
                "and only instants may be thinned, to the times of instants; choose one table_id for all"
            )
        thinned.append(part.isel(time=where))
    return thinned

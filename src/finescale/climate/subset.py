"""Cutting a period and a region out of data that is still far away: by position, so that only what is needed moves."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import date
from typing import NamedTuple

import cftime
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError

_EDGE = 1e-4  # degrees: centres kept in float32 miss a round number by this

Period = tuple[object, object]  # first and last day, both included: dates, or text such as "2001-02-28"


class Region(NamedTuple):
    """A box in degrees; `west` may exceed `east`: then the box crosses the dateline."""

    south: float
    north: float
    west: float
    east: float


def axis_of(ds: xr.Dataset, kind: str) -> Hashable | None:
    """Return the coordinate that holds latitude ("lat") or longitude ("lon"), by CF attributes or by name."""
    words = {
        "lat": (
            "latitude",
            {"degrees_north", "degree_north", "degrees_N", "degree_N"},
            {"lat", "latitude", "xlat", "nav_lat"},
        ),
        "lon": (
            "longitude",
            {"degrees_east", "degree_east", "degrees_E", "degree_E"},
            {"lon", "longitude", "xlong", "nav_lon"},
        ),
    }[kind]
    candidates = [n for n in ds.variables if not str(n).lower().endswith(("_bnds", "_bounds", "_vertices"))]
    units = {n: ds[n].attrs.get("units") for n in candidates}
    for found in (
        [n for n in candidates if ds[n].attrs.get("standard_name") == words[0]],
        [n for n in candidates if units[n] in words[1]],
        [n for n in candidates if str(n).lower() in words[2]],
    ):
        # Staggered grids have several; the one of cell centres has the plainest name.
        if found:
            return min(found, key=lambda n: (len(str(n)), str(n)))
    return None


def days(time: xr.DataArray) -> NDArray[np.int64]:
    """Return the day of each time [time] as the number yyyymmdd, in whatever calendar."""
    index = time.dt
    number = index.year * 10000 + index.month * 100 + index.day
    return np.asarray(number.values, dtype=np.int64).reshape(-1)


def crop_period(ds: xr.Dataset, period: Period, what: str = "the series") -> xr.Dataset:
    """Keep the times whose day lies in the period; both ends must be covered to within one step."""
    if "time" not in ds.dims:
        return ds
    first, last = (day_number(v) for v in period)
    if last < first:
        raise FinescaleError(f"a period ends after it begins: {period[0]} .. {period[1]}; exchange the two")
    stamp = days(ds["time"])
    inside = (stamp >= first) & (stamp <= last)
    if not inside.any() or not _covers(ds["time"], stamp, first, last):
        raise FinescaleError(
            f"a period lies inside the data: {period[0]} .. {period[1]} was asked of {what}, which has "
            f"{_text(stamp.min())} .. {_text(stamp.max())}; choose a period within"
        )
    where = np.flatnonzero(inside)
    if where[-1] - where[0] + 1 == where.size:
        return ds.isel(time=slice(int(where[0]), int(where[-1]) + 1))
    return ds.isel(time=where)


def crop_region(
    ds: xr.Dataset, region: Region | tuple[float, float, float, float], margin: int = 0
) -> xr.Dataset:
    """Keep the cells whose centre lies in the region, and `margin` cells beyond on each side.

    Longitudes may be counted from 0 or from -180; columns of a box over the seam come out side by side.
    """
    box = Region(*region)
    if not -90 <= box.south < box.north <= 90:
        raise FinescaleError(
            f"a region's south lies below its north: {box.south} .. {box.north}; exchange the two"
        )
    lat, lon = axis_of(ds, "lat"), axis_of(ds, "lon")
    if lat is None or lon is None:
        raise FinescaleError(
            f"a region needs latitude and longitude: found {sorted(map(str, ds.variables))}; name them"
        )
    rows: NDArray[np.bool_] = (ds[lat].values >= box.south - _EDGE) & (ds[lat].values <= box.north + _EDGE)
    offset = np.mod(ds[lon].values - box.west + _EDGE, 360.0)
    width = (np.mod(box.east - box.west, 360.0) or 360.0) + 2 * _EDGE
    columns = offset <= width
    if ds[lat].ndim == 1 and ds[lon].ndim == 1:
        _some(rows, "latitudes", box.south, box.north)
        _some(columns, "longitudes", box.west, box.east)
        return ds.isel(
            {ds[lat].dims[0]: _grown(rows, margin), ds[lon].dims[0]: _around(offset, float(width), margin)}
        )
    inside: NDArray[np.bool_] = np.asarray(rows & columns)
    _some(inside, "cells", box.west, box.east)
    others = [tuple(i for i in range(inside.ndim) if i != k) for k in range(inside.ndim)]
    spans = {d: np.atleast_1d(inside.any(axis=axes)) for d, axes in zip(ds[lat].dims, others, strict=True)}
    return ds.isel({d: _grown(span, margin) for d, span in spans.items()})


def _grown(inside: NDArray[np.bool_], margin: int) -> slice:
    where = np.flatnonzero(inside)
    return slice(max(0, int(where[0]) - margin), int(where[-1]) + 1 + margin)


def _around(offset: NDArray[np.float64], width: float, margin: int) -> slice | NDArray[np.intp]:
    """Positions of the columns from west to east; a slice where they lie side by side in the file.

    Args:
        offset: degrees east of the region's western edge [lon], from 0 to 360.
        width: degrees from the western to the eastern edge.
        margin: columns beyond each edge; only true neighbours count, not the far end of a regional axis.
    """
    order = np.argsort(offset, kind="stable")
    ordered = offset[order]
    n = int((ordered <= width).sum())
    reach = (margin + 0.5) * float(np.median(np.diff(ordered))) if ordered.size > 1 else 0.0
    rest = ordered[n:]
    east = int((rest - ordered[n - 1] <= reach).sum())
    west = int((ordered[0] + 360.0 - rest <= reach).sum())
    east, west = min(margin, east), min(margin, west, rest.size - min(margin, east))
    take = np.concatenate([order[order.size - west :], order[: n + east]])
    if np.all(np.diff(take) == 1):
        return slice(int(take[0]), int(take[-1]) + 1)
    return take


def _some(inside: NDArray[np.bool_], what: str, low: float, high: float) -> None:
    if not inside.any():
        raise FinescaleError(
            f"a region holds data: no {what} between {low} and {high}; choose a region the data covers"
        )


def _covers(time: xr.DataArray, stamp: NDArray[np.int64], first: int, last: int) -> bool:
    """True when the data reach both ends of the period to within one time step."""
    step = 1.0 if time.size < 2 else float(np.median(np.diff(_ordinal(stamp[: min(50, stamp.size)]))))
    ends = _ordinal(np.array([first, stamp.min(), stamp.max(), last]))
    return bool(ends[1] - ends[0] <= max(step, 1.0) and ends[3] - ends[2] <= max(step, 1.0))


def _ordinal(stamp: NDArray[np.int64]) -> NDArray[np.float64]:
    """Days, near enough for a tolerance of one step."""
    return np.asarray(stamp // 10000 * 365.25 + (stamp // 100 % 100) * 30.44 + stamp % 100, dtype=np.float64)


def day_number(value: object) -> int:
    """Return a day, a date or its text, as the number yyyymmdd."""
    if isinstance(value, date | cftime.datetime):
        return int(value.year * 10000 + value.month * 100 + value.day)
    parts = str(value)[:10].split("-")
    if len(parts) != 3 or not all(p.isdigit() for p in parts):
        raise FinescaleError(f"a day is written YYYY-MM-DD: {value!r}; for example 2001-02-28")
    return int(parts[0]) * 10000 + int(parts[1]) * 100 + int(parts[2])


def _text(day: np.int64) -> str:
    return f"{day // 10000:04d}-{day // 100 % 100:02d}-{day % 100:02d}"

"""The time axis of a file: found, decoded, in order, without repeats or holes; in whatever calendar it came."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import xarray as xr

from finescale.errors import FinescaleError

Gaps = Literal["refuse", "allow"]
_NAMES = ("time", "Time", "valid_time", "times", "t", "date", "initial_time0_hours")
_RUNS = ("init_time", "forecast_reference_time", "reftime", "step", "lead_time", "prediction_timedelta")
_END = "interval_end"
_MONTHLY = 27 * 86400.0  # from here on steps follow the calendar and differ in length


def regular_time(ds: xr.Dataset, gaps: Gaps = "refuse") -> tuple[xr.Dataset, list[str]]:
    """Return the data with a sound `time`, and what was done to it, one line each.

    Args:
        ds: data whose variables are already chosen; without any time axis it is static and comes back unchanged.
        gaps: `allow` for seasonal series, whose axis jumps on purpose.
    """
    ds, done = named(ds)
    if "time" not in ds.dims:
        return ds, done
    _check_decoded(ds)
    ds, rounded = _to_seconds(ds)
    ds, sorted_ = _in_order(ds)
    done = [*done, *rounded, *sorted_, *_check_steps(ds, gaps)]
    return ds, done


def seconds_between(time: xr.DataArray) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the seconds from each time to the next [time - 1], in the calendar of the axis."""
    values = time.values
    if values.dtype.kind == "M":
        return np.asarray(np.diff(values) / np.timedelta64(1, "s"), dtype=np.float64)
    return np.array([seconds(b - a) for a, b in pairwise(values)], dtype=np.float64)


def seconds(delta: timedelta | np.timedelta64) -> float:
    """Return the length of a difference of two times of any calendar."""
    return (
        float(delta / np.timedelta64(1, "s")) if isinstance(delta, np.timedelta64) else delta.total_seconds()
    )


def sampling(da: xr.DataArray) -> Literal["instant", "mean", "unknown"]:
    """Tell whether values hold at an instant or over an interval, by their cell methods."""
    # Methods apply from left to right: the mean of instants is a mean. Names in a row share one (area: time: mean).
    methods = re.findall(r"\btime: (?:\w+: )*(\w+)", str(da.attrs.get("cell_methods", "")))
    if not methods:
        return "unknown"
    return "instant" if methods[-1] == "point" else "mean"


def interval_seconds(ds: xr.Dataset) -> float | None:
    """Return the length of the intervals of `time_bnds`, if there are any and all are equal."""
    bounds = next((n for n in ("time_bnds", "time_bounds") if n in ds.variables), None)
    if bounds is None or ds[bounds].ndim != 2 or ds[bounds].dtype.kind not in "MO":
        return None
    values = ds[bounds].values
    widths = {
        float((b - a) / np.timedelta64(1, "s")) if values.dtype.kind == "M" else (b - a).total_seconds()
        for a, b in values
    }
    return widths.pop() if len(widths) == 1 else None


def with_interval_ends(ds: xr.Dataset) -> xr.Dataset:
    """Keep the end of every interval of a part of a day beside its time, where `time_bnds` tells it."""
    width = interval_seconds(ds)
    if width is None or not 0 < width < 86400:
        return ds
    bounds = ds[next(n for n in ("time_bnds", "time_bounds") if n in ds.variables)]
    return ds.assign_coords({_END: (bounds.dims[0], np.max(bounds.values, axis=1))})


def stamp_at_end(ds: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Stamp means over parts of a day with the end of their interval, as H and reanalyses do.

    CMIP6 stamps them in the middle of `time_bnds`; days, months and years keep their stamps, and so do instants, whose
    bounds say nothing.
    """
    if _END not in ds.coords or np.array_equal(ds[_END].values, ds["time"].values):
        return ds, []
    kinds = {sampling(v) for v in ds.data_vars.values() if "time" in v.dims}
    if kinds <= {"instant"}:
        return ds, []
    if kinds != {"mean"}:
        raise FinescaleError(
            "means and instants have stamps of their own: time lies inside its bounds, yet not every variable is a "
            "mean by its cell_methods; harmonise the means and the instants apart"
        )
    late = ("time", ds[_END].values, ds["time"].attrs)
    return ds.assign_coords(time=late), ["stamped means with the end of their interval"]


def named(ds: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Return the data with the axis of their valid times called `time`, and what was done to it."""
    ds, done = _valid(ds)
    used = {d for v in ds.data_vars.values() for d in v.dims}
    runs = [d for d in _RUNS if d in used and ds.sizes[d] > 1]
    if len(runs) > 1:
        raise FinescaleError(
            f"a series has one time axis: fields have {' and '.join(runs)}, several forecasts side by side; "
            "choose one lead or one run first"
        )
    name = next((n for n in _NAMES if n in used), None)
    if name is None:
        name = next(
            (str(n) for n in ds.coords if ds[n].attrs.get("standard_name") == "time" and ds[n].ndim == 1),
            None,
        )
    if name is None:
        odd = [d for d in used if str(d).startswith("time")]
        if odd:
            raise FinescaleError(
                f"a time axis carries dates: {odd[0]} has no CF units such as 'hours since 2001-01-01'; add them"
            )
        return ds, done
    if name == "Time" and "Times" in ds.variables:
        return _from_characters(ds)
    if name == "time":
        return ds, done
    # A `time` beside the axis is the start of a forecast.
    return ds.drop_vars("time", errors="ignore").rename({name: "time"}), [*done, f"renamed {name} to time"]


def _valid(ds: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Let the valid times stand on an axis that counts starts or lead times, as GRIB readers lay forecasts out."""
    valid = ds.coords.get("valid_time")
    if valid is None or valid.ndim != 1 or valid.dims[0] == "valid_time" or valid.dtype.kind not in "MO":
        return ds, []
    axis = str(valid.dims[0])
    if axis in ds.indexes and np.array_equal(ds[axis].values, valid.values):
        return ds, []
    others = [n for n in ("time", axis) if n in ds.coords]
    moved = ds.drop_vars([*others, "valid_time"]).rename_dims({} if axis == "time" else {axis: "time"})
    return moved.assign_coords(time=("time", valid.values, valid.attrs)), [f"took valid_time for {axis}"]


def _from_characters(ds: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Read the times that WRF writes as text."""
    text = [bytes(v).decode().replace("_", "T") for v in ds["Times"].values]
    stamps = np.array(text, dtype="datetime64[ns]")
    moved = ds.drop_vars("Times").rename({"Time": "time"}).assign_coords(time=stamps)
    return moved, ["read time from the characters of Times"]


def _check_decoded(ds: xr.Dataset) -> None:
    time = ds["time"]
    if time.dtype.kind not in "MO":
        units = time.attrs.get("units", "none")
        raise FinescaleError(
            f"a time axis carries dates: time has the units {units!r}; write them as CF does, 'hours since 2001-01-01'"
        )
    if bool(time.isnull().any()):
        raise FinescaleError(
            f"every step has a time: {int(time.isnull().sum())} of {time.size} are missing; mend the axis"
        )


def _to_seconds(ds: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Round away what days written as binary fractions leave behind; real stamps have whole seconds."""
    index: Any = ds.indexes["time"]
    rounded = index.round("s")
    if rounded.equals(index):
        return ds, []
    attrs = ds["time"].attrs
    encoding = ds["time"].encoding
    ds = ds.assign_coords(time=("time", rounded, attrs))
    ds["time"].encoding = encoding
    return ds, ["rounded time stamps to whole seconds"]


def _in_order(ds: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    done: list[str] = []
    if ds.sizes["time"] > 1 and not ds.indexes["time"].is_monotonic_increasing:
        ds, done = ds.sortby("time"), ["sorted time"]
    twice = np.flatnonzero(ds.indexes["time"].duplicated())
    if not twice.size:
        return ds, done
    first = ds.isel(time=twice - 1)
    again = ds.isel(time=twice)
    for name in (n for n in ds.data_vars if "time" in ds[n].dims):
        same = np.array_equal(first[name].values, again[name].values, equal_nan=ds[name].dtype.kind == "f")
        if not same:
            raise FinescaleError(
                f"a time is there once: {name} has two different fields at {str(again['time'].values[0])[:19]} "
                f"({twice.size} repeated times); keep one of them"
            )
    once = np.setdiff1d(np.arange(ds.sizes["time"]), twice)
    return ds.isel(time=once), [*done, f"dropped {twice.size} repeated time steps that were equal"]


def _check_steps(ds: xr.Dataset, gaps: Gaps) -> list[str]:
    if ds.sizes["time"] < 3:
        return []
    steps = seconds_between(ds["time"])
    step = float(np.median(steps))
    slack = 0.25 * step if step >= _MONTHLY else 1.0
    wrong = np.flatnonzero(np.abs(steps - step) > slack)
    if not wrong.size:
        return []
    at = int(wrong[0])
    start, end = (str(ds["time"].values[i])[:19] for i in (at, at + 1))
    if gaps == "refuse" or steps.min() < step - slack:
        raise FinescaleError(
            f"time steps are equal: {steps[at] / 3600:g} h from {start} to {end}, elsewhere {step / 3600:g} h "
            f"({wrong.size} such places); fetch the missing part, or allow gaps if the series is seasonal"
        )
    return [f"kept {wrong.size} gaps in time, the first from {start} to {end}"]

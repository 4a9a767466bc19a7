"""Monthly and annual summaries: sums of each piece, put together over periods and blocks of members."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr

Frequency = Literal["monthly", "annual"]
TABLES: dict[Frequency, str] = {"monthly": "mon", "annual": "yr"}


def sums(ds: xr.Dataset) -> xr.Dataset:
    """Sum, least and greatest value of each month of a piece, lazily.

    Args:
        ds: Fields ``[member, time, lat, lon]``, hourly.

    Returns:
        For each field ``<name>_sum`` (float64), ``<name>_min``, ``<name>_max`` ``[member, time, lat, lon]`` and
        ``hours`` ``[time]``; time is the first instant of each month.
    """
    clock = ds["time"].dt
    month = (clock.year * 12 + clock.month - 1).values
    edges = np.flatnonzero(np.diff(month, prepend=month[0] - 1))
    parts = []
    for begin, end in zip(edges, [*edges[1:], month.size], strict=True):
        part = ds.isel(time=slice(int(begin), int(end)))
        fields = {}
        for name in map(str, ds.data_vars):
            fields[f"{name}_sum"] = part[name].astype("float64").sum("time", skipna=False)
            fields[f"{name}_min"] = part[name].min("time", skipna=False)
            fields[f"{name}_max"] = part[name].max("time", skipna=False)
        fields = {key: field.assign_attrs(ds[key.rpartition("_")[0]].attrs) for key, field in fields.items()}
        fields["hours"] = xr.DataArray(np.int64(end - begin), attrs={"units": "h"})
        parts.append(xr.Dataset(fields).assign_coords(time=_start(part["time"].values[0])))
    joined: xr.Dataset = xr.concat(parts, dim="time", data_vars="all")
    return _timed(joined, ds["time"]).transpose("member", "time", "lat", "lon").assign_attrs(ds.attrs)


def merge(pieces: Sequence[Sequence[xr.Dataset]], frequency: Frequency) -> xr.Dataset:
    """Means and extremes of months or years, of all members.

    Args:
        pieces: For each block of members the sums of its periods.
        frequency: ``monthly`` or ``annual``.

    Returns:
        ``<name>`` (the mean), ``<name>_min``, ``<name>_max`` ``[member, time, lat, lon]`` and ``hours`` ``[time]``,
        how many hours each mean is of.
    """
    blocks = [_block(periods, frequency) for periods in pieces]
    whole: xr.Dataset = xr.concat(blocks, dim="member", data_vars="minimal", join="exact", compat="equals")
    return whole.transpose("member", "time", "lat", "lon").assign_attrs(
        blocks[0].attrs | {"frequency": TABLES[frequency]}
    )


def _block(periods: Sequence[xr.Dataset], frequency: Frequency) -> xr.Dataset:
    ordered = sorted(periods, key=lambda ds: ds["time"].values[0])
    joined: xr.Dataset = xr.concat(ordered, dim="time", data_vars="minimal")
    clock = joined["time"].dt
    label = (clock.year * 12 + (clock.month - 1 if frequency == "monthly" else 0)).values
    parts = []
    for value in np.unique(label):
        part = joined.isel(time=np.flatnonzero(label == value))
        hours = part["hours"].sum("time")
        fields: dict[str, xr.DataArray] = {
            "hours": hours.assign_attrs(long_name="hours behind the mean", units="h")
        }
        for key in (str(k) for k in part.data_vars if str(k).endswith("_sum")):
            name = key.removesuffix("_sum")
            attrs = part[key].attrs
            mean = (part[key].sum("time", skipna=False) / hours).astype("float32")
            fields[name] = mean.assign_attrs(attrs | {"cell_methods": "time: mean (interval: 1 hour)"})
            for what, method in (("min", "minimum"), ("max", "maximum")):
                found = getattr(part[f"{name}_{what}"], what)("time", skipna=False)
                fields[f"{name}_{what}"] = found.assign_attrs(
                    attrs | {"cell_methods": f"time: {method} (interval: 1 hour)"}
                )
        stamp = _start(part["time"].values[0], year=frequency == "annual")
        parts.append(xr.Dataset(fields).assign_coords(time=stamp))
    whole: xr.Dataset = xr.concat(parts, dim="time", data_vars="all")
    return _timed(whole, joined["time"]).assign_attrs(joined.attrs)


def _timed(ds: xr.Dataset, time: xr.DataArray) -> xr.Dataset:
    """With the attributes of the time axis that the stamps came from."""
    return ds.assign_coords(time=ds["time"].assign_attrs(time.attrs))


def _start(stamp: object, *, year: bool = False) -> object:
    """The first instant of the month (or year) of a stamp."""
    if isinstance(stamp, np.datetime64):
        return stamp.astype("datetime64[Y]" if year else "datetime64[M]").astype("datetime64[ns]")
    moved = {"day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0}
    return stamp.replace(**moved, **({"month": 1} if year else {}))  # type: ignore[attr-defined]

"""One form for every source: our names and units, ascending axes, sound times; every change written into the history.

What is certain is mended and recorded; what is not certain is refused with one message. Nothing is loaded except axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from finescale.climate.calendar import Policy, convert
from finescale.climate.naming import rename
from finescale.climate.provenance import note
from finescale.climate.space import regular_axes
from finescale.climate.subset import Period, Region, crop_period, crop_region
from finescale.climate.table import reason
from finescale.climate.timeline import Gaps, interval_seconds, regular_time, stamp_at_end, with_interval_ends
from finescale.climate.units import conversion, is_amount
from finescale.climate.variables import VARIABLES
from finescale.climate.winds import Basis, to_earth
from finescale.errors import FinescaleError

_MEMBERS = ("member", "member_id", "realization", "ensemble", "number")
_PLACES = (
    "member",
    "time",
    "Time",
    "valid_time",
    "lat",
    "lon",
    "latitude",
    "longitude",
    "rlat",
    "rlon",
    "y",
    "x",
)
_KEPT_COORDS = ("time", "lat", "lon", "y", "x", "member")


def harmonise(
    ds: xr.Dataset,
    *,
    variables: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    period: Period | None = None,
    region: Region | tuple[float, float, float, float] | None = None,
    margin: int = 0,
    calendar: tuple[str, Policy] | None = None,
    gaps: Gaps = "refuse",
    accumulation_hours: float | None = None,
    winds: Basis | None = None,
) -> xr.Dataset:
    """Bring a data set into finescale's form, lazily.

    Args:
        ds: any CF data set, or one of the presets' sources.
        variables: our names of the wanted variables; None takes all that are known.
        names: spellings of this source, theirs to ours.
        period: first and last day, both included.
        region: (south, north, west, east) in degrees.
        margin: cells kept beyond the region.
        calendar: target calendar and policy of a conversion; None keeps the calendar.
        gaps: `allow` for seasonal series.
        accumulation_hours: hours over which amounts (mm, m of water, J m-2) were gathered, when bounds do not say; both
            must agree where both are known.
        winds: `grid` when wind components follow a rotated grid; None believes the standard names.

    Returns:
        float32 variables [(member,) time, lat, lon] or [(member,) time, y, x] with two-dimensional lat and lon.
    """
    ds = _unpacked(ds)
    intervals = interval_seconds(ds), None if accumulation_hours is None else accumulation_hours * 3600.0
    mapping = _grid_mapping(ds)
    chosen, done = rename(_lifted(with_interval_ends(ds)), variables, names)
    chosen = chosen.assign_coords({n: v for n, v in mapping.items() if n not in chosen})
    chosen, squeezed = _squeezed(_once(chosen))
    chosen, timed = regular_time(chosen, gaps)
    chosen, stamped = stamp_at_end(chosen)
    if period is not None:
        chosen = crop_period(chosen, period)
    chosen, placed = regular_axes(chosen)
    chosen, turned = to_earth(chosen, winds)
    if region is not None:
        chosen = crop_region(chosen, region, margin)
    done += [*squeezed, *timed, *stamped, *placed, *turned]
    result = _in_units(chosen, intervals, done)
    for line in done:
        result = note(result, line)
    result = convert(result, *calendar) if calendar is not None else result
    return result.assign_attrs(Conventions="CF-1.8")


def _unpacked(ds: xr.Dataset) -> xr.Dataset:
    """Decode packed integers and dates that the reader left as they were."""
    raw = any({"scale_factor", "add_offset", "_FillValue"} & set(v.attrs) for v in ds.variables.values())
    undecoded = any(" since " in str(v.attrs.get("units", "")) for v in ds.variables.values())
    if not (raw or undecoded):
        return ds
    try:
        return xr.decode_cf(ds, decode_timedelta=False)
    except ValueError as error:
        raise FinescaleError(
            f"a file's values can be decoded: {reason(error)}; mend its units, scale_factor or _FillValue"
        ) from error


def _lifted(ds: xr.Dataset) -> xr.Dataset:
    """Make coordinates of everything that is no field, so that choosing fields does not lose the grid."""
    helpers = [
        n for n, v in ds.data_vars.items()
        if v.ndim < 2 or str(n).lower().startswith(("xlat", "xlong", "lat", "lon", "nav_l")) or str(n) == "Times"
    ]  # fmt: skip
    return ds.set_coords(helpers)


def _grid_mapping(ds: xr.Dataset) -> dict[str, xr.DataArray]:
    return {str(n): ds[n].reset_coords(drop=True) for n in ds.variables if "grid_mapping_name" in ds[n].attrs}


def _once(ds: xr.Dataset) -> xr.Dataset:
    """Take static fields at the first time of files that repeat them at every time."""
    times = [d for d in ("time", "valid_time") if d in ds.dims]
    repeated = [n for n in map(str, ds.data_vars) if VARIABLES[n].static and times and times[0] in ds[n].dims]
    if not repeated:
        return ds
    fixed = ds.assign({n: ds[n].isel({times[0]: 0}, drop=True) for n in repeated})
    # An axis that nothing has any more would make the result a series without fields.
    lone = all(times[0] not in v.dims for v in fixed.data_vars.values())
    return fixed.drop_dims(times[0]) if lone else fixed


def _squeezed(ds: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Drop dimensions of one, name the ensemble `member`, refuse levels that nobody chose."""
    done: list[str] = []
    for name in _MEMBERS:
        if ds.sizes.get(name, 1) > 1 and name != "member":
            ds, done = ds.rename({name: "member"}), [*done, f"renamed {name} to member"]
    single = [d for d in ds.dims if ds.sizes[d] == 1 and d not in _PLACES]
    # A dimension of one that places the field (a single row of cells) stays.
    single = [
        d for d in single if ds.get(str(d)) is None or ds[str(d)].attrs.get("axis") not in ("X", "Y", "T")
    ]
    if single:
        ds = ds.isel(dict.fromkeys(single, 0))
        done.append(f"dropped the dimensions of one: {', '.join(map(str, single))}")
    return ds, done


def _gathered(intervals: tuple[float | None, float | None], name: str, units: str) -> float:
    """Return the seconds over which an amount was gathered, from those that the bounds and the caller tell."""
    known = {seconds for seconds in intervals if seconds}
    if not known:
        raise FinescaleError(
            f"an amount becomes a flux over a known interval: {name} is in {units!r} and has no time bounds; "
            "give accumulation_hours"
        )
    if len(known) > 1:
        said, given = (seconds / 3600 for seconds in intervals if seconds)
        raise FinescaleError(
            f"an amount is gathered over one interval: the time bounds of {name} are {said:g} h apart, "
            f"accumulation_hours is {given:g}; leave accumulation_hours out, or mend the bounds"
        )
    return known.pop()


def _in_units(ds: xr.Dataset, intervals: tuple[float | None, float | None], done: list[str]) -> xr.Dataset:
    """Convert every variable to its canonical units and give it its CF attributes."""
    fields = {}
    for name in map(str, ds.data_vars):
        variable, da = VARIABLES[name], ds[name]
        da = da.transpose("member", ...) if "member" in da.dims else da
        _check_dims(da)
        if "units" not in da.attrs:
            raise FinescaleError(
                f"a variable has units: {name} has none; give them in the file, for example {variable.units!r}"
            )
        units = str(da.attrs["units"])
        amount = not variable.static and is_amount(units, variable.units, name)
        gathered = _gathered(intervals, name, units) if amount else None
        how = conversion(units, variable.units, name, seconds=gathered)
        if not how.is_identity:
            da = da.astype("float64") * how.factor + how.offset
            done.append(f"converted {name} from {units} to {variable.units}")
        alone = len(ds.data_vars) == 1
        fields[name] = da.astype("float32", keep_attrs=False).assign_attrs(
            _attrs(ds[name], name, alone=alone)
        )
    kept = {str(n): c.variable for n, c in ds.coords.items() if n in _KEPT_COORDS}
    # The variable of a grid mapping carries attributes only; files give it any type, characters among them.
    kept |= {
        str(n): xr.Variable((), np.int32(0), c.attrs)
        for n, c in ds.coords.items()
        if "grid_mapping_name" in c.attrs
    }
    return xr.Dataset(fields, attrs=ds.attrs).reset_coords(drop=True).assign_coords(kept)


def _attrs(da: xr.DataArray, name: str, *, alone: bool) -> dict[str, str]:
    attrs = dict(VARIABLES[name].attrs)
    for key in ("cell_methods", "grid_mapping"):
        said = da.attrs.get(key) or da.encoding.get(key)
        if said and (key != "grid_mapping" or "y" in da.dims):
            attrs[key] = str(said)
    if "height" in da.attrs:
        attrs["height"] = str(da.attrs["height"])
    elif (
        alone
        and "height" in da.coords
        and da["height"].ndim == 0
        and np.isfinite(height := float(da["height"]))
    ):
        attrs["height"] = f"{height:g} m"
    return attrs


def _check_dims(da: xr.DataArray) -> None:
    extra = [d for d in da.dims if d not in ("member", "time", "lat", "lon", "y", "x")]
    if extra:
        raise FinescaleError(
            f"a field has one value a cell and time: {da.name} also has the dimension "
            f"{', '.join(f'{d} ({da.sizes[d]})' for d in extra)}; select one"
        )

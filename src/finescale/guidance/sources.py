"""From a product as people have it (fields on a grid, or series at stations) to a source of an observation.

Every product carries what is needed in its own metadata: units, the cell method of its times (`time: mean` for means
over the hours up to the stamp), and the attribute `standard_error` of each field, the standard deviation of its error
in its units; without it a field counts as exact. The attribute `error_lasting` is the share of its error variance that
lasts and reaches as weather does, from 0 (without it) to 1; the rest is independent from value to value.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.attributes import LASTING, STANDARD_ERROR
from finescale.fields.hours import absolute_hours
from finescale.fields.operator import AreaMean, Clock, Space, Stations
from finescale.fields.scaling import Scaling
from finescale.grid.clock import check_even
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.guidance.observation import Source


def gridded(ds: xr.Dataset, coarsening: Coarsening, scaling: Scaling, error_scale: float = 1.0) -> Source:
    """Area means ``[time, lat, lon]`` on the coarse grid of an operator, with its clock; NaN is unobserved."""
    space = AreaMean.of(coarsening, torch.float64)
    clock = Clock(coarsening.every, coarsening.how)
    return _source(ds, space, clock, scaling, error_scale, ("lat", "lon"))


def beside(
    ds: xr.Dataset,
    fine: Grid,
    units: Mapping[str, str],
    scaling: Scaling,
    like: xr.DataArray,
    error_scale: float = 1.0,
) -> Source:
    """A product beside the coarse one: another grid that nests in the fine one, or stations.

    Args:
        ds: some of the variables, ``[time, lat, lon]``, or ``[time, station]`` with `lat` and `lon` of each station.
        fine: the fine grid.
        units: of every variable of the method.
        scaling: physical units to the state's.
        like: times of the coarse product, whose calendar all share.
        error_scale: factor on the standard errors.
    """
    held = [name for name in scaling.variables if name in ds.data_vars]
    if not held:
        raise FinescaleError(
            f"a product beside the coarse one holds some of {', '.join(scaling.variables)}: found "
            f"{', '.join(map(str, ds.data_vars))}; leave it out"
        )
    for name in held:
        if ds[name].attrs.get("units") != units[name]:
            raise FinescaleError(
                f"{name} must be in {units[name]}: a product beside has {ds[name].attrs.get('units')!r}; convert it"
            )
    if ds.sizes.get("time", 0) < 2 or ds["time"].dt.calendar != like.dt.calendar:
        raise FinescaleError(
            f"a product beside has two times or more in the calendar {like.dt.calendar}: found "
            f"{ds.sizes.get('time', 0)}{f' in {ds.time.dt.calendar}' if ds.sizes.get('time') else ''}; mend it"
        )
    every, how = _step(ds["time"]), _cell_method(ds, held)
    if {"lat", "lon"} <= set(ds.dims):
        coarsening = Coarsening(fine, Grid.from_dataset(ds), every, how)
        return gridded(ds, coarsening, scaling, error_scale)
    place = [str(d) for d in ds[held[0]].dims if d != "time"]
    if len(place) != 1 or ds["lat"].dims != tuple(place) or ds["lon"].dims != tuple(place):
        raise FinescaleError(
            f"a product lies on lat, lon or at stations with a lat and a lon each: {held[0]} has the dims "
            f"{', '.join(map(str, ds[held[0]].dims))}; name the places by one dimension"
        )
    space = Stations.at(fine, ds["lat"].values.tolist(), ds["lon"].values.tolist())
    return _source(ds, space, Clock(every, how), scaling, error_scale, (place[0],))


def on_clock(time: xr.DataArray, every: int) -> NDArray[np.int64]:
    """Absolute hours of times that follow each other on the clock; others are refused."""
    if not time.size:
        raise FinescaleError("coarse data hold one time or more: the period is empty; widen it")
    hours = absolute_hours(time)
    off = hours % every != 0
    if off.any():
        raise FinescaleError(
            f"coarse times lie on the clock, every {every} h from 00 UTC: {time.values[off][0]} does not; "
            "shift the times or change coarse.every"
        )
    check_even(time, every)
    return hours


def _source(
    ds: xr.Dataset, space: Space, clock: Clock, scaling: Scaling, factor: float, place: Sequence[str]
) -> Source:
    hours = on_clock(ds["time"], clock.every)
    channels = tuple(c for c, name in enumerate(scaling.variables) if name in ds.data_vars)
    y, stds, shares = [], [], []
    for c in channels:
        field = ds[scaling.variables[c]]
        values = field.transpose("time", *place).to_numpy().reshape(len(hours), -1)
        y.append((values - scaling.centre[c]) / scaling.scale[c])
        error = float(field.attrs.get(STANDARD_ERROR, 0.0))
        if not 0 <= error < np.inf:
            raise FinescaleError(
                f"a standard error is a number from zero: {field.name} carries {error}; mend {STANDARD_ERROR}"
            )
        share = float(field.attrs.get(LASTING, 0.0))
        if not 0 <= share <= 1:
            raise FinescaleError(
                f"a share lies between 0 and 1: {field.name} carries {share}; mend {LASTING}"
            )
        stds.append(factor * error / scaling.scale[c])
        shares.append(share)
    values32: Tensor = torch.from_numpy(np.stack(y, axis=1).astype(np.float32))
    variance, lasts = torch.tensor(stds).square(), torch.tensor(shares)
    lasting = lasts * variance if bool((lasts * variance).any()) else None
    return Source(space, clock, channels, int(hours[0]), values32, (1 - lasts) * variance, lasting)


def _step(time: xr.DataArray) -> int:
    """Hours between two times."""
    hours = absolute_hours(time)
    return int(hours[1] - hours[0])


def _cell_method(ds: xr.Dataset, names: Sequence[str]) -> Literal["instant", "mean"]:
    """Whether values are means over the hours up to their stamps; one answer for the whole product."""
    found = {"time: mean" in str(ds[name].attrs.get("cell_methods", "")) for name in names}
    if len(found) > 1:
        raise FinescaleError(
            f"the variables of one product have one cell method: {', '.join(names)} mix instants and means; split it"
        )
    return "mean" if found == {True} else "instant"

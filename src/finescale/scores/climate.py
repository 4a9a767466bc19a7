"""A free-running climate against a climate: no hour has a truth, but means, tails, cycles and spells have.

For output of a climate model without a paired truth, the reference is any period of the fine truth; the two may
have different calendars, years and lengths.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.scores import checks, cycles, extremes, returns, season, spectrum
from finescale.scores.change import Change
from finescale.scores.hourly import blocks
from finescale.scores.regions import regions
from finescale.scores.table import COLUMNS

NONE = float("nan")
RETURN_YEARS = 10
Row = tuple[str, str, float, float, float]  # region, metric, value, low, high


def score_climate(
    ensemble: xr.Dataset,
    reference: xr.Dataset,
    *,
    method: str,
    case: str,
    static: xr.Dataset | None,
    coarsening: Coarsening,
    paired: bool = False,
    change: Change | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Score the climate of an ensemble: no row needs the same hours on both sides.

    The reference is counted so that it has the days of the year of the ensemble (`season.alike`): a difference of
    seasons is no error.

    Rows are `bias`, `p99_mae`, `p99_rmse`, `p99_bias`, `melr`, `diurnal_rmse` (these not where the hours are paired
    and have scores of their own), `annual_rmse` (of a year or more) and `return_level_10y` with the interval of
    resampled years (of five or more); of temperature also `hot_spell_days` and `cold_spell_days` (difference of the
    share of days); and the change of the area mean, `change_error` and `change_kept`. What a series is too short
    for is NaN.

    Args:
        ensemble: Fields [member, time, lat, lon]; one member may come without the dimension.
        reference: Fields [time, lat, lon] of the truth in any period.
        method: Name of the method, copied into the table.
        case: Name of the case, copied into the table.
        static: As in `scorecard.score`.
        coarsening: The operator H, for the grid.
        paired: Whether the reference has the hours of the ensemble.
        change: Where the change starts and what the input makes of it; without it there are no rows of change.
        seed: Seed of the resampled years.
    """
    x = ensemble if "member" in ensemble.dims else ensemble.expand_dims("member")
    names = sorted(str(n) for n in x.data_vars if n in reference and "time" in x[n].dims)
    if not names:
        raise FinescaleError(
            f"two climates need a variable in common: {sorted(map(str, x.data_vars))} and "
            f"{sorted(map(str, reference.data_vars))}; choose a reference with the same variables"
        )
    if not Grid.from_dataset(x).matches(Grid.from_dataset(reference)):
        raise FinescaleError(
            "two climates lie on one grid: ensemble and reference do not; regrid one of them"
        )
    # Equal cells may be written with other last digits, by which xarray would tell them apart.
    reference = reference.assign_coords({n: x[n] for n in ("lat", "lon")})
    x, reference, counts = _same_seasons(x, reference)
    areas = regions(coarsening.fine, static)
    rows = []
    for name in names:
        if x[name].attrs.get("units") != reference[name].attrs.get("units"):
            raise FinescaleError(
                f"ensemble and reference have one unit: {name} in {x[name].attrs.get('units')} and in "
                f"{reference[name].attrs.get('units')}; harmonise both"
            )
        members = x[name].transpose("member", "time", "lat", "lon")
        truth = reference[name].transpose("time", "lat", "lon")
        if not paired:
            rows += [(name, *row) for row in _free(members, truth, counts, coarsening, areas)]
        rows += [(name, *row) for row in _long(members, truth, areas["all"], seed)]
        if change is not None:
            rows += [(name, "all", *row) for row in change.rows(members, areas["all"])]
    table = pd.DataFrame(
        [(method, case, name, region, "all", metric, *values) for name, region, metric, *values in rows],
        columns=COLUMNS,
    )
    return table


def _same_seasons(x: xr.Dataset, o: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset, NDArray[np.int64]]:
    """Keep the times of the seasons in common, and count those of the reference [time] as the ensemble has them."""
    counts, common = season.alike(o["time"], x["time"])
    if not common.any():
        spans = [f"{str(t[0])[:10]} to {str(t[-1])[:10]}" for t in (ds["time"].to_numpy() for ds in (x, o))]
        raise FinescaleError(
            f"two climates need a month of the year in common: {' and '.join(spans)}; choose a reference with it"
        )
    return (
        x if common.all() else x.isel(time=common),
        o if counts.all() else o.isel(time=counts > 0),
        counts[counts > 0],
    )


def _free(
    x: xr.DataArray,
    o: xr.DataArray,
    counts: NDArray[np.int64],
    coarsening: Coarsening,
    areas: dict[str, NDArray[np.float64]],
) -> Iterator[Row]:
    """Give the rows of mean maps, tails, spectra and days, which paired hours have intervals for elsewhere."""
    radial = spectrum.Radial.of(coarsening.fine)
    once = np.ones(x.sizes["time"], dtype=np.int64)
    members = [x.isel(member=m) for m in range(x.sizes["member"])]
    ours = [_averages(member, once, radial, "ensemble") for member in members]
    mean, true_power = _averages(o, counts, radial, "reference")
    error = np.mean([map_ for map_, _ in ours], axis=0) - mean
    tail = np.mean([_percentile(member, once) for member in members], axis=0) - _percentile(o, counts)
    for region, weights in areas.items():
        yield region, "bias", float((error * weights).sum()), NONE, NONE
        found = extremes.percentile_errors(tail.ravel()[None], weights.ravel()[None])
        for metric, value in found.items():
            yield region, metric, float(value[0, 0]), NONE, NONE
    powers = {"power": np.mean([power for _, power in ours], axis=0)[None], "true_power": true_power[None]}
    yield "all", "melr", float(spectrum.melr(powers, radial.wavelength)[0]), NONE, NONE
    yield "all", "diurnal_rmse", cycles.cycle_error(x, o, areas["all"], counts=counts), NONE, NONE


def _long(x: xr.DataArray, o: xr.DataArray, area: NDArray[np.float64], seed: int) -> Iterator[Row]:
    """Give the rows that need days, a year, or several."""
    whole = all(np.unique(f["time"].dt.month).size == 12 for f in (x, o))
    yield "all", "annual_rmse", cycles.cycle_error(x, o, area, "month") if whole else NONE, NONE, NONE
    if str(o.name) == "tas":
        yield from _spells(x, o, area)
    years = [_yearly_maxima(f) for f in (x, o)]
    found = (NONE, NONE, NONE)
    if min(len(y) for y in years) >= returns.MIN_YEARS:
        levels = [returns.resampled_levels(y, RETURN_YEARS, seed=seed) for y in years]
        error = ((levels[0] - levels[1]) * area).sum(axis=(-2, -1)).reshape(len(levels[0]), -1).mean(axis=1)
        low, high = np.quantile(error[1:], [0.025, 0.975])
        found = (float(error[0]), float(low), float(high))
    yield "all", f"return_level_{RETURN_YEARS}y", *found


def _spells(x: xr.DataArray, o: xr.DataArray, area: NDArray[np.float64]) -> Iterator[Row]:
    """Share of days in spells beyond the reference's own 90th and 10th percentiles, ensemble less reference."""
    daily, truly = cycles.daily_mean(x), cycles.daily_mean(o)
    counts, _ = season.alike(truly["day"], daily["day"])
    follow, true_follow = cycles.follows(daily["day"]), cycles.follows(truly["day"])
    ours = daily.transpose("member", "day", "lat", "lon").to_numpy()
    true = truly.transpose("day", "lat", "lon").to_numpy()
    for metric, sign in (("hot_spell_days", 1.0), ("cold_spell_days", -1.0)):
        flat = sign * true.reshape(len(true), -1)
        every = np.ones((1, len(true)), dtype=bool)
        limit = extremes.resampled_percentile(flat, every, np.arange(len(true)), counts[None], q=0.9)
        limit = limit.reshape(area.shape)
        shares = [cycles.in_spells(sign * days, limit, follows=follow).mean(axis=0) for days in ours]
        theirs = cycles.in_spells(sign * true, limit, follows=true_follow)
        share = np.mean(shares, axis=0) - np.average(theirs, axis=0, weights=counts)
        yield "all", metric, float((share * area).sum()), NONE, NONE


def _yearly_maxima(field: xr.DataArray) -> NDArray[np.float64]:
    """Maxima [years, ...] of the years that are whole to within a month."""
    groups = field.groupby("time.year")
    whole = [y for y, at in groups.groups.items() if len(np.unique(field["time"][at].dt.month)) == 12]
    if not whole:
        return np.empty((0,))
    return np.asarray(groups.max("time").sel(year=whole).transpose("year", ...).to_numpy(), dtype=np.float64)


def _percentile(series: xr.DataArray, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the 99th percentile [lat, lon] of a series whose times count so often [time]."""
    every = np.ones((1, counts.size), dtype=bool)
    found = extremes.map_percentile(series, every, np.arange(counts.size), counts[None])
    return np.asarray(found.reshape(series.shape[1:]))


def _averages(
    series: xr.DataArray, counts: NDArray[np.int64], radial: spectrum.Radial, label: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the mean map [lat, lon] and the mean power [K] of a series whose times count so often [time]."""
    total, power = np.zeros(series.shape[1:]), np.zeros(radial.wavelength.size)
    for block in blocks(series.expand_dims("member")):
        values = checks.whole(series.isel(time=block).to_numpy(), str(series.name), label)
        total += np.tensordot(counts[block].astype(np.float64), values, 1)
        power += counts[block] @ radial.power(values)
    return total / counts.sum(), power / counts.sum()

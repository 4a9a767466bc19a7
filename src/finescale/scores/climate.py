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
from finescale.scores import cycles, extremes, returns, spectrum
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
            rows += [(name, *row) for row in _maps(members, truth, areas)]
            rows += [(name, *row) for row in _means(members, truth, coarsening, areas["all"])]
        rows += [(name, *row) for row in _long(members, truth, areas["all"], seed)]
        if change is not None:
            rows += [(name, "all", *row) for row in change.rows(members, areas["all"])]
    table = pd.DataFrame(
        [(method, case, name, region, "all", metric, *values) for name, region, metric, *values in rows],
        columns=COLUMNS,
    )
    return table


def _maps(x: xr.DataArray, o: xr.DataArray, areas: dict[str, NDArray[np.float64]]) -> Iterator[Row]:
    """Give the rows that compare maps."""
    mean = (x.mean(("member", "time"), dtype=np.float64) - o.mean("time", dtype=np.float64)).to_numpy()
    tail = np.mean([_percentile(x.isel(member=m)) for m in range(x.sizes["member"])], axis=0) - _percentile(o)
    for region, weights in areas.items():
        yield region, "bias", float((mean * weights).sum()), NONE, NONE
        found = extremes.percentile_errors(tail.ravel()[None], weights.ravel()[None])
        for metric, value in found.items():
            yield region, metric, float(value[0, 0]), NONE, NONE


def _means(
    x: xr.DataArray, o: xr.DataArray, coarsening: Coarsening, area: NDArray[np.float64]
) -> Iterator[Row]:
    """Give the rows of mean spectra and mean days of the whole domain."""
    radial = spectrum.Radial.of(coarsening.fine)
    members = [_power(x.isel(member=m), radial) for m in range(x.sizes["member"])]
    powers = {"power": np.mean(members, axis=0)[None], "true_power": _power(o, radial)[None]}
    yield "all", "melr", float(spectrum.melr(powers, radial.wavelength)[0]), NONE, NONE
    yield "all", "diurnal_rmse", cycles.cycle_error(x, o, area), NONE, NONE


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
    true = cycles.daily_mean(o).to_numpy()
    ours = [
        cycles.daily_mean(x.isel(member=m)).transpose("day", "lat", "lon").to_numpy()
        for m in range(x.sizes["member"])
    ]
    for metric, sign in (("hot_spell_days", 1.0), ("cold_spell_days", -1.0)):
        limit = np.quantile(sign * true, 0.9, axis=0)
        shares = [cycles.spells(sign * days, limit) / len(days) for days in (true, *ours)]
        yield "all", metric, float(((np.mean(shares[1:], axis=0) - shares[0]) * area).sum()), NONE, NONE


def _yearly_maxima(field: xr.DataArray) -> NDArray[np.float64]:
    """Maxima [years, ...] of the years that are whole to within a month."""
    groups = field.groupby("time.year")
    whole = [y for y, at in groups.groups.items() if len(np.unique(field["time"][at].dt.month)) == 12]
    if not whole:
        return np.empty((0,))
    return np.asarray(groups.max("time").sel(year=whole).transpose("year", ...).to_numpy(), dtype=np.float64)


def _percentile(series: xr.DataArray) -> NDArray[np.float64]:
    hours = np.ones(series.sizes["time"], dtype=bool)
    one_day = np.zeros(hours.size, dtype=np.int64)
    found = extremes.map_percentile(series, hours, one_day, np.ones((1, 1), dtype=np.int64))
    return np.asarray(found[0].reshape(series.shape[1:]))


def _power(series: xr.DataArray, radial: spectrum.Radial) -> NDArray[np.float64]:
    total = np.zeros(radial.wavelength.size)
    for block in blocks(series.expand_dims("member")):
        total += radial.power(series.isel(time=block).to_numpy()).sum(axis=0)
    return np.asarray(total / series.sizes["time"])

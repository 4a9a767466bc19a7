"""The scorecard: an ensemble and a truth in, one long table of scores with intervals out."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from finescale.grid.coarsening import Coarsening
from finescale.scores import accuracy, checks, consistency, extremes, spectrum
from finescale.scores import ensemble as members_scores
from finescale.scores.bootstrap import DayBootstrap, Formula, Means
from finescale.scores.hours import CLASSES, Hours
from finescale.scores.regions import regions
from finescale.scores.table import COLUMNS

BLOCK_BYTES = 128 * 2**20
FORMULAS: dict[str, Formula] = {
    "mae": accuracy.mae,
    "rmse": accuracy.rmse,
    "bias": accuracy.bias,
    "crps": members_scores.crps,
    "spread_skill": members_scores.spread_skill,
    "pit_reliability": members_scores.pit_reliability,
}

Row = tuple[str, str, str, float, float, float]  # region, hours, metric, value, low, high


def score(
    ensemble: xr.Dataset,
    truth: xr.Dataset,
    *,
    method: str,
    case: str,
    static: xr.Dataset | None,
    coarsening: Coarsening,
    coarse: xr.Dataset | None = None,
    seed: int = 0,
    resamples: int = 200,
    threads: int | None = None,
) -> pd.DataFrame:
    """Score an ensemble against the truth of the same hours, reading it block by block.

    A score that cannot be had (the spread of one member) is a row whose value is NaN;
    `finescale.scores.table.unavailable` says why. Low and high bound the 95 % interval of resampled days.

    Args:
        ensemble: Fields [member, time, lat, lon]; one member counts as a deterministic forecast.
        truth: Fields [time, lat, lon] of the same hours, grid and units.
        method: Name of the method, copied into the table.
        case: Name of the case, copied into the table.
        static: `orog` and `sftlf` on the fine grid, for the coast and the mountains.
        coarsening: The operator H; its clock tells observed hours from those between.
        coarse: The data that the method was conditioned on; without them there is no `coarse_misfit`.
        seed: Seed of the resampling and of broken ties.
        resamples: How many times the days are drawn.
        threads: Threads used; all of the machine when not given.
    """
    x, o, names = checks.paired(ensemble, truth, coarsening.fine)
    hours = Hours.of(o["time"], coarsening.every)
    bootstrap = DayBootstrap.draw(hours.day, resamples=resamples, seed=seed)
    weights = regions(coarsening.fine, static)
    workers = threads or len(os.sched_getaffinity(0))
    rows: list[tuple[str, Row]] = []
    for name in names:
        statistics = _hourly(x[name], o[name], coarsening, weights, seed=seed, threads=workers)
        found = [*_means_rows(statistics, hours, bootstrap, list(weights), x.sizes["member"], coarsening)]
        found += _percentile_rows(x[name], o[name], hours, bootstrap, weights, workers)
        if coarse is not None:
            found += _misfit_rows(x, coarse, coarsening, name, resamples, seed)
        rows += [(name, row) for row in found]
    return pd.DataFrame([(method, case, name, *row) for name, row in rows], columns=COLUMNS)


def _blocks(x: xr.DataArray) -> Iterator[slice]:
    """Cut the hours so that a block of all members fits."""
    hour = 8 * x.sizes["lat"] * x.sizes["lon"] * x.sizes["member"]
    step = max(1, min(x.sizes["time"], BLOCK_BYTES // hour))
    for start in range(0, x.sizes["time"], step):
        yield slice(start, start + step)


def _hourly(
    x: xr.DataArray,
    o: xr.DataArray,
    coarsening: Coarsening,
    weights: dict[str, NDArray[np.float64]],
    *,
    seed: int,
    threads: int,
) -> Means:
    """Reduce every hour of one variable to its statistics [T, ...]."""
    radial = spectrum.Radial.of(coarsening.fine)
    stacked = np.stack(list(weights.values()))
    parts: list[Means] = []
    for block in _blocks(x):
        values = checks.whole(x.isel(time=block).to_numpy(), str(x.name), "ensemble")
        truth = checks.whole(o.isel(time=block).to_numpy(), str(x.name), "truth")
        found = members_scores.hourly_statistics(
            values, truth, stacked, seed=seed, variable=str(x.name), first_hour=block.start, threads=threads
        )
        parts.append(found | spectrum.hourly_power(values, truth, radial))
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _means_rows(
    statistics: Means,
    hours: Hours,
    bootstrap: DayBootstrap,
    names: list[str],
    members: int,
    coarsening: Coarsening,
) -> Iterator[Row]:
    """Give the rows of all scores that are formulas of hourly means."""
    wavelength = spectrum.Radial.of(coarsening.fine).wavelength
    for kind in CLASSES:
        mask = hours.mask(kind)
        if not mask.any():
            continue
        means = bootstrap.means(statistics, mask)
        for r, region in enumerate(names):
            here = {key: value[:, r] for key, value in means.items() if not key.endswith("power")}
            for metric, formula in FORMULAS.items():
                yield (region, kind, metric, *bootstrap.interval(formula(here, members)))
        yield ("all", kind, "melr", *bootstrap.interval(spectrum.melr(means, wavelength)))
        for metric, band in spectrum.BANDS_KM.items():
            values = spectrum.melr(means, wavelength, band)
            if not np.isnan(values).all():
                yield ("all", kind, metric, *bootstrap.interval(values))


def _percentile_rows(
    x: xr.DataArray,
    o: xr.DataArray,
    hours: Hours,
    bootstrap: DayBootstrap,
    weights: dict[str, NDArray[np.float64]],
    threads: int,
) -> Iterator[Row]:
    """Give the rows of the 99th percentile: one percentile a member, averaged over members."""
    stacked = np.stack([w.ravel() for w in weights.values()])
    for kind in CLASSES:
        mask = hours.mask(kind)
        if not mask.any():
            continue
        # A resampling that drew no day with such hours cannot have a percentile.
        whole = (bootstrap.weights[:, hours.day[mask]].sum(axis=1) > 0).nonzero()[0]
        drawn = bootstrap.weights[whole]

        def percentile(
            series: xr.DataArray, keep: NDArray[np.bool_] = mask, drawn: NDArray[np.int64] = drawn
        ) -> NDArray[np.float64]:
            columns = []
            rows = max(1, BLOCK_BYTES // (24 * series.sizes["time"] * series.sizes["lon"]))
            for a in range(0, series.sizes["lat"], rows):
                values = series.isel(lat=slice(a, a + rows)).to_numpy()[keep]
                flat = values.reshape(len(values), -1)
                columns.append(extremes.resampled_percentile(flat, hours.day[keep], drawn, threads=threads))
            return np.concatenate(columns, axis=1)

        difference = -percentile(o)
        for m in range(x.sizes["member"]):
            difference += percentile(x.isel(member=m)) / x.sizes["member"]
        for metric, values in extremes.percentile_errors(difference, stacked).items():
            for r, region in enumerate(weights):
                yield (region, kind, metric, *bootstrap.interval(values[:, r]))


def _misfit_rows(
    x: xr.Dataset, coarse: xr.Dataset, coarsening: Coarsening, name: str, resamples: int, seed: int
) -> Iterator[Row]:
    """Give the row of the coarse misfit."""
    squared, scale, stamps = consistency.coarse_misfit(x, coarse, coarsening, name)
    bootstrap = DayBootstrap.draw(Hours.of(stamps, coarsening.every).day, resamples=resamples, seed=seed)
    means = bootstrap.means({"squared": squared}, np.ones(squared.size, dtype=bool))
    if scale > 0:
        yield ("all", "observed", "coarse_misfit", *bootstrap.interval(np.sqrt(means["squared"]) / scale))

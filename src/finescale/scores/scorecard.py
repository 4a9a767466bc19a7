"""The scorecard: an ensemble and a truth in, one long table of scores with intervals out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from finescale.fields.cores import cores
from finescale.grid.coarsening import Coarsening
from finescale.scores import checks, consistency, extremes, hourly, spectrum, structure
from finescale.scores.bootstrap import DayBootstrap, Means
from finescale.scores.hours import CLASSES, Hours
from finescale.scores.metrics import JOINT, REGIONAL, WHOLE
from finescale.scores.regions import regions
from finescale.scores.structure import Row
from finescale.scores.table import COLUMNS


def score(
    ensemble: xr.Dataset,
    truth: xr.Dataset,
    *,
    method: str,
    case: str,
    static: xr.Dataset | None,
    coarsening: Coarsening,
    coarse: xr.Dataset | None = None,
    errors: Mapping[str, float] = MappingProxyType({}),
    seed: int = 0,
    resamples: int = 200,
    threads: int | None = None,
) -> pd.DataFrame:
    """Score an ensemble against the truth of the same hours, reading it block by block.

    A score that cannot be had (the spread of one member) is a row whose value is NaN;
    `finescale.scores.table.unavailable` says why. Low and high bound the 95 % interval of resampled days.
    The variable `all` stands for the joint scores of all variables.

    Args:
        ensemble: Fields [member, time, lat, lon]; one member counts as a deterministic forecast.
        truth: Fields [time, lat, lon] of the same hours, grid and units.
        method: Name of the method, copied into the table.
        case: Name of the case, copied into the table.
        static: `orog` and `sftlf` on the fine grid, for the coast and the mountains.
        coarsening: The operator H; its clock tells observed hours from those between.
        coarse: The data that the method was conditioned on; without them there is no `coarse_misfit`.
        errors: Standard errors of the coarse data by variable, in its units; none of those that count as exact.
        seed: Seed of the resampling and of broken ties.
        resamples: How many times the days are drawn.
        threads: Threads used; all of the machine when not given.
    """
    x, o, names = checks.paired(ensemble, truth, coarsening.fine)
    hours = Hours.of(o["time"], coarsening.every)
    bootstrap = DayBootstrap.draw(hours.day, resamples=resamples, seed=seed)
    weights = regions(coarsening.fine, static)
    stacked = np.stack(list(weights.values()))
    workers = threads or cores()
    each = max(1, workers // len(names))

    def one(name: str) -> tuple[hourly.Hourly, list[Row]]:
        part = hourly.reduce(x[name], o[name], coarsening, stacked, seed=seed, threads=each)
        found = [*_mean_rows(part, hours, bootstrap, list(weights), x.sizes["member"], coarsening)]
        found += structure.variable_rows(part, x[name], o[name], hours, bootstrap)
        found += _percentile_rows(x[name], o[name], hours, bootstrap, weights, each)
        if coarse is not None:
            found += _misfit_rows(x, coarse, coarsening, name, errors.get(name, 0.0), resamples, seed)
        return part, found

    winds = truth[[n for n in ("uas", "vas") if n in truth]]
    # Variables side by side: more of the work is then parallel than by threads within each step of it.
    with ThreadPoolExecutor(min(workers, len(names))) as pool:
        tasks = pool.map(one, names)
        physical = pool.submit(structure.physical, x, o, coarsening, winds)
        done = list(tasks)
    parts = [part for part, _ in done]
    rows = [(name, row) for name, (_, found) in zip(names, done, strict=True) for row in found]
    if len(parts) > 1:
        rows += [("all", row) for row in _joint_rows(parts, hours, bootstrap, seed)]
    rows += [("all", row) for row in structure.joint_rows(parts, x, o, hours, bootstrap, physical.result())]
    return pd.DataFrame([(method, case, name, *row) for name, row in rows], columns=COLUMNS)


def _mean_rows(
    part: hourly.Hourly,
    hours: Hours,
    bootstrap: DayBootstrap,
    names: list[str],
    members: int,
    coarsening: Coarsening,
) -> Iterator[Row]:
    """Give the rows of all scores that are formulas of hourly means."""
    wavelength = spectrum.Radial.of(coarsening.fine).wavelength
    for kind, mask in _classes(hours):
        means = bootstrap.means(part.regional, mask)
        for r, region in enumerate(names):
            here = {key: value[:, r] for key, value in means.items()}
            for metric, formula in REGIONAL.items():
                yield (region, kind, metric, *bootstrap.interval(formula(here, members)))
        whole = bootstrap.means(part.whole, mask)
        for metric, formula in WHOLE.items():
            yield ("all", kind, metric, *bootstrap.interval(formula(whole, members)))
        yield ("all", kind, "melr", *bootstrap.interval(spectrum.melr(whole, wavelength)))
        for metric, band in spectrum.BANDS_KM.items():
            values = spectrum.melr(whole, wavelength, band)
            if not np.isnan(values).all():
                yield ("all", kind, metric, *bootstrap.interval(values))


def _joint_rows(
    parts: list[hourly.Hourly], hours: Hours, bootstrap: DayBootstrap, seed: int
) -> Iterator[Row]:
    """Give the rows of all variables taken as one vector."""
    statistics: Means = hourly.joint(parts, seed)
    members = parts[0].average.shape[1] - 1
    for kind, mask in _classes(hours):
        means = bootstrap.means(statistics, mask)
        for metric in JOINT:
            yield ("all", kind, metric, *bootstrap.interval(WHOLE[metric](means, members)))


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
    kinds, masks = zip(*_classes(hours), strict=True)

    def tail(series: xr.DataArray) -> NDArray[np.float64]:
        return extremes.map_percentile(series, np.stack(masks), hours.day, bootstrap.weights, threads=threads)

    difference = -tail(o)
    for m in range(x.sizes["member"]):
        difference += tail(x.isel(member=m)) / x.sizes["member"]
    for kind, found in zip(kinds, difference, strict=True):
        for metric, values in extremes.percentile_errors(found, stacked).items():
            for r, region in enumerate(weights):
                yield (region, kind, metric, *bootstrap.interval(values[:, r]))


def _misfit_rows(
    x: xr.Dataset,
    coarse: xr.Dataset,
    coarsening: Coarsening,
    name: str,
    error: float,
    resamples: int,
    seed: int,
) -> Iterator[Row]:
    """Give the rows of the coarse misfit, beside the standard error too, and of the conservation of the area mean."""
    squared, scale, stamps = consistency.coarse_misfit(x, coarse, coarsening, name)
    bootstrap = DayBootstrap.draw(Hours.of(stamps, coarsening.every).day, resamples=resamples, seed=seed)
    means = bootstrap.means(squared, np.ones(stamps.size, dtype=bool))
    for metric, key in (("coarse_misfit", "misfit"), ("conservation", "conservation")):
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.sqrt(means[key]) / scale if scale > 0 else np.full(len(means[key]), np.nan)
        yield ("all", "observed", metric, *bootstrap.interval(values))
    if error > 0:
        beside = np.sqrt(means["misfit"]) / error
        yield ("all", "observed", "misfit_over_error", *bootstrap.interval(beside))


def _classes(hours: Hours) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Give the classes of hours that the series has."""
    for kind in CLASSES:
        mask = hours.mask(kind)
        if mask.any():
            yield kind, mask

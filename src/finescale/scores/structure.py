"""Rows of the scorecard about structure: time, clouds of fields, physics between variables, and the storm."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.scores import cycles, distance, metrics, physics, series, spectrum, storms, waves
from finescale.scores.bootstrap import DayBootstrap, Means
from finescale.scores.hourly import Hourly, blocks
from finescale.scores.hours import Hours

Row = tuple[str, str, str, float, float, float]  # region, hours, metric, value, low, high
PHYSICS_MEMBERS = 4  # ratios of variances over millions of cells need no more
SSIM_MEMBERS = 4
WAVE_MEMBERS = 2
PAIRS = (("uas", "vas"), ("psl", "uas"), ("psl", "vas"))
NONE = float("nan")


def variable_rows(
    part: Hourly, x: xr.DataArray, o: xr.DataArray, hours: Hours, bootstrap: DayBootstrap
) -> Iterator[Row]:
    """Give the rows of one variable.

    Args:
        part: What the pass left of it.
        x: Members [member, time, lat, lon].
        o: Truth [time, lat, lon].
        hours: The clock.
        bootstrap: The resampled days.
    """
    everything = hours.mask("all")
    yield ("all", "all", "temporal_melr", *bootstrap.interval(series.temporal_melr(*part.points, bootstrap)))
    products = {
        "lagged": series.lagged_products(part.points[0]),
        "true_lagged": series.lagged_products(part.points[1]),
    }
    means = bootstrap.means(products, everything)
    yield ("all", "all", "autocorrelation_error", *bootstrap.interval(series.autocorrelation_error(means, 0)))
    observed, between = (hours.mask(kind) for kind in ("observed", "between"))
    if observed.any() and between.any():
        yield (
            "all",
            "all",
            "seam_time",
            *bootstrap.interval(_seam_time(part.whole, observed, between, bootstrap)),
        )
    for kind, mask in (("observed", observed), ("all", everything)):
        if mask.any():
            cloud = distance.sliced_wasserstein(part.clouds[0][:, mask], part.clouds[1][mask])
            yield ("all", kind, "sliced_wasserstein", cloud, NONE, NONE)
    if observed.any():
        yield ("all", "observed", "ssim", *bootstrap.interval(_ssim(x, o, observed, bootstrap)))
    yield ("all", "all", "spacetime_melr", *bootstrap.interval(_spacetime(x, o, bootstrap)))
    error = cycles.cycle_error(x, o, Grid.from_dataset(o).area)
    yield ("all", "all", "diurnal_rmse", error, NONE, NONE)


def joint_rows(
    parts: list[Hourly],
    x: xr.Dataset,
    o: xr.Dataset,
    hours: Hours,
    bootstrap: DayBootstrap,
    statistics: Means,
) -> Iterator[Row]:
    """Give the rows that are about several variables at once.

    Args:
        parts: What the pass left of every variable.
        x: Members [member, time, lat, lon].
        o: Truth [time, lat, lon].
        hours: The clock.
        bootstrap: The resampled days.
        statistics: What `physical` found.
    """
    everything = hours.mask("all")
    grid = Grid.from_dataset(o)
    if len(parts) > 1:
        products = {
            "products": series.variable_products([p.points[0] for p in parts]),
            "true_products": series.variable_products([p.points[1] for p in parts]),
        }
        means = bootstrap.means(products, everything)
        yield ("all", "all", "correlation_error", *bootstrap.interval(series.correlation_error(means, 0)))
    observed = hours.mask("observed")
    pairs = [(a, b) for a, b in PAIRS if a in o and b in o]
    if pairs and observed.any():
        yield (
            "all",
            "observed",
            "coherence_error",
            *bootstrap.interval(_coherence(x, o, pairs, observed, bootstrap)),
        )
    if statistics:
        means = bootstrap.means(statistics, everything)
        for metric, formula in metrics.PHYSICS.items():
            if metric.removesuffix("_ratio") in statistics:
                yield ("all", "all", metric, *bootstrap.interval(formula(means, 0)))
    if "psl" in o:
        for metric, value in _storm_errors(x, o, grid).items():
            yield ("all", "all", metric, value, NONE, NONE)


def _seam_time(
    whole: Means, observed: NDArray[np.bool_], between: NDArray[np.bool_], bootstrap: DayBootstrap
) -> NDArray[np.float64]:
    """Steps into observed hours over steps into the others, against the same of the truth; 1 is right."""
    steps = {key: whole[key] for key in ("increment", "true_increment")}
    into, others = bootstrap.means(steps, observed), bootstrap.means(steps, between)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = into["increment"] / others["increment"]
        return np.asarray(np.sqrt(own / (into["true_increment"] / others["true_increment"])))


def _ssim(
    x: xr.DataArray, o: xr.DataArray, observed: NDArray[np.bool_], bootstrap: DayBootstrap
) -> NDArray[np.float64]:
    """Mean similarity of the first members at the observed hours."""
    values = np.zeros(observed.size)
    chosen = np.flatnonzero(observed)
    few = x.isel(member=slice(0, SSIM_MEMBERS))
    for a in range(0, chosen.size, 64):
        at = chosen[a : a + 64]
        members, truth = few.isel(time=at).to_numpy(), o.isel(time=at).to_numpy()
        values[at] = np.mean([distance.ssim(member, truth) for member in members], axis=0)
    return bootstrap.means({"ssim": values}, observed)["ssim"]


def _spacetime(x: xr.DataArray, o: xr.DataArray, bootstrap: DayBootstrap) -> NDArray[np.float64]:
    """Distance of the space-time spectra of the first members; NaN below two days."""
    radial = spectrum.Radial.of(Grid.from_dataset(o))
    starts = np.arange(0, o.sizes["time"] - waves.WINDOW + 1, 24)
    if starts.size == 0:
        return np.full(len(bootstrap.weights), NONE)
    few = x.isel(member=slice(0, WAVE_MEMBERS))
    powers: dict[str, list[NDArray[np.float64]]] = {"power": [], "true_power": []}
    for a in starts:
        at = slice(int(a), int(a) + waves.WINDOW)
        members = [waves.spacetime_power(m, radial) for m in few.isel(time=at).to_numpy()]
        powers["power"].append(np.mean(members, axis=0))
        powers["true_power"].append(waves.spacetime_power(o.isel(time=at).to_numpy(), radial))
    first = DayBootstrap(bootstrap.weights, bootstrap.day[starts])
    means = first.means({k: np.stack(v) for k, v in powers.items()}, np.ones(starts.size, dtype=bool))
    return waves.spacetime_melr(means, 0)


def _coherence(
    x: xr.Dataset,
    o: xr.Dataset,
    pairs: list[tuple[str, str]],
    observed: NDArray[np.bool_],
    bootstrap: DayBootstrap,
) -> NDArray[np.float64]:
    """Mean over pairs and wavenumbers of the absolute error of the coherence at the observed hours."""
    radial = spectrum.Radial.of(Grid.from_dataset(o))
    chosen = np.flatnonzero(observed)
    at = DayBootstrap(bootstrap.weights, bootstrap.day[chosen])
    errors = []
    for a, b in pairs:
        parts: list[Means] = []
        for k in range(0, chosen.size, 64):
            few = x[[a, b]].isel(time=chosen[k : k + 64], member=slice(0, WAVE_MEMBERS)).load()
            true = o[[a, b]].isel(time=chosen[k : k + 64]).load()
            members = [
                waves.cross_power(u, v, radial)
                for u, v in zip(few[a].to_numpy(), few[b].to_numpy(), strict=True)
            ]
            found = {key: np.mean([m[key] for m in members], axis=0) for key in members[0]}
            truth = waves.cross_power(true[a].to_numpy(), true[b].to_numpy(), radial)
            parts.append(found | {f"true_{key}": values for key, values in truth.items()})
        joined = {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
        means = at.means(joined, np.ones(chosen.size, dtype=bool))
        errors.append(np.abs(waves.coherence(means) - waves.coherence(means, "true_")).mean(axis=-1))
    return np.asarray(np.mean(errors, axis=0))


def physical(x: xr.Dataset, o: xr.Dataset, coarsening: Coarsening, winds: xr.Dataset) -> Means:
    """Give the mean squares of what physics derives from the first members and from the truth, hour by hour.

    Args:
        x: Members [member, time, lat, lon].
        o: Truth [time, lat, lon].
        coarsening: The operator H.
        winds: The truth's winds [time, lat, lon], for ensembles that have temperature alone; may be empty.
    """
    names = [n for n in ("psl", "tas", "uas", "vas") if n in o]
    borrowed = [n for n in ("uas", "vas") if n not in names and n in winds] if "tas" in names else []
    if not names:
        return {}
    few = x[names].isel(member=slice(0, PHYSICS_MEMBERS))
    area = coarsening.lat_matrix, coarsening.lon_matrix
    parts = []
    for block in blocks(x[names[0]]):  # blocks for all members leave room for the derived fields of a few
        # Tendencies need the hour before: it is read along and its own numbers are dropped.
        before = min(1, block.start)
        here = slice(block.start - before, block.stop)
        found: Means = {}
        for prefix, ds in (("", few), ("true_", o)):
            fields = {n: ds[n].isel(time=here).to_numpy().astype(np.float64) for n in names}
            lent = {n: winds[n].isel(time=here).to_numpy().astype(np.float64) for n in borrowed}
            derived = physics.mean_squares(fields | lent, coarsening.fine)
            kept = {k: v[before:] for k, v in derived.items() if not lent or k == "advection"}
            if "tas" in fields and min(coarsening.coarse.shape) >= physics.FLUX_CELLS:
                true = o["tas"].isel(time=here).to_numpy().astype(np.float64)
                seen = area[0] @ true @ area[1].T
                kept["flux"] = physics.flux_gap(fields["tas"], seen, coarsening)[before:]
            found |= {f"{prefix}{k}": v for k, v in kept.items()}
        parts.append(found)
    shared = set.intersection(*(set(p) for p in parts))
    return {key: np.concatenate([p[key] for p in parts]) for key in sorted(shared)}


def _storm_errors(x: xr.Dataset, o: xr.Dataset, grid: Grid) -> dict[str, float]:
    """Errors of the storm, averaged over members."""
    depth, track, peak = _hourly_storm(o, grid)
    threshold = float(np.quantile(peak, 0.9)) if peak is not None else np.inf
    truth = storms.storm(depth, track, peak, threshold=threshold)
    members = (_hourly_storm(x.isel(member=m), grid) for m in range(x.sizes["member"]))
    return storms.compare([storms.storm(*m, threshold=threshold, like=truth) for m in members], truth)


def _hourly_storm(
    ds: xr.Dataset, grid: Grid
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    windy = {"uas", "vas"} <= set(ds.data_vars)
    parts = []
    for block in blocks(ds["psl"].expand_dims("member")):
        here = ds.isel(time=block)
        peak = np.zeros(here.sizes["time"])
        if windy:
            speed = np.hypot(here["uas"].to_numpy(), here["vas"].to_numpy())
            peak = speed.reshape(len(speed), -1).max(axis=1).astype(np.float64)
        parts.append((*storms.centres(here["psl"].to_numpy(), grid), peak))
    depth, track, peak = (np.concatenate(values) for values in zip(*parts, strict=True))
    return depth, track, peak if windy else None

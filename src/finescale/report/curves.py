"""Curves: spectra, ranks, and the ensemble fan at chosen points."""

from __future__ import annotations

import numpy as np
import xarray as xr

from finescale.report.canvas import Picture, blank, picture
from finescale.report.case import Case
from finescale.report.diagnosis import Diagnosis
from finescale.report.display import hour, shown, style

Found = dict[str, dict[str, Diagnosis]]  # method -> variable -> diagnosis


def spectra(case: Case, found: Found) -> Picture:
    """Draw the power of truth and methods by wavelength, and their ratio below."""
    names = case.variables
    figure = blank(2.9 * len(names) + 0.4, 5.2)
    axes = figure.subplots(2, len(names), sharex=True, squeeze=False, height_ratios=(3, 2))
    looks = style(list(found))
    for column, name in enumerate(names):
        show = shown(name)
        top, bottom = axes[:, column]
        any_method = next(iter(found.values()))[name]
        wave = any_method.wavelength
        scale = show.factor**2
        top.loglog(wave, any_method.true_power * scale, color="black", linewidth=2.2, label="truth")
        for method, by_name in found.items():
            top.loglog(wave, by_name[name].power * scale, label=method, linewidth=1.4, **looks[method])
            bottom.loglog(wave, by_name[name].power / any_method.true_power, linewidth=1.4, **looks[method])
        bottom.axhline(1.0, color="black", linewidth=1)
        bottom.set_ylim(0.1, 10)
        top.set_title(show.label, fontsize=9)
        top.set_ylabel(f"variance per ring, ({show.unit})²" if column == 0 else f"({show.unit})²", fontsize=8)
        bottom.set_xlabel("wavelength, km", fontsize=8)
        if column == 0:
            bottom.set_ylabel("ratio to truth", fontsize=8)
        bottom.set_xlim(wave.max() * 1.05, wave.min() * 0.95)
        ticks = [t for t in (1000, 500, 200, 100, 50, 20, 10, 5) if wave.min() <= t <= wave.max()]
        bottom.set_xticks(ticks, [str(t) for t in ticks])
        bottom.set_xticks([], minor=True)
        for axis in (top, bottom):
            axis.tick_params(labelsize=7)
            axis.grid(alpha=0.3)
    axes[0, 0].legend(fontsize=7, loc="lower left")
    small = {
        m: float(
            np.mean(
                [
                    d.power[-len(d.power) // 3 :].sum() / d.true_power[-len(d.power) // 3 :].sum()
                    for d in by.values()
                ]
            )
        )
        for m, by in found.items()
    }
    return picture(
        figure,
        f"spectra-{case.name}",
        alt="Radial spectra of truth and methods. Power of the shortest third of the waves against the truth: "
        + ", ".join(f"{m} {v:.2f}" for m, v in small.items())
        + ".",
        caption="Power of each wavelength, averaged over hours; the ratio below should be one. Methods that "
        "interpolate fall off at short waves: those are the scales that downscaling is for.",
    )


def ranks(case: Case, found: Found) -> Picture | None:
    """Draw rank histograms of every ensemble; none without an ensemble of two."""
    chosen = {m: by for m, by in found.items() if next(iter(by.values())).members > 1}
    if not chosen:
        return None
    names = case.variables
    figure = blank(2.6 * len(names) + 0.5, 1.75 * len(chosen) + 0.6)
    axes = figure.subplots(len(chosen), len(names), squeeze=False, sharey="row")
    looks = style(list(found))
    for row, (method, by_name) in enumerate(chosen.items()):
        for column, name in enumerate(names):
            axis, frequency = axes[row, column], by_name[name].ranks
            axis.bar(
                np.arange(frequency.size), frequency * frequency.size, color=looks[method]["color"], width=0.9
            )
            axis.axhline(1.0, color="black", linewidth=1)
            axis.tick_params(labelsize=7)
            if row == 0:
                axis.set_title(shown(name).label, fontsize=9)
            if row == len(chosen) - 1:
                axis.set_xlabel("members below the truth", fontsize=8)
        axes[row, 0].set_ylabel(f"{method}\nover a flat share", fontsize=8)
    shape = {m: _shape(np.mean([d.ranks for d in by.values()], axis=0)) for m, by in chosen.items()}
    return picture(
        figure,
        f"ranks-{case.name}",
        alt="Rank histograms of the truth among the members: "
        + ", ".join(f"{m} {s}" for m, s in shape.items())
        + ".",
        caption="Flat is calibrated. A valley: the members are too much alike; a hill: too different; "
        "a slope: they are biased.",
    )


def fans(case: Case, method: str, points: dict[str, tuple[float, float]], *, hours: int = 120) -> Picture:
    """Draw the ensemble fan of one method around the storm at chosen points.

    Args:
        case: The case.
        method: The method.
        points: Latitude and longitude by name.
        hours: Length of the stretch.
    """
    names = case.variables
    window = case.window(hours)
    figure = blank(3.4 * len(points) + 0.4, 1.75 * len(names) + 0.7)
    axes = figure.subplots(len(names), len(points), squeeze=False, sharex=True, sharey="row")
    x = np.arange(window.stop - window.start)
    clock = case.truth["time"].to_numpy()[window]
    for column, (place, (lat, lon)) in enumerate(points.items()):
        for row, name in enumerate(names):
            axis, show = axes[row, column], shown(name)
            members = show.convert(_at(case.ensembles[method][name].isel(time=window), lat, lon))
            truth = show.convert(_at(case.truth[name].isel(time=window), lat, lon))
            if len(members) > 1:
                for low, high, shade in ((0.05, 0.95, 0.2), (0.25, 0.75, 0.35)):
                    bounds = np.quantile(members, [low, high], axis=0)
                    axis.fill_between(
                        x,
                        *bounds,
                        color="#0072B2",
                        alpha=shade,
                        linewidth=0,
                        label=f"{round(100 * (high - low))} % of members",
                    )
            axis.plot(x, members.mean(axis=0), color="#0072B2", linewidth=1.2, label="mean")
            axis.plot(x, truth, color="black", linewidth=1.2, label="truth")
            stamps = np.flatnonzero(np.isin(clock, case.coarse["time"].to_numpy()))
            if stamps.size:
                seen = case.coarse[name].sel(time=clock[stamps])
                axis.plot(
                    x[stamps],
                    show.convert(_at(seen, lat, lon)),
                    "o",
                    color="#D55E00",
                    markersize=2.5,
                    label="coarse input",
                )
            axis.tick_params(labelsize=7)
            axis.grid(alpha=0.3)
            if column == 0:
                axis.set_ylabel(f"{name}, {show.unit}", fontsize=8)
            if row == 0:
                axis.set_title(f"{place} ({lat:.2f} N, {lon:.2f} E)", fontsize=9)
    axes[-1, 0].set_xlabel(f"hours since {hour(clock[0])} UTC", fontsize=8)
    axes[0, -1].legend(fontsize=6, loc="best")
    return picture(
        figure,
        f"fans-{case.name}",
        alt=f"Time series of truth, coarse input and the ensemble of {method} around the storm at "
        + ", ".join(points)
        + ".",
        caption="Half of the time the truth should run in the dark band, nine tenths of the time in the light one.",
    )


def _at(values: xr.DataArray, lat: float, lon: float) -> np.ndarray:
    there = values.sel(lat=lat, lon=lon, method="nearest")
    return np.asarray(there.transpose(..., "time").to_numpy())


def _shape(frequency: np.ndarray) -> str:
    """Say in a word what a rank histogram looks like."""
    share = frequency * frequency.size
    ends, middle = (share[0] + share[-1]) / 2, share[1:-1].mean() if share.size > 2 else 1.0
    if abs(share[0] - share[-1]) > 0.5 * (share[0] + share[-1]):
        return "sloping"
    if ends > 1.25 * middle:
        return "a valley (too narrow)"
    if ends < 0.75 * middle:
        return "a hill (too wide)"
    return "nearly flat"

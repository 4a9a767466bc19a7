"""Spectra: how much there is at each scale of space and time."""

from __future__ import annotations

import numpy as np

from finescale.report.canvas import Picture, blank, key, picture
from finescale.report.case import Case
from finescale.report.diagnosis import Diagnosis
from finescale.report.display import shown

Found = dict[str, dict[str, Diagnosis]]  # method -> variable -> diagnosis
Looks = dict[str, dict[str, str]]  # method -> colour and dash


def spectra(case: Case, found: Found, looks: Looks) -> Picture:
    """Draw the power of truth and methods by wavelength, and their ratio below."""
    names = case.variables
    figure = blank(2.9 * len(names) + 0.4, 5.2)
    axes = figure.subplots(2, len(names), sharex=True, squeeze=False, height_ratios=(3, 2))
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
    key(figure, axes[0, 0])
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


def temporal(case: Case, found: Found, looks: Looks) -> Picture | None:
    """Draw the power at points by period; none for less than two days."""
    names = case.variables
    first = next(iter(found.values()))
    if first[names[0]].true_temporal.size == 0:
        return None
    figure = blank(2.9 * len(names) + 0.4, 3.0)
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    for axis, name in zip(axes, names, strict=True):
        scale = shown(name).factor ** 2
        true = first[name].true_temporal * scale
        period = 48 / np.arange(1, true.size + 1)
        axis.loglog(period, true, color="black", linewidth=2.2, label="truth")
        for method, by_name in found.items():
            axis.loglog(period, by_name[name].temporal * scale, linewidth=1.4, label=method, **looks[method])
        axis.set_xlim(50, 1.9)
        axis.set_xticks([48, 24, 12, 6, 3], ["48", "24", "12", "6", "3"])
        axis.set_xticks([], minor=True)
        axis.set_title(shown(name).label, fontsize=9)
        axis.set_xlabel("period, hours", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("power density", fontsize=8)
    key(figure, axes[0])
    fast = {
        m: by[names[0]].temporal[-8:].sum() / first[names[0]].true_temporal[-8:].sum()
        for m, by in found.items()
    }
    return picture(
        figure,
        f"temporal-{case.name}",
        alt=f"Power of the variations at points by period. {shown(names[0]).label}, periods of 2 to 3 hours against "
        "the truth: " + ", ".join(f"{m} {v:.2f}" for m, v in fast.items()) + ".",
        caption="How much happens within days and hours at a point. A fall below the truth right of the coarse step "
        "is weather between the observed hours that a method does not make.",
    )

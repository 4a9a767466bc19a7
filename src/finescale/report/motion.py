"""How fast structures of each size change: space-time spectra of the truth, and of methods against it."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm
from numpy.typing import NDArray

from finescale.grid.grid import Grid
from finescale.report.canvas import Picture, blank, picture
from finescale.report.case import Case
from finescale.report.display import shown
from finescale.scores.spectrum import Radial
from finescale.scores.waves import WINDOW, spacetime_power

DAYS = 8  # stretches of two days that are averaged: more change little that an eye sees
LIMITS = (0.1, 10.0)
HOURS = (48, 24, 12, 6, 3)


def motion(case: Case, methods: list[str]) -> Picture | None:
    """Draw the space-time spectrum of the truth and the ratio of each method to it; none below two days.

    Args:
        case: The case.
        methods: The methods drawn, one column each.
    """
    if case.truth.sizes["time"] < WINDOW:
        return None
    radial = Radial.of(Grid.from_dataset(case.truth))
    names = case.variables
    figure = blank(2.7 * (1 + len(methods)) + 0.8, 2.5 * len(names) + 0.4)
    axes = figure.subplots(len(names), 1 + len(methods), squeeze=False, sharex=True, sharey=True)
    period = WINDOW / np.arange(1, WINDOW // 2 + 1)
    fast: dict[str, list[float]] = {method: [] for method in methods}
    for row, name in enumerate(names):
        true = _power(case.truth[name], radial)
        scale = shown(name).factor ** 2
        image = axes[row, 0].pcolormesh(
            radial.wavelength,
            period,
            np.maximum(true, true.max() * 1e-9) * scale,
            norm=LogNorm(),
            cmap="cividis",
        )
        figure.colorbar(image, ax=axes[row, 0]).ax.tick_params(labelsize=6)
        axes[row, 0].set_ylabel(f"{shown(name).label}\nperiod, h", fontsize=8)
        for column, method in enumerate(methods, start=1):
            ratio = _power(case.ensembles[method][name].isel(member=0), radial) / np.maximum(true, 1e-300)
            image = axes[row, column].pcolormesh(
                radial.wavelength, period, np.clip(ratio, *LIMITS), norm=LogNorm(*LIMITS), cmap="PuOr"
            )
            fast[method].append(float(np.median(ratio[period <= 6])))
        figure.colorbar(image, ax=axes[row, -1]).ax.tick_params(labelsize=6)
    for axis, title in zip(axes[0], ["truth", *(f"{m} / truth" for m in methods)], strict=True):
        axis.set_title(title, fontsize=9)
    wave = radial.wavelength
    ticks = [t for t in (1000, 500, 200, 100, 50, 20, 10) if wave.min() <= t <= wave.max()]
    for axis in axes.ravel():
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlim(wave.max(), wave.min())
        axis.set_ylim(WINDOW, 2)
        axis.set_xticks(ticks, [str(t) for t in ticks])
        axis.set_yticks(HOURS, [str(h) for h in HOURS])
        axis.minorticks_off()
        axis.tick_params(labelsize=7)
    for axis in axes[-1]:
        axis.set_xlabel("wavelength, km", fontsize=8)
    return picture(
        figure,
        f"motion-{case.name}",
        alt="Space-time spectra of the truth and ratios to it. Median ratio at periods up to six hours: "
        + ", ".join(f"{m} {np.median(v):.2f}" for m, v in fast.items())
        + ".",
        caption="Small and fast is to the upper right; the truth is in squares of the units of the maps. White is "
        "right; orange or violet patches there are structures "
        "that change too slowly or flicker between hours.",
    )


def _power(field: xr.DataArray, radial: Radial) -> NDArray[np.float64]:
    """Mean space-time power [frequency, ring] over stretches spread evenly over the series."""
    last = field.sizes["time"] - WINDOW
    starts = np.unique(np.linspace(0, last, min(DAYS, last // 24 + 1)).astype(int))
    ordered = field.transpose("time", "lat", "lon")
    found = [spacetime_power(ordered.isel(time=slice(a, a + WINDOW)).to_numpy(), radial) for a in starts]
    return np.asarray(np.mean(found, axis=0))

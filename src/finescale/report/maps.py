"""Maps of one hour, and of the tail: truth, coarse input, members, mean, spread, error."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from finescale.grid.grid import Grid
from finescale.report.canvas import Picture, blank, picture
from finescale.report.case import Case
from finescale.report.diagnosis import Diagnosis
from finescale.report.display import hour, shown
from finescale.scores.regions import LAND, land_share

Panel = tuple[str, NDArray[np.float64], Grid, str]  # title, values, grid, family of the scale


def hour_maps(case: Case, name: str, method: str, *, other: str | None, static: xr.Dataset | None) -> Picture:
    """Draw the hour of the storm.

    Args:
        case: The case.
        name: The variable.
        method: The method whose members, mean, spread and error are drawn.
        other: A baseline drawn beside it.
        static: `sftlf` for the coastline.
    """
    at = case.storm_hour
    show = shown(name)
    when = case.truth["time"].to_numpy()[at]
    fine = Grid.from_dataset(case.truth)
    truth = show.convert(case.truth[name].isel(time=at).transpose("lat", "lon").to_numpy())
    members = show.convert(
        case.ensembles[method][name].isel(time=at).transpose("member", "lat", "lon").to_numpy()
    )
    panels: list[Panel] = [("truth", truth, fine, "field")]
    stamp = np.flatnonzero(case.coarse["time"].to_numpy() <= when)
    if stamp.size:
        coarse = case.coarse[name].isel(time=int(stamp[-1])).transpose("lat", "lon")
        label = f"coarse input, {hour(case.coarse['time'].to_numpy()[stamp[-1]])[11:]}"
        panels.append((label, show.convert(coarse.to_numpy()), Grid.from_dataset(case.coarse), "field"))
    if other is not None:
        first = case.ensembles[other][name].isel(member=0, time=at).transpose("lat", "lon").to_numpy()
        panels.append((other, show.convert(first), fine, "field"))
    panels += [(f"{method}, member {m + 1}", values, fine, "field") for m, values in enumerate(members[:2])]
    if len(members) > 1:
        panels.append((f"{method}, mean of {len(members)}", members.mean(axis=0), fine, "field"))
        panels.append((f"{method}, spread", members.std(axis=0, ddof=1), fine, "spread"))
    panels.append((f"{method}, error of the mean", members.mean(axis=0) - truth, fine, "error"))
    figure = _draw(panels, name, land_share(static))
    figure.suptitle(f"{show.label}, {hour(when)} UTC, case {case.name}", fontsize=11)
    worst = float(np.abs(members.mean(axis=0) - truth).max())
    return picture(
        figure,
        f"maps-{case.name}-{name}",
        alt=f"Maps of {show.label} at {hour(when)}: {', '.join(p[0] for p in panels)}. Truth from "
        f"{truth.min():.1f} to {truth.max():.1f} {show.unit}; largest error of the mean {worst:.1f} {show.unit}.",
        caption=f"{case.moment}. Members should look like the truth, and differ from one another where the coarse "
        "input leaves room; the spread should be large where the error is.",
    )


def tail_maps(case: Case, name: str, found: dict[str, Diagnosis], *, static: xr.Dataset | None) -> Picture:
    """Draw the 99th percentile of the truth and the error of each method there."""
    show = shown(name)
    fine = Grid.from_dataset(case.truth)
    truth = next(iter(found.values())).true_p99
    panels: list[Panel] = [("truth", show.convert(truth), fine, "field")]
    for method, diagnosis in found.items():
        panels.append((f"{method} − truth", (diagnosis.p99 - truth) * show.factor, fine, "error"))
    figure = _draw(panels, name, land_share(static))
    figure.suptitle(f"99th percentile over time of {show.label}, case {case.name}", fontsize=11)
    rmse = {m: float(np.sqrt(np.mean(((d.p99 - truth) * show.factor) ** 2))) for m, d in found.items()}
    return picture(
        figure,
        f"tail-{case.name}-{name}",
        alt=f"Maps of the 99th percentile of {show.label}: truth, and the error of each method. Root mean square "
        + ", ".join(f"{m} {v:.2g} {show.unit}" for m, v in rmse.items())
        + ".",
        caption="White is right. One colour over the whole map is a bias of the tail; patches at coast and mountains "
        "are fine structure that the method does not know.",
    )


def _draw(panels: list[Panel], name: str, land: xr.DataArray | None) -> Figure:
    show = shown(name)
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure = blank(2.75 * columns + 0.6, 3.0 * rows + 0.4)
    axes = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    low, high = show.scale([p[1] for p in panels if p[3] == "field"])
    errors = [float(np.abs(p[1]).max()) for p in panels if p[3] == "error"]
    worst = max([*errors, 1e-9])
    for axis, (title, values, grid, family) in zip(axes, panels, strict=False):
        options: dict[str, Any] = {"cmap": show.colours, "vmin": low, "vmax": high}
        if family == "spread":
            options = {"cmap": "magma", "vmin": 0.0}
        elif family == "error":
            options = {"cmap": "RdBu_r", "norm": TwoSlopeNorm(0.0, -worst, worst)}
        image = axis.pcolormesh(grid.lon_edges, grid.lat_edges, values, **options)
        axis.set_title(title, fontsize=9)
        axis.tick_params(labelsize=7)
        axis.locator_params(nbins=4)
        axis.set_aspect(1 / np.cos(np.deg2rad(float(np.mean(grid.lat)))))
        if land is not None:
            axis.contour(land["lon"], land["lat"], land, levels=[LAND], colors="black", linewidths=0.7)
        bar = figure.colorbar(image, ax=axis, location="bottom", shrink=0.9, aspect=30, pad=0.02)
        bar.set_label(show.unit if family == "field" else show.difference, fontsize=7)
        bar.ax.tick_params(labelsize=7)
        bar.locator = MaxNLocator(4)
        bar.update_ticks()
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    return figure

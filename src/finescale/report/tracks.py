"""Where the centre of the low went, hour by hour: the truth's track and those of the members."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from finescale.grid.grid import Grid
from finescale.report.canvas import Picture, blank, picture
from finescale.report.case import Case
from finescale.report.display import hour
from finescale.scores.regions import LAND
from finescale.scores.storms import Storm, centres, offsets

MEMBERS = 8  # more lines than that hide one another
ISOBAR = 2.0  # hPa


def tracks(
    case: Case, looks: Mapping[str, dict[str, str]], land: xr.DataArray | None
) -> Picture | str | None:
    """Draw the tracks, one panel a method; words where no storm came inside the domain, none without pressure.

    Args:
        case: The case.
        looks: Colour of each method.
        land: Land fraction on the fine grid, for the coastline.
    """
    truth = case.storm
    if truth is None:
        return None
    if truth.hour < 0:
        return (
            f"No storm crosses the domain in the case {case.name}: in every hour the lowest pressure lies on its rim, "
            "and the low it belongs to outside. There is no track to draw, and none is scored."
        )
    methods = list(case.ensembles)
    columns = min(4, len(methods))
    rows = -(-len(methods) // columns)
    figure = blank(2.9 * columns + 0.4, 2.9 * rows + 0.5)
    axes = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    said = [
        _panel(axis, case, truth, method, looks[method]["color"], land)
        for axis, method in zip(axes, methods, strict=False)
    ]
    for axis in axes[len(methods) :]:
        axis.set_visible(False)
    clock = case.truth["time"].to_numpy()
    span = f"from {hour(clock[truth.hours.start])} to {hour(clock[truth.hours.stop - 1])}"
    return picture(
        figure,
        f"tracks-{case.name}",
        alt=f"Tracks of the low's centre {span}, truth in black. Mean distance: {', '.join(said)}.",
        caption=f"The centre of the low in each hour in which it is inside the domain, {span}; black is the truth, its "
        f"large dot the deepest hour, with dotted isobars every {ISOBAR:g} hPa; colours are up to {MEMBERS} members, "
        "with gaps where their lowest pressure lies on the rim. A step of a coarse cell is about as well as the input "
        "knows the place.",
    )


def _panel(axis: Axes, case: Case, truth: Storm, method: str, colour: str, land: xr.DataArray | None) -> str:
    """Draw one method, and say how far off it is and how often."""
    grid = Grid.from_dataset(case.truth)
    members = case.ensembles[method]["psl"].isel(time=truth.hours).transpose("member", "time", "lat", "lon")
    found = [centres(m, grid)[1] for m in members.to_numpy()]
    away = offsets(found, truth) / 1000
    share = float(np.isfinite(away).mean())
    distance = f"{np.nanmean(away):.0f} km" if share else "nowhere"
    if land is not None:
        axis.contour(land["lon"], land["lat"], land, levels=[LAND], colors="0.45", linewidths=0.8)
    low = case.truth["psl"].isel(time=truth.hour).transpose("lat", "lon").to_numpy() / 100
    levels = np.arange(np.floor(low.min() / ISOBAR), np.ceil(low.max() / ISOBAR) + 1) * ISOBAR
    axis.contour(grid.lon, grid.lat, low, levels=levels, colors="0.6", linewidths=0.7, linestyles="dotted")
    for track in found[:MEMBERS]:
        axis.plot(track[:, 1], track[:, 0], "o-", color=colour, linewidth=0.8, markersize=2, alpha=0.6)
    line = truth.track[truth.hours]
    axis.plot(line[:, 1], line[:, 0], "o-", color="black", linewidth=1.8, markersize=2.5)
    axis.plot(*truth.track[truth.hour, ::-1], "o", color="black", markersize=6)
    axis.set_title(f"{method}: {distance}, in {100 * share:.0f} % of the hours", fontsize=8)
    axis.set_xlim(grid.lon_edges[0], grid.lon_edges[-1])
    axis.set_ylim(grid.lat_edges[0], grid.lat_edges[-1])
    axis.set_aspect(1 / np.cos(np.deg2rad(float(np.mean(grid.lat)))))
    axis.tick_params(labelsize=7)
    return f"{method} {distance} in {100 * share:.0f} % of the hours"

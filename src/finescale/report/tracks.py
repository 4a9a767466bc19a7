"""Where the pressure minimum went, hour by hour: the truth's track and those of the members."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.grid.grid import Grid
from finescale.report.canvas import Picture, blank, picture
from finescale.report.case import Case
from finescale.report.display import hour
from finescale.scores.storms import great_circle, lows

HOURS = 13  # six on either side of the deepest hour
MEMBERS = 8  # more lines than that hide one another


def tracks(case: Case, looks: Mapping[str, dict[str, str]], land: xr.DataArray | None) -> Picture | None:
    """Draw the tracks, one panel a method; none without pressure.

    Args:
        case: The case.
        looks: Colour of each method.
        land: Land fraction on the fine grid, for the coastline.
    """
    if "psl" not in case.variables:
        return None
    window = case.window(HOURS)
    grid = Grid.from_dataset(case.truth)
    truth = _track(case.truth["psl"].isel(time=window), grid)
    methods = list(case.ensembles)
    columns = min(4, len(methods))
    rows = -(-len(methods) // columns)
    figure = blank(2.9 * columns + 0.4, 2.9 * rows + 0.5)
    axes = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    off = {}
    for axis, method in zip(axes, methods, strict=False):
        members = case.ensembles[method]["psl"].isel(time=window)
        found = [_track(members.isel(member=m), grid) for m in range(min(MEMBERS, members.sizes["member"]))]
        off[method] = float(np.mean([great_circle(f, truth).mean() for f in found])) / 1000
        if land is not None:
            axis.contour(land["lon"], land["lat"], land, levels=[0.5], colors="0.6", linewidths=0.7)
        for track in found:
            axis.plot(track[:, 1], track[:, 0], color=looks[method]["color"], linewidth=1, alpha=0.7)
        axis.plot(truth[:, 1], truth[:, 0], color="black", linewidth=2)
        axis.plot(*truth[len(truth) // 2, ::-1], "o", color="black", markersize=4)
        axis.set_title(f"{method}, {off[method]:.0f} km off", fontsize=9)
        axis.set_xlim(grid.lon_edges[0], grid.lon_edges[-1])
        axis.set_ylim(grid.lat_edges[0], grid.lat_edges[-1])
        axis.tick_params(labelsize=7)
    for axis in axes[len(methods) :]:
        axis.set_visible(False)
    first, last = (case.truth["time"].to_numpy()[i] for i in (window.start, window.stop - 1))
    return picture(
        figure,
        f"tracks-{case.name}",
        alt=f"Tracks of the pressure minimum from {hour(first)} to {hour(last)}, truth in black. Mean distance: "
        + ", ".join(f"{m} {v:.0f} km" for m, v in off.items())
        + ".",
        caption=f"The lowest pressure in the domain, hour by hour from {hour(first)} to {hour(last)}; black is the "
        f"truth, the dot its middle hour, colours are up to {MEMBERS} members. A step of a coarse cell is about as "
        "well as the input knows the place.",
    )


def _track(psl: xr.DataArray, grid: Grid) -> NDArray[np.float64]:
    """Latitude and longitude of the lowest pressure [T, 2]."""
    _, cell = lows(psl.transpose("time", "lat", "lon").to_numpy())
    rows, columns = np.unravel_index(cell, grid.shape)
    return np.stack([np.asarray(grid.lat)[rows], np.asarray(grid.lon)[columns]], axis=1)

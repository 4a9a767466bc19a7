"""The ensemble fan at chosen points around the storm."""

from __future__ import annotations

import numpy as np
import xarray as xr

from finescale.report.canvas import Picture, blank, picture
from finescale.report.case import Case
from finescale.report.display import hour, shown

LEVELS = (0.5, 0.9)


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
                for level, shade in zip(LEVELS, (0.35, 0.2), strict=True):
                    sides = [(1 - level) / 2, (1 + level) / 2]
                    bounds = np.quantile(members, sides, axis=0, method="weibull")
                    axis.fill_between(
                        x,
                        *bounds,
                        color="#0072B2",
                        alpha=shade,
                        linewidth=0,
                        label=f"{100 * attained(level, len(members)):.0f} % of truths",
                    )
            axis.plot(x, members.mean(axis=0), color="#0072B2", linewidth=1.2, label="mean")
            axis.plot(x, truth, color="black", linewidth=1.2, label="truth")
            stamps = np.flatnonzero(case.truth.indexes["time"][window].isin(case.coarse.indexes["time"]))
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
        caption=_caption(case.ensembles[method].sizes["member"]),
    )


def attained(level: float, members: int) -> float:
    """Give how often the truth lies between the bounds of a level when it could be one of the members.

    Ranks split the truths evenly (Weibull): M members bound (M - 1) / (M + 1) of them at most.
    """
    return min(level, (members - 1) / (members + 1))


def _caption(members: int) -> str:
    if members < 2:
        return "One member has no spread to be judged."
    inner, outer = (f"{100 * attained(level, members):.0f} %" for level in LEVELS)
    return (
        f"In a calibrated ensemble of {members} members the truth runs in the dark band about {inner} of the time, and "
        f"in the light one {outer}."
    )


def _at(values: xr.DataArray, lat: float, lon: float) -> np.ndarray:
    there = values.sel(lat=lat, lon=lon, method="nearest")
    return np.asarray(there.transpose(..., "time").to_numpy())

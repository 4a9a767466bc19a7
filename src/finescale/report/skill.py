"""The skill of all methods in one figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from finescale.report.canvas import Picture, blank, picture
from finescale.report.display import shown, style
from finescale.report.verdict import FLOOR
from finescale.scores.table import lines


def bars(scorecard: pd.DataFrame, methods: Sequence[str]) -> Picture:
    """Draw the CRPS of every method with its interval, one row a case, one column a variable.

    The truth of another period is in the tables alone: beside it the methods would all be short.

    Args:
        scorecard: The long table.
        methods: Methods in the order wanted.
    """
    looks, methods = style(list(methods)), [m for m in methods if m != FLOOR]
    chosen = [
        x
        for x in lines(scorecard)
        if (x.metric, x.hours, x.region) == ("crps", "all", "all") and x.method in methods
    ]
    cases, names = list(dict.fromkeys(x.case for x in chosen)), sorted({x.variable for x in chosen})
    figure = blank(2.8 * len(names) + 1.0, 0.32 * len(methods) * len(cases) + 0.6 * len(cases) + 0.4)
    axes = figure.subplots(len(cases), len(names), squeeze=False, sharey=True, sharex="col")
    for line in chosen:
        axis, show = axes[cases.index(line.case), names.index(line.variable)], shown(line.variable)
        place = methods.index(line.method)
        axis.barh(place, line.value * show.factor, color=looks[line.method]["color"])
        if np.isfinite(line.low):
            ends = [line.low * show.factor, line.high * show.factor]
            axis.plot(ends, [place, place], color="black", linewidth=1.5)
    for row, case in enumerate(cases):
        axes[row, 0].set_ylabel(case, fontsize=9)
    for column, name in enumerate(names):
        axes[0, column].set_title(f"{shown(name).label}, {shown(name).difference}", fontsize=9)
    for axis in axes.ravel():
        axis.set_yticks(range(len(methods)), methods, fontsize=8)
        axis.tick_params(axis="x", labelsize=7)
        axis.grid(axis="x", alpha=0.3)
    axes[0, 0].invert_yaxis()
    return picture(
        figure,
        "skill",
        alt="Bars of the CRPS of every method by case and variable, with intervals; the same numbers are in the "
        "skill table.",
        caption="CRPS over all hours and cells, least is best; the line is the 95 % interval of resampled days.",
    )

"""Calibration: where the truth falls among the members, and how often a forecast share comes true."""

from __future__ import annotations

import numpy as np

from finescale.report.canvas import Picture, blank, picture
from finescale.report.case import Case
from finescale.report.curves import Found, Looks
from finescale.report.display import shown


def ranks(case: Case, found: Found, looks: Looks) -> Picture | None:
    """Draw rank histograms of every ensemble; none without an ensemble of two."""
    chosen = {m: by for m, by in found.items() if next(iter(by.values())).members > 1}
    if not chosen:
        return None
    names = case.variables
    figure = blank(2.6 * len(names) + 0.5, 1.75 * len(chosen) + 0.6)
    axes = figure.subplots(len(chosen), len(names), squeeze=False, sharey="row")
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


def reliability(case: Case, found: Found, looks: Looks) -> Picture | None:
    """Draw how often the truth exceeded its 90th percentile when so many members did; none without an ensemble."""
    chosen = {m: by for m, by in found.items() if next(iter(by.values())).members > 1}
    if not chosen:
        return None
    names = case.variables
    figure = blank(2.6 * len(names) + 0.5, 2.9)
    axes = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    for axis, name in zip(axes, names, strict=True):
        axis.plot([0, 1], [0, 1], color="black", linewidth=1)
        for method, by_name in chosen.items():
            count, event = by_name[name].reliability
            share = np.arange(count.size) / (count.size - 1)
            # Shares that were hardly ever forecast say nothing.
            often = count > 1e-4 * count.sum()
            axis.plot(
                share[often],
                event[often] / count[often],
                marker="o",
                markersize=3,
                label=method,
                **looks[method],
            )
        axis.set_title(shown(name).label, fontsize=9)
        axis.set_xlabel("share of members above", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("share of truths above", fontsize=8)
    axes[0].legend(fontsize=7)
    return picture(
        figure,
        f"reliability-{case.name}",
        alt=f"Reliability of exceeding the 90th percentile of each cell: {', '.join(chosen)} against the diagonal.",
        caption="When so many members are above the 90th percentile, the truth should be above it as often: on the "
        "diagonal. Flatter than the diagonal: the ensemble is too sure.",
    )


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

"""Calibration: where the truth falls among the members, and how often a forecast share comes true."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from finescale.report.canvas import Picture, blank, picture
from finescale.report.case import Case
from finescale.report.curves import Found, Looks
from finescale.report.display import shown
from finescale.scores import exceedance, vectors

Shares = Mapping[str, Mapping[str, NDArray[np.float64]]]  # method -> variable -> share of each rank
TOGETHER = "all variables"


def ranks(case: Case, found: Found, looks: Looks) -> Picture | None:
    """Draw rank histograms of every ensemble; none without an ensemble of two."""
    shares = {m: {n: by[n].ranks for n in case.variables} for m, by in _ensembles(found).items()}
    if not shares:
        return None
    return picture(
        _histograms(shares, looks, "members below the truth"),
        f"ranks-{case.name}",
        alt="Rank histograms of the truth among the members: " + _shapes(shares) + ".",
        caption="Flat is calibrated. A valley: the members are too much alike; a hill: too different; "
        "a slope: they are biased.",
    )


def field_ranks(case: Case, found: Found, looks: Looks, *, seed: int) -> Picture | None:
    """Draw rank histograms of whole fields, of each variable and of all as one; none without an ensemble of two."""
    depths = {m: {n: by[n].depths for n in case.variables} for m, by in _ensembles(found).items()}
    if not depths:
        return None
    shares = {
        method: {n: vectors.field_ranks(depth, seed).mean(axis=0) for n, depth in by_name.items()}
        | {TOGETHER: vectors.field_ranks(sum(by_name.values(), np.zeros(())), seed).mean(axis=0)}
        for method, by_name in depths.items()
    }
    return picture(
        _histograms(shares, looks, "members less central"),
        f"field-ranks-{case.name}",
        alt="Rank histograms of whole fields by band depth: " + _shapes(shares) + ".",
        caption="Every hour is one field, ranked by how central it is among truth and members (band depth). Flat is "
        "calibrated. High on the left: the truth lies further out than the members, which are too much alike or "
        "move together wrongly; high on the right: the truth lies in their midst, and they differ too much.",
    )


def reliability(case: Case, found: Found, looks: Looks) -> Picture | None:
    """Draw how often the truth exceeded its 90th percentile when so many members did; none without an ensemble."""
    chosen = _ensembles(found)
    if not chosen:
        return None
    names = case.variables
    figure = blank(2.6 * len(names) + 0.5, 2.9)
    axes = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    for axis, name in zip(axes, names, strict=True):
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
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
            fair = exceedance.calibrated_reliability(by_name[name].reliability)
            axis.plot(share[often], fair[often], color=looks[method]["color"], linestyle=":", linewidth=1)
        axis.set_title(shown(name).label, fontsize=9)
        axis.set_xlabel("share of members above", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("share of truths above", fontsize=8)
    axes[0].legend(fontsize=7)
    return picture(
        figure,
        f"reliability-{case.name}",
        alt=f"Reliability of exceeding the 90th percentile of each cell: {', '.join(chosen)}, each against what "
        "it would be were the truth one of its members.",
        caption="When so many members are above the 90th percentile, the truth should be above it as often as the "
        "dotted line of the same colour says: there it would be were it one more member, on the grey diagonal with "
        "endless members. Flatter than the dotted line: the ensemble is too sure.",
    )


def _ensembles(found: Found) -> Found:
    """Leave out methods of one member."""
    return {m: by for m, by in found.items() if next(iter(by.values())).members > 1}


def _histograms(shares: Shares, looks: Looks, label: str) -> Figure:
    """One row of histograms a method, one column a variable; a flat one stands at one."""
    names = list(next(iter(shares.values())))
    figure = blank(2.6 * len(names) + 0.5, 1.75 * len(shares) + 0.6)
    axes = figure.subplots(len(shares), len(names), squeeze=False, sharey="row")
    for row, (method, by_name) in enumerate(shares.items()):
        for axis, (name, frequency) in zip(axes[row], by_name.items(), strict=True):
            axis.bar(
                np.arange(frequency.size), frequency * frequency.size, color=looks[method]["color"], width=0.9
            )
            axis.axhline(1.0, color="black", linewidth=1)
            axis.tick_params(labelsize=7)
            if row == 0:
                axis.set_title(name if name == TOGETHER else shown(name).label, fontsize=9)
            if row == len(shares) - 1:
                axis.set_xlabel(label, fontsize=8)
        axes[row, 0].set_ylabel(f"{method}\nover a flat share", fontsize=8)
    return figure


def _shapes(shares: Shares) -> str:
    """Say in a word what each method's histograms look like, and where they differ."""
    said = []
    for method, by_name in shares.items():
        found: dict[str, list[str]] = {}
        for name, frequency in by_name.items():
            found.setdefault(_shape(frequency), []).append(name)
        alike = len(found) == 1
        words = [shape if alike else f"{shape} in {', '.join(names)}" for shape, names in found.items()]
        said.append(f"{method} {' and '.join(words)}")
    return "; ".join(said)


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

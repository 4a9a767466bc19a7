"""What the bias correction did: errors of each model's climate before and after."""

from __future__ import annotations

import numpy as np
import pandas as pd

from finescale.report.canvas import Picture, blank, picture
from finescale.report.display import PALETTE

RAW = "raw"
CHANGE = "mean_change"
WORDS = {
    "mean_error": "mean",
    "std_error": "standard deviation",
    "p01_error": "1st percentile",
    "p99_error": "99th percentile",
    "annual_cycle_error": "cycle of the year",
    "diurnal_cycle_error": "cycle of the day",
    "correlation_error": "correlation",
}


def mending(bias: pd.DataFrame) -> list[Picture]:
    """Draw what is left of each error, one figure a model: one is what it was, zero is none.

    Args:
        bias: The table of diagnostics: `method` (`raw` and the correction's), `case`, `variable`, `metric`, `value`.
    """
    wanted = {"method", "case", "variable", "metric", "value"}
    if not wanted <= set(bias.columns):
        return []
    return [_one(str(case), rows) for case, rows in bias.groupby("case", sort=False)]


def _one(case: str, rows: pd.DataFrame) -> Picture:
    errors = rows[rows["metric"].isin(list(WORDS))]
    before = errors[errors["method"] == RAW].set_index(["variable", "metric"])["value"]
    after = errors[errors["method"] != RAW]
    panels = _panels(after)
    columns = min(5, len(panels))
    lines = -(-len(panels) // columns)
    figure = blank(2.2 * columns + 1.6, 2.1 * lines + 0.5)
    axes = np.atleast_1d(figure.subplots(lines, columns, squeeze=False)).ravel()
    worst = []
    for axis, (title, places) in zip(axes, panels.items(), strict=False):
        for k, (method, own) in enumerate(after.groupby("method", sort=False)):
            value = own.set_index(["variable", "metric"])["value"]
            ratio = [value[at] / before[at] if before[at] else np.nan for at in places]
            axis.plot(ratio, range(len(places)), "o", color=PALETTE[k], markersize=5, label=f"after {method}")
            left = zip(map(float, ratio), places, strict=True)
            worst += [(share, f"{WORDS[m]} of {name}") for share, (name, m) in left if np.isfinite(share)]
        axis.axvline(1.0, color="black", linewidth=1)
        axis.set_yticks(range(len(places)), list(places.values()), fontsize=7)
        axis.set_ylim(len(places) - 0.5, -0.5)
        axis.set_xlim(left=-0.03, right=max(1.1, *axis.get_xlim()))
        axis.set_title(title, fontsize=9)
        axis.tick_params(axis="x", labelsize=7)
        axis.grid(axis="x", alpha=0.3)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    figure.suptitle(f"Errors after correction as a share of those before, {case}", fontsize=10)
    top = max(worst, default=(float("nan"), "nothing"))
    kept = _changes(rows)
    return picture(
        figure,
        f"bias-{case}",
        alt=f"Share of each error of {case} that is left after correction. Largest: {top[0]:.2f}, {top[1]}.{kept}",
        caption="The line at one is the raw model; a dot left of it is an error made smaller, right of it one made "
        "larger. Statistics of cells, averaged over the area, over the years of the calibration: what the map does "
        f"where it was fitted. How far other years may lie off is the standard error R below.{kept}",
    )


def _panels(errors: pd.DataFrame) -> dict[str, dict[tuple[str, str], str]]:
    """One panel a variable, its errors named; the correlations of all pairs in a panel of their own."""
    found = list(dict.fromkeys(zip(errors["variable"], errors["metric"], strict=True)))
    panels: dict[str, dict[tuple[str, str], str]] = {}
    for metric, word in WORDS.items():
        for name in [n for n, m in found if m == metric]:
            pair = metric == "correlation_error"
            panels.setdefault("correlations" if pair else name, {})[name, metric] = name if pair else word
    return panels


def _changes(rows: pd.DataFrame) -> str:
    """Say how much the correction altered the change of the mean from the historical run to the scenario."""
    means = rows[rows["metric"] == CHANGE]
    found = means.pivot_table(index="variable", columns="method", values="value", sort=False)
    if RAW not in found:
        return ""
    others = [m for m in found.columns if m != RAW]
    parts = [f"{name} {row[RAW]:.3g} to {row[m]:.3g}" for name, row in found.iterrows() for m in others]
    return f" Change of the mean to the scenario, raw to corrected: {', '.join(parts)}."

"""The scorecard arranged for reading: one table a case, the best marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from finescale.report.display import number
from finescale.report.verdict import FLOOR
from finescale.scores.table import Score, lines, unavailable

METRICS = {
    "crps": ("CRPS of the ensemble (one member: its absolute error)", "least"),
    "crps_behind": ("CRPS above that of the default on the same days", "below"),
    "mae": ("mean absolute error of the ensemble mean", "least"),
    "rmse": ("root mean square error of the ensemble mean", "least"),
    "bias": ("mean error of the ensemble mean", "zero"),
    "spread_skill": ("spread over error of the mean", "one"),
    "pit_reliability": ("unevenness of the ranks", "least"),
    "coverage_50": ("share of truths in the central half of the ensemble", "half"),
    "coverage_90": ("share of truths in the central nine tenths", "nine"),
    "twcrps_p90": ("CRPS above the 90th percentile of the truth", "least"),
    "twcrps_p99": ("CRPS above the 99th percentile of the truth", "least"),
    "brier_p90": ("Brier score of exceeding the 90th percentile", "least"),
    "brier_p99": ("Brier score of exceeding the 99th percentile", "least"),
    "energy": ("energy score of whole fields", "least"),
    "variogram": ("variogram score of whole fields", "least"),
    "field_reliability": ("unevenness of the ranks of whole fields (average rank)", "least"),
    "depth_reliability": ("unevenness of the ranks of whole fields (band depth)", "least"),
    "gradient_ratio": ("steps from cell to cell over those of the truth", "one"),
    "seam_space": ("steps across the edges of coarse cells over those within, against the truth", "one"),
    "melr": ("distance of the spectra, all scales", "least"),
    "melr_over_200km": ("distance of the spectra, over 200 km", "least"),
    "melr_50_200km": ("distance of the spectra, 50 to 200 km", "least"),
    "melr_under_50km": ("distance of the spectra, under 50 km", "least"),
    "p99_mae": ("absolute error of the 99th percentile, cell by cell", "least"),
    "p99_rmse": ("root mean square error of the 99th percentile, cell by cell", "least"),
    "p99_bias": ("mean error of the 99th percentile", "zero"),
    "increment_ratio": ("steps from hour to hour over those of the truth", "one"),
    "seam_time": ("steps into observed hours over the others, against the truth", "one"),
    "temporal_melr": ("distance of the temporal spectra at points", "least"),
    "spacetime_melr": ("distance of the space-time spectra", "least"),
    "coherence_error": ("error of the coherence of wind and pressure, scale by scale", "least"),
    "autocorrelation_error": ("error of the autocorrelation, 1 to 24 hours", "least"),
    "correlation_error": ("error of the correlations between variables", "least"),
    "sliced_wasserstein": ("distance between the clouds of fields (sliced Wasserstein)", "least"),
    "ssim": ("structural similarity of members and truth", "one"),
    "diurnal_rmse": ("error of the mean cycle of the day", "least"),
    "divergence_ratio": ("divergence of the wind over that of the truth", "one"),
    "vorticity_ratio": ("vorticity of the wind over that of the truth", "one"),
    "ageostrophic_ratio": ("unbalanced wind over that of the truth", "one"),
    "advection_ratio": ("residual of heat advection over that of the truth", "one"),
    "flux_ratio": ("gap between fine and coarse flux balance of heat over that of the truth", "one"),
    "storm_depth": ("error of the storm's lowest pressure, Pa", "least"),
    "storm_time": ("error of the hour of the lowest pressure, h", "least"),
    "storm_track": ("distance from the storm's track, km", "least"),
    "storm_hits": ("share of the storm's hours in which members have it too", "one"),
    "storm_wind": ("error of the strongest wind, m/s", "least"),
    "storm_wind_time": ("error of the hour of the strongest wind, h", "least"),
    "storm_duration": ("error of the hours of strong wind, h", "least"),
    "annual_rmse": ("error of the mean cycle of the year", "least"),
    "hot_spell_days": ("share of days in hot spells, less the truth's", "zero"),
    "cold_spell_days": ("share of days in cold spells, less the truth's", "zero"),
    "return_level_10y": ("error of the level exceeded once in ten years", "zero"),
    "change_error": ("change since the earlier climate, less that of the coarse input", "zero"),
    "change_kept": ("share of the coarse input's change that is kept", "one"),
    "conservation": (
        "distance of the area mean from the coarse input's, in its standard deviations",
        "least",
    ),
    "coarse_misfit": ("distance from the coarse input, in its standard deviations", "least"),
    "misfit_over_error": ("distance from the coarse input over the standard error of that input", "one"),
}
GOAL_WORDS = {
    "least": "least is best",
    "zero": "nearest to 0 is best",
    "one": "nearest to 1 is best",
    "half": "nearest to 0.5 is best",
    "nine": "nearest to 0.9 is best",
    "below": "below 0 is ahead of the default",
}
TARGET = {"zero": 0.0, "one": 1.0, "half": 0.5, "nine": 0.9}  # of the goals that are a value to be near to


@dataclass(frozen=True)
class Cell:
    """One value with its interval.

    Attributes:
        text: The value.
        interval: Low and high, empty when there are none.
        mark: `best`, `level` (not told apart from the best) or empty.
    """

    text: str
    interval: str
    mark: str


Table = tuple[list[str], list[tuple[str, list[Cell | None]]]]


def skill_table(card: Sequence[Score], case: str, *, methods: Sequence[str], metric: str = "crps") -> Table:
    """Arrange one metric of one case over all cells and hours.

    Args:
        card: The lines of the scorecard.
        case: The case.
        methods: Rows in the order wanted.
        metric: The metric.

    Returns:
        The variables, and a row a method with one cell a variable (None where there is no such line).
    """
    wanted = (case, metric, "all", "all")
    chosen = [x for x in card if (x.case, x.metric, x.region, x.hours) == wanted]
    names = sorted({x.variable for x in chosen})
    goal = METRICS[metric][1]
    rows: dict[str, list[Cell | None]] = {m: [] for m in methods if any(x.method == m for x in chosen)}
    for name in names:
        column = {x.method: x for x in chosen if x.variable == name}
        contest = [x for x in column.values() if x.method != FLOOR and np.isfinite(x.value)]
        if goal == "below" and contest:  # the default, which is as good as itself, has no line
            contest = [contest[0]._replace(method="", value=0.0, low=0.0, high=0.0), *contest]
        best = min(contest, key=lambda x: _distance(x, goal)[0], default=None)
        for method, cells in rows.items():
            cells.append(_cell(column[method], best, goal) if method in column else None)
    return names, list(rows.items())


def compact(scorecard: pd.DataFrame) -> dict[str, Any]:
    """Pack the whole scorecard for the page: words once, lines as numbers, and why some are missing."""
    card = lines(scorecard)
    names = Score._fields[:6]
    words = {name: list(dict.fromkeys(getattr(x, name) for x in card)) for name in names}
    places = [{word: i for i, word in enumerate(words[name])} for name in names]
    rows = [[*(p[w] for p, w in zip(places, x[:6], strict=True)), *map(_short, x[6:])] for x in card]
    metrics = {m: list(METRICS.get(m, (m, "least"))) for m in words["metric"]}
    lost = unavailable(scorecard[scorecard["value"].isna()])
    reasons = {f"{x.method}|{x.case}|{x.metric}": x.reason for x in lost.itertuples()}
    return {"words": words, "rows": rows, "metrics": metrics, "reasons": reasons}


def _cell(line: Score, best: Score | None, goal: str) -> Cell:
    interval = f"{number(line.low)} to {number(line.high)}" if np.isfinite(line.low) else ""
    mark = ""
    if best is not None and line is best:
        mark = "best"
    elif best is not None and line.method != FLOOR:
        (_, low, high), (_, best_low, best_high) = _distance(line, goal), _distance(best, goal)
        mark = "level" if low <= best_high and high >= best_low else ""
    return Cell(number(line.value), interval, mark)


def _distance(line: Score, goal: str) -> tuple[float, float, float]:
    """Say how far a value is from its goal, and the ends of its interval: errors of either sign are the same."""
    if goal not in TARGET:
        return line.value, line.low, line.high
    value, low, high = (abs(v - TARGET[goal]) for v in (line.value, line.low, line.high))
    reached = line.low <= TARGET[goal] <= line.high
    return value, 0.0 if reached else min(low, high), max(low, high)


def _short(value: float) -> float | None:
    return float(f"{value:.4g}") if np.isfinite(value) else None

"""All figures of the report, and their files."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import xarray as xr

from finescale.grid.grid import Grid
from finescale.report import curves, maps, skill
from finescale.report.canvas import Picture
from finescale.report.case import Case
from finescale.report.diagnosis import diagnose
from finescale.report.places import places


def case_figures(
    case: Case, *, default: str, baseline: str | None, static: xr.Dataset | None, seed: int = 0
) -> dict[str, list[Picture]]:
    """Draw everything about one case.

    Args:
        case: The case.
        default: The method looked at closely.
        baseline: A method drawn beside it on the maps.
        static: `orog` and `sftlf`, for coastlines and places.
        seed: Seed of broken ties between ranks.

    Returns:
        Pictures by section: maps, spectra, ranks, fans, tail.
    """
    found = {
        method: {name: diagnose(case, method, name, seed=seed) for name in case.variables}
        for method in case.ensembles
    }
    grid = Grid.from_dataset(case.truth)
    histogram = curves.ranks(case, found)
    return {
        "maps": [
            maps.hour_maps(case, name, default, other=baseline, static=static) for name in case.variables
        ],
        "fans": [curves.fans(case, default, places(grid, static))],
        "spectra": [curves.spectra(case, found)],
        "ranks": [histogram] if histogram else [],
        "tail": [
            maps.tail_maps(case, name, {m: by[name] for m, by in found.items()}, static=static)
            for name in case.variables
        ],
    }


def skill_figure(scorecard: pd.DataFrame, methods: Sequence[str]) -> Picture:
    """Draw the CRPS of every method with its interval, one panel a case and variable."""
    return skill.bars(scorecard, methods)

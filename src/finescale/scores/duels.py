"""How far every other method is behind the default on the same days, as lines of the scorecard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from finescale.scores.evidence import Evidence, compare
from finescale.scores.table import COLUMNS

BEHIND = "crps_behind"


def behind(
    found: Mapping[str, Evidence], *, default: str, case: str, resamples: int, seed: int
) -> pd.DataFrame:
    """Set every method beside the default, on the variables that both have.

    Args:
        found: The evidence of each method in one case.
        default: The method that the others are compared with; without its evidence there are no lines.
        case: Name of the case, copied into the table.
        resamples: How many times the days are drawn.
        seed: Seed of the resampling.

    Returns:
        Lines of the scorecard: by how much the CRPS is above the default's (negative: it is lower), with the 95 %
        interval of paired days.
    """
    rows = _rows(found, default, case, resamples, seed) if default in found else iter(())
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(
    found: Mapping[str, Evidence], default: str, case: str, resamples: int, seed: int
) -> Iterator[tuple[object, ...]]:
    for method in [m for m in found if m != default]:
        shared = set(found[method].variables) & set(found[default].variables)
        if not shared:
            continue
        sides = (found[m].only(shared) for m in (method, default))
        for name, difference, low, high in compare(*sides, resamples=resamples, seed=seed)[
            ["variable", "difference", "low", "high"]
        ].itertuples(index=False):
            yield method, case, name, "all", "all", BEHIND, difference, low, high

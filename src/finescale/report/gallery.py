"""All figures of one report, arranged by subject."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from finescale.report import animation, figures, skill
from finescale.report.canvas import Picture
from finescale.report.case import Case
from finescale.report.mending import mending

Sections = Mapping[str, Sequence[Picture | str]]
SECTIONS = {
    "maps": (
        "The storm in maps",
        "One hour, all variables: what the coarse model knew and what was made of it.",
    ),
    "fans": ("The storm in time", "The ensemble at a few points, with the truth that it did not see."),
    "tracks": ("The storm's track", "Where the centre of the low went, in the truth and in the members."),
    "ranks": ("Calibration", "Where the truth falls among the members."),
    "spectra": ("Spectra", "How much there is at each scale, in space and in time."),
    "tail": ("Extremes", "The tail of the distribution, cell by cell."),
}


@dataclass(frozen=True)
class Gallery:
    """The figures of a report.

    Attributes:
        skill: CRPS of all methods.
        drawn: By case and section, pictures, or words where there is nothing to draw.
        mended: What the bias correction did.
    """

    skill: Picture
    drawn: Mapping[str, Sections]
    mended: Sequence[Picture]

    @classmethod
    def draw(
        cls,
        cases: Sequence[Case],
        scorecard: pd.DataFrame,
        methods: Sequence[str],
        *,
        default: str,
        baselines: Sequence[str],
        static: xr.Dataset | None,
        bias: pd.DataFrame | None,
        seed: int,
        processes: int = 1,
    ) -> Gallery:
        """Draw everything but the films; arguments as for `page.write_page`, with the methods in their order."""
        laws = partial(figures.law_figures, methods=methods, static=static, seed=seed)
        close = partial(_close, default=default, baselines=baselines, methods=methods, static=static)
        found = _spread([partial(half, case) for case in cases for half in (laws, close)], processes)
        halves = zip(cases, found[::2], found[1::2], strict=True)
        drawn = {case.name: {k: [*a.get(k, ()), *b.get(k, ())] for k in SECTIONS} for case, a, b in halves}
        return cls(skill.bars(scorecard, methods), drawn, [] if bias is None else mending(bias))

    def pictures(self) -> Iterator[Picture]:
        """All pictures, in the order of the page."""
        yield self.skill
        for sections in self.drawn.values():
            for shown in sections.values():
                yield from (p for p in shown if isinstance(p, Picture))
        yield from self.mended

    def sections(self) -> list[dict[str, Any]]:
        """Pictures by subject, then by case."""
        return [
            {
                "key": key,
                "title": heading,
                "lead": lead,
                "cases": [(case, shown[key]) for case, shown in self.drawn.items() if shown.get(key)],
            }
            for key, (heading, lead) in SECTIONS.items()
        ]


def _close(
    case: Case,
    *,
    default: str,
    baselines: Sequence[str],
    methods: Sequence[str],
    static: xr.Dataset | None,
) -> Sections:
    """The storm of one case, with the first baseline that it has beside the method that is looked at."""
    shown = looked_at(case, default)
    beside = next((b for b in baselines if b in case.ensembles and b != shown), None)
    return figures.close_figures(case, default=shown, baseline=beside, methods=methods, static=static)


def _spread(tasks: Sequence[Callable[[], Sections]], processes: int) -> list[Sections]:
    """Draw in processes: matplotlib keeps the interpreter's lock."""
    if processes < 2:
        return [task() for task in tasks]
    with ProcessPoolExecutor(min(processes, len(tasks)), get_context("spawn")) as pool:
        return [done.result() for done in [pool.submit(task) for task in tasks]]


def looked_at(case: Case, default: str) -> str:
    """The method that is drawn in detail: the default, or the first where the case has not got it."""
    return default if default in case.ensembles else next(iter(case.ensembles))


def films(cases: Sequence[Case], default: str, shelf: Path) -> list[tuple[str, str]]:
    """Write the moving picture of every case; give case and file."""
    return [(case.name, animation.animate(case, looked_at(case, default), shelf).name) for case in cases]

"""All figures about one case."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import xarray as xr

from finescale.grid.grid import Grid
from finescale.report import calibration, curves, fans, maps, motion, tracks
from finescale.report.canvas import Picture
from finescale.report.case import Case
from finescale.report.diagnosis import Diagnosis, diagnose
from finescale.report.display import style
from finescale.report.places import places
from finescale.scores.regions import land_share

THREADS = 2  # ensembles read side by side; each is held in memory meanwhile


def case_figures(
    case: Case,
    *,
    default: str,
    baseline: str | None,
    methods: Sequence[str],
    static: xr.Dataset | None,
    seed: int = 0,
) -> dict[str, list[Picture | str]]:
    """Draw everything about one case.

    Args:
        case: The case.
        default: The method looked at closely.
        baseline: A method drawn beside it on the maps.
        methods: All methods of the report; each keeps its colour in every figure.
        static: `orog` and `sftlf`, for coastlines and places.
        seed: Seed of broken ties between ranks.

    Returns:
        Pictures by section: maps, tracks, fans, ranks, spectra, tail; words where there is nothing to draw.
    """
    pairs = list(product(case.ensembles, case.variables))
    with ThreadPoolExecutor(THREADS) as pool:
        each = pool.map(lambda pair: diagnose(case, *pair, seed=seed), pairs)
        found: dict[str, dict[str, Diagnosis]] = {method: {} for method in case.ensembles}
        for (method, name), diagnosis in zip(pairs, each, strict=True):
            found[method][name] = diagnosis
    grid = Grid.from_dataset(case.truth)
    looks = style(methods)
    histograms = [
        calibration.ranks(case, found, looks),
        calibration.field_ranks(case, found, looks, seed=seed),
        calibration.reliability(case, found, looks),
    ]
    close = [m for m in (default, baseline) if m is not None]
    spectra = [
        curves.spectra(case, found, looks),
        curves.temporal(case, found, looks),
        motion.motion(case, close),
    ]
    track = tracks.tracks(case, looks, land_share(static))
    return {
        "maps": [
            maps.hour_maps(case, name, default, other=baseline, static=static) for name in case.variables
        ],
        "fans": [fans.fans(case, default, places(grid, static))],
        "tracks": [] if track is None else [track],
        "spectra": [p for p in spectra if p is not None],
        "ranks": [p for p in histograms if p is not None],
        "tail": [
            maps.tail_maps(case, name, {m: by[name] for m, by in found.items()}, static=static)
            for name in case.variables
        ],
    }

"""All figures about one case, in two halves of about as much work."""

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

Sections = dict[str, list[Picture | str]]


def close_figures(
    case: Case, *, default: str, baseline: str | None, methods: Sequence[str], static: xr.Dataset | None
) -> Sections:
    """Draw the storm of one case, and what moves.

    Args:
        case: The case.
        default: The method looked at closely.
        baseline: A method drawn beside it on the maps.
        methods: All methods of the report; each keeps its colour in every figure.
        static: `orog` and `sftlf`, for coastlines and places.

    Returns:
        Pictures by section: maps, fans, tracks, spectra; words or none where there is nothing to draw.
    """
    track = tracks.tracks(case, style(methods), land_share(static))
    moving = motion.motion(case, [m for m in (default, baseline) if m is not None])
    return {
        "maps": [
            maps.hour_maps(case, name, default, other=baseline, static=static) for name in case.variables
        ],
        "fans": [fans.fans(case, default, places(Grid.from_dataset(case.truth), static))],
        "tracks": [] if track is None else [track],
        "spectra": [] if moving is None else [moving],
    }


def law_figures(case: Case, *, methods: Sequence[str], static: xr.Dataset | None, seed: int = 0) -> Sections:
    """Draw what all hours of one case say: ranks, spectra and tails.

    Args:
        case: The case.
        methods: As in `close_figures`.
        static: As in `close_figures`.
        seed: Seed of broken ties between ranks.

    Returns:
        Pictures by section: spectra, ranks, tail.
    """
    pairs = list(product(case.ensembles, case.variables))
    with ThreadPoolExecutor(THREADS) as pool:
        each = pool.map(lambda pair: diagnose(case, *pair, seed=seed), pairs)
        found: dict[str, dict[str, Diagnosis]] = {method: {} for method in case.ensembles}
        for (method, name), diagnosis in zip(pairs, each, strict=True):
            found[method][name] = diagnosis
    looks = style(methods)
    histograms = [
        calibration.ranks(case, found, looks),
        calibration.field_ranks(case, found, looks, seed=seed),
        calibration.reliability(case, found, looks),
    ]
    spectra = [curves.spectra(case, found, looks), curves.temporal(case, found, looks)]
    return {
        "spectra": [p for p in spectra if p is not None],
        "ranks": [p for p in histograms if p is not None],
        "tail": [
            maps.tail_maps(case, name, {m: by[name] for m, by in found.items()}, static=static)
            for name in case.variables
        ],
    }

"""The scores that are formulas of hourly means, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from finescale.scores import accuracy, ensemble
from finescale.scores.bootstrap import Formula, Means


def mean_of(name: str) -> Formula:
    """Make the formula of a score that is itself a mean over hours."""

    def formula(means: Means, members: int) -> NDArray[np.float64]:
        return means[name]

    return formula


def of_ranks(name: str) -> Formula:
    """Make the formula of the unevenness of a histogram of ranks."""

    def formula(means: Means, members: int) -> NDArray[np.float64]:
        if members < 2:
            return np.full(means[name].shape[:-1], np.nan)
        return ensemble.unevenness(means[name])

    return formula


def ratio(name: str) -> Formula:
    """Make the formula of members over truth, as a root of a ratio of mean squares; 1 is right."""

    def formula(means: Means, members: int) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.sqrt(means[name] / means[f"true_{name}"])
        return np.where(means[f"true_{name}"] > 0, found, np.nan)

    return formula


Formulas = dict[str, Callable[[Means, int], NDArray[np.float64]]]
REGIONAL: Formulas = {
    "mae": accuracy.mae,
    "rmse": accuracy.rmse,
    "bias": accuracy.bias,
    "crps": ensemble.crps,
    "spread_skill": ensemble.spread_skill,
    "pit_reliability": ensemble.pit_reliability,
    "coverage_50": partial(ensemble.coverage, level=0.5),
    "coverage_90": partial(ensemble.coverage, level=0.9),
    **{
        f"{score}_{level}": mean_of(f"{score}_{level}")
        for score in ("brier", "twcrps")
        for level in ("p90", "p99")
    },
}
WHOLE: Formulas = {
    "energy": mean_of("energy"),
    "variogram": mean_of("variogram"),
    "field_reliability": of_ranks("average"),
    "depth_reliability": of_ranks("depth"),
    "gradient_ratio": ratio("gradient"),
    "increment_ratio": ratio("increment"),
    "seam_space": lambda means, members: ratio("seam")(means, members) / ratio("gradient")(means, members),
}
PHYSICS: Formulas = {
    f"{name}_ratio": ratio(name) for name in ("divergence", "vorticity", "ageostrophic", "advection", "flux")
}
JOINT = ("energy", "field_reliability", "depth_reliability")
ENSEMBLE_ONLY = (
    "spread_skill",
    "pit_reliability",
    "coverage_50",
    "coverage_90",
    "field_reliability",
    "depth_reliability",
)
NEEDS_MEMBERS = dict.fromkeys(ENSEMBLE_ONLY, 2)
# Why a metric other than those can be missing.
REASONS = {
    **dict.fromkeys(
        ("storm_hits", "storm_wind", "storm_wind_time", "storm_duration"),
        "the truth has no low inside the domain: no storm crosses it",
    ),
    **dict.fromkeys(
        ("storm_depth", "storm_time", "storm_track"),
        "no low inside the domain, in the truth or in any member",
    ),
    "temporal_melr": "it needs two days of hours",
    "spacetime_melr": "it needs two days of hours",
    "annual_rmse": "it needs every month of a year",
    "return_level_10y": "it needs five whole years",
    "change_kept": "the coarse input hardly changes: there is no signal to keep",
}
# One number for the whole period: resampled days would tear the storm or the cloud of fields apart.
WITHOUT_INTERVAL = (
    "sliced_wasserstein",
    "diurnal_rmse",
    "annual_rmse",
    "hot_spell_days",
    "cold_spell_days",
    "change_error",
    "change_kept",
    "storm_depth",
    "storm_time",
    "storm_track",
    "storm_hits",
    "storm_wind",
    "storm_wind_time",
    "storm_duration",
)

"""Choose a method's constants on validation data: a grid of candidates, each judged by its CRPS.

What is called `std` is chosen for each variable by itself; all else for all variables together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import xarray as xr

from finescale.grid.grid import Grid
from finescale.scores import ensemble

PER_VARIABLE = "std"


@dataclass(frozen=True)
class Trial:
    """One choice of constants and how it did.

    Attributes:
        values: the constants by name.
        crps: fair CRPS of each variable over the standard deviation of the truth.
        spread_skill: spread over error of each variable; 1 is calibrated.
    """

    values: Mapping[str, float]
    crps: Mapping[str, float]
    spread_skill: Mapping[str, float]

    @property
    def total(self) -> float:
        """CRPS averaged over the variables."""
        return float(np.mean(list(self.crps.values())))


def grid_of(candidates: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    """Every combination of the candidates."""
    given = {name: values for name, values in candidates.items() if values}
    return [dict(zip(given, chosen, strict=True)) for chosen in product(*given.values())]


def judge(values: Mapping[str, float], drawn: xr.Dataset, truth: xr.Dataset) -> Trial:
    """Score an ensemble ``[member, time, lat, lon]`` against the truth of its hours."""
    area, members = Grid.from_dataset(truth).area[None], drawn.sizes["member"]
    crps, ratio = {}, {}
    for name in map(str, drawn.data_vars):
        x = drawn[name].transpose("member", "time", "lat", "lon").to_numpy()
        o = truth[name].sel(time=drawn["time"]).transpose("time", "lat", "lon").to_numpy()
        found = ensemble.hourly_statistics(x, o, area, variable=name)
        means = {key: value.mean(axis=0) for key, value in found.items()}
        crps[name] = float(ensemble.crps(means, members)[0] / max(float(o.std()), 1e-12))
        ratio[name] = float(ensemble.spread_skill(means, members)[0])
    return Trial(dict(values), crps, ratio)


def choose(trials: Sequence[Trial]) -> dict[str, float | dict[str, float]]:
    """The constants with the least CRPS; `std` becomes one number for each variable."""
    groups: dict[tuple[tuple[str, float], ...], list[Trial]] = {}
    for trial in trials:
        key = tuple((k, v) for k, v in trial.values.items() if k != PER_VARIABLE)
        groups.setdefault(key, []).append(trial)
    best: dict[str, float | dict[str, float]] = {}
    least = np.inf
    for key, group in groups.items():
        winner = {name: min(group, key=lambda t: t.crps[name]) for name in group[0].crps}
        total = float(np.mean([trial.crps[name] for name, trial in winner.items()]))
        if total < least:
            least, best = total, dict(key)
            if PER_VARIABLE in group[0].values:
                best[PER_VARIABLE] = {name: trial.values[PER_VARIABLE] for name, trial in winner.items()}
    return best

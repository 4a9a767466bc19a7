"""How far a model's climate lies from the reference's, before and after correction, as lines of the scorecard.

Statistics are compared, not days. Errors are absolute differences of a statistic in each cell, averaged over the
area, so that too warm here cannot make up for too cold there; ``mean_bias`` alone keeps its sign.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from finescale.bias.compiled import Floats
from finescale.bias.grouping import Grouping
from finescale.errors import FinescaleError

COLUMNS = ("method", "case", "variable", "region", "hours", "metric", "value", "low", "high")
FEWEST_YEARS = 5
"""Fewer years than this say nothing about the spread between years: low and high stay empty."""


def cycle(values: Floats, labels: NDArray[np.int64]) -> Floats:
    """Mean of each label about the mean of them all [label, cell]; values [time, cell]."""
    means = np.stack([values[labels == k].mean(axis=0) for k in np.unique(labels)])
    return np.asarray(means - means.mean(axis=0))


Statistic = Callable[[Floats, NDArray[np.int64], NDArray[np.int64]], Floats]
"""(values [time, cell], month [time], minute of the day [time]) -> statistics [k, cell]."""

STATISTICS: Mapping[str, Statistic] = {
    "mean_error": lambda x, month, minute: x.mean(axis=0, keepdims=True),
    "std_error": lambda x, month, minute: x.std(axis=0, keepdims=True),
    "p01_error": lambda x, month, minute: np.quantile(x, 0.01, axis=0, keepdims=True),
    "p99_error": lambda x, month, minute: np.quantile(x, 0.99, axis=0, keepdims=True),
    "annual_cycle_error": lambda x, month, minute: cycle(x, month),
    "diurnal_cycle_error": lambda x, month, minute: cycle(x, minute),
}


def table(
    reference: xr.Dataset,
    runs: Mapping[str, xr.Dataset],
    *,
    case: str,
    resamples: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """Errors of each run's climate against the reference's.

    Give both sides the same years: a winter more on one side is an error of the mean that no correction made.

    Args:
        reference: the truth's climate [time, lat, lon].
        runs: by the name of the method, for example ``{"raw": historical, "qdm": corrected}``, in the same units.
        case: copied into the table.
        resamples: draws of whole years (of the run and of the reference) behind the 95 % intervals.
        seed: of those draws.

    Returns:
        One row a method, variable and metric, in the columns of the scorecard; correlations between two variables
        stand under the variable ``a-b``.
    """
    rows = []
    for method, run in runs.items():
        names = [str(v) for v in run.data_vars if v in reference.data_vars and "time" in run[v].dims]
        if not names:
            raise FinescaleError(
                f"runs are compared in the variables of both sides: {method} has none of the reference's; rename them"
            )
        data = {name: (_Series(reference[name]), _Series(run[name])) for name in names}
        for name, (truth, model) in data.items():
            rng = np.random.default_rng(seed)
            for metric, value, low, high in _univariate(truth, model, resamples, rng):
                rows.append((method, case, name, "all", "all", metric, value, low, high))
        for k, first in enumerate(names):
            for second in names[k + 1 :]:
                error = _correlation_error(data[first], data[second])
                rows.append(
                    (
                        method,
                        case,
                        f"{first}-{second}",
                        "all",
                        "all",
                        "correlation_error",
                        error,
                        np.nan,
                        np.nan,
                    )
                )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def change_table(runs: Mapping[str, tuple[xr.Dataset, xr.Dataset]], *, case: str) -> pd.DataFrame:
    """Change from one period to another in each run, over all cells: ``mean_change`` and ``p99_change``.

    Args:
        runs: (earlier, later) by the name of the method, for example ``{"raw": (historical, scenario), "qdm": (...)}``.
        case: copied into the table.
    """
    rows = []
    for method, (before, after) in runs.items():
        for name in (str(v) for v in before.data_vars if v in after.data_vars and "time" in before[v].dims):
            earlier, later = _Series(before[name]), _Series(after[name])
            for metric, statistic in (
                ("mean_change", STATISTICS["mean_error"]),
                ("p99_change", STATISTICS["p99_error"]),
            ):
                change = later.statistic(statistic) - earlier.statistic(statistic)
                value = float(np.average(change[0], weights=earlier.weights))
                rows.append((method, case, name, "all", "all", metric, value, np.nan, np.nan))
    return pd.DataFrame(rows, columns=list(COLUMNS))


class _Series:
    """One variable as [time, cell], without the cells that have no value, and the weights of its cells."""

    def __init__(self, array: xr.DataArray) -> None:
        array = array.transpose("time", ...)
        flat = array.to_numpy().reshape(array.sizes["time"], -1).astype(np.float64)
        self.here = ~np.isnan(flat).all(axis=0)
        self.values = flat
        self.year = np.asarray(array.time.dt.year, dtype=np.int64)
        self.month = np.asarray(array.time.dt.month, dtype=np.int64)
        self.groups = Grouping("month").index(array.time, Grouping("month").hour_classes(array.time)).group
        self.minute = self.groups // 12
        weights = xr.ones_like(array.isel(time=0, drop=True), dtype=np.float64)
        if "lat" in array.coords:
            weights = weights * xr.DataArray(np.cos(np.deg2rad(array["lat"].values)), dims=array["lat"].dims)
        self.weights = weights.to_numpy().ravel()

    def statistic(self, of: Statistic, steps: NDArray[np.intp] | slice = slice(None)) -> Floats:
        return of(self.values[steps], self.month[steps], self.minute[steps])

    def draw(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Steps of as many whole years, drawn with replacement."""
        years = np.unique(self.year)
        return np.concatenate([np.flatnonzero(self.year == y) for y in rng.choice(years, size=years.size)])


def _univariate(
    truth: _Series, model: _Series, resamples: int, rng: np.random.Generator
) -> list[tuple[str, float, float, float]]:
    here = truth.here & model.here
    weights = truth.weights[here]
    if not here.any():
        raise FinescaleError(
            "runs are compared where both sides have values: no cell has any on both; look at the masks"
        )
    one_hour = np.unique(truth.minute).size == 1
    metrics = {m: s for m, s in STATISTICS.items() if m != "diurnal_cycle_error" or not one_hour}

    def errors(a: NDArray[np.intp] | slice, b: NDArray[np.intp] | slice) -> dict[str, float]:
        out = {}
        for metric, statistic in metrics.items():
            apart = (model.statistic(statistic, b) - truth.statistic(statistic, a))[:, here]
            out[metric] = float(np.average(np.abs(apart).mean(axis=0), weights=weights))
            if metric == "mean_error":
                out["mean_bias"] = float(np.average(apart[0], weights=weights))
        return out

    values = errors(slice(None), slice(None))
    enough = min(np.unique(s.year).size for s in (truth, model)) >= FEWEST_YEARS and resamples > 0
    drawn = [errors(truth.draw(rng), model.draw(rng)) for _ in range(resamples if enough else 0)]
    rows = []
    for metric, value in values.items():
        # Quantiles of redrawn absolute errors would lie above the error itself: chance only adds to it.
        reach = 1.96 * float(np.std([d[metric] for d in drawn], ddof=1)) if drawn else np.nan
        low = value - reach if metric == "mean_bias" or not drawn else max(value - reach, 0.0)
        rows.append((metric, value, low, value + reach))
    return rows


def _correlation_error(first: tuple[_Series, _Series], second: tuple[_Series, _Series]) -> float:
    """Mean difference of the correlation between two variables, within months and hours."""
    here = np.logical_and.reduce([s.here for s in (*first, *second)])
    truth, model = (_correlation(a, b)[:, here] for a, b in zip(first, second, strict=True))
    return float(np.average(np.abs(truth - model).mean(axis=0), weights=first[0].weights[here]))


def _correlation(first: _Series, second: _Series) -> Floats:
    """Correlation in each month and hour [month and hour, cell]."""
    out = []
    for g in np.unique(first.groups):
        a, b = (s.values[s.groups == g] for s in (first, second))
        a, b = a - a.mean(axis=0), b - b.mean(axis=0)
        spread = a.std(axis=0) * b.std(axis=0)
        out.append((a * b).mean(axis=0) / np.where(spread > 0.0, spread, 1.0))
    return np.stack(out)

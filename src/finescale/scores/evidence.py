"""Evidence for a comparison of two methods on the same hours: sums by day, small enough to be kept with a model.

Differences are judged on the same resampled days for both (paired), so that weather which is hard for both does not
count as noise between them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.grid.grid import Grid
from finescale.scores import checks, ensemble, hourly
from finescale.scores.bootstrap import DayBootstrap, Means
from finescale.scores.hours import Hours

PLAIN = ("crps", "sq_error", "variance")


@dataclass(frozen=True)
class Evidence:
    """What a method did on held-out days.

    Attributes:
        table: One row a variable and day: ``variable, day, hours``, sums over the day's hours of ``crps, sq_error,
            variance`` (area means) and ``rank_0 .. rank_M`` (frequencies).
    """

    table: pd.DataFrame

    @property
    def members(self) -> int:
        """Members of the ensemble."""
        return sum(str(name).startswith("rank_") for name in self.table.columns) - 1

    @property
    def variables(self) -> list[str]:
        """Names of the fields."""
        return sorted(set(self.table["variable"]))

    def days(self, variable: str) -> NDArray[np.int64]:
        """Number and hours of each day of a variable, in order ``[days, 2]``."""
        mine = self.table[self.table["variable"] == variable].sort_values("day")
        return mine[["day", "hours"]].to_numpy(dtype=np.int64)

    def only(self, names: Collection[str]) -> Evidence:
        """The evidence of some of the fields."""
        return Evidence(self.table[self.table["variable"].isin(names)])

    def means(self, variable: str, *, resamples: int, seed: int) -> Means:
        """Means of each statistic over all hours and over resampled days ``[1 + resamples, ...]``."""
        mine = self.table[self.table["variable"] == variable].sort_values("day")
        draws = DayBootstrap.draw(np.arange(len(mine)), resamples=resamples, seed=seed).weights
        hours = draws @ mine["hours"].to_numpy(dtype=np.float64)
        ranks = [f"rank_{k}" for k in range(self.members + 1)]
        found = {name: (draws @ mine[name].to_numpy(dtype=np.float64)) / hours for name in PLAIN}
        return found | {"ranks": (draws @ mine[ranks].to_numpy(dtype=np.float64)) / hours[:, None]}


def gather(found: xr.Dataset, truth: xr.Dataset, *, seed: int, threads: int = 1) -> Evidence:
    """Reduce an ensemble and the truth of the same hours to daily sums, block by block.

    Args:
        found: Fields ``[member, time, lat, lon]``.
        truth: Fields ``[time, lat, lon]``.
        seed: Breaks ties between ranks.
        threads: Threads used.
    """
    grid = Grid.from_dataset(truth)
    x, o, names = checks.paired(found, truth, grid)
    day = Hours.of(o["time"], 1).day
    rows = [row for name in names for row in _rows(x[name], o[name], day, grid.area[None], seed, threads)]
    return Evidence(pd.DataFrame(rows))


def _rows(
    x: xr.DataArray,
    o: xr.DataArray,
    day: NDArray[np.int64],
    area: NDArray[np.float64],
    seed: int,
    threads: int,
) -> Iterator[dict[str, object]]:
    name = str(x.name)
    parts: list[Means] = []
    for block in hourly.blocks(x):
        values = checks.whole(x.isel(time=block).to_numpy(), name, "ensemble")
        true = checks.whole(o.isel(time=block).to_numpy(), name, "truth")
        parts.append(
            ensemble.hourly_statistics(
                values, true, area, seed=seed, variable=name, first_hour=block.start, threads=threads
            )
        )
    hours = {key: np.concatenate([part[key] for part in parts])[:, 0] for key in (*PLAIN, "ranks")}
    for number in range(int(day.max()) + 1):
        mine = day == number
        plain = {key: float(hours[key][mine].sum()) for key in PLAIN}
        ranks = hours["ranks"][mine].sum(axis=0)
        yield {
            "variable": name,
            "day": number,
            "hours": int(mine.sum()),
            **plain,
            **{f"rank_{k}": float(value) for k, value in enumerate(ranks)},
        }


def compare(challenger: Evidence, champion: Evidence, *, resamples: int, seed: int) -> pd.DataFrame:
    """Set two methods side by side, variable by variable.

    Returns:
        One row a variable: ``crps`` of both, their ``difference`` (negative: the challenger is better) with the 95 %
        interval ``low .. high`` of paired resampled days, and of both ``spread_skill`` (1 is right) and
        ``pit_reliability`` (0 is right), NaN for one member.
    """
    if challenger.variables != champion.variables:
        raise FinescaleError(
            f"two methods are compared on the same variables: {', '.join(challenger.variables)} and "
            f"{', '.join(champion.variables)}; register a model of the same ones"
        )
    return pd.DataFrame(
        [_side_by_side(name, challenger, champion, resamples, seed) for name in challenger.variables]
    )


def _side_by_side(
    name: str, challenger: Evidence, champion: Evidence, resamples: int, seed: int
) -> dict[str, object]:
    days = [side.days(name) for side in (challenger, champion)]
    if not np.array_equal(days[0], days[1]):
        lengths = " and ".join(f"{len(d)} days of {int(d[:, 1].sum())} hours" for d in days)
        raise FinescaleError(
            f"two methods are compared on the same days: {name} has {lengths}; score both on one period"
        )
    row: dict[str, object] = {"variable": name}
    crps = []
    for label, side in (("challenger", challenger), ("champion", champion)):
        means = side.means(name, resamples=resamples, seed=seed)
        crps.append(means["crps"])
        row[f"crps_{label}"] = float(means["crps"][0])
        for metric in ("spread_skill", "pit_reliability"):
            value = getattr(ensemble, metric)(means, side.members)[0] if side.members > 1 else np.nan
            row[f"{metric}_{label}"] = float(value)
    bootstrap = DayBootstrap.draw(np.arange(len(days[0])), resamples=resamples, seed=seed)
    row["difference"], row["low"], row["high"] = bootstrap.interval(crps[0] - crps[1])
    return row

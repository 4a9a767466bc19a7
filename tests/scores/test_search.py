"""The search for constants finds what is known to be best."""

import numpy as np
import pytest
import xarray as xr

from finescale.grid.grid import Grid
from finescale.scores.search import Trial, choose, grid_of, judge

GRID = Grid(tuple(48 + 0.1 * np.arange(6)), tuple(7 + 0.1 * np.arange(6)))


def ensemble(spread: dict[str, float]) -> tuple[xr.Dataset, xr.Dataset]:
    """Members and a truth that are draws of one law where the spread is one."""
    rng = np.random.default_rng(0)
    time = xr.date_range("2001-01-01", periods=48, freq="h")
    truth, drawn = {}, {}
    for name, size in spread.items():
        o, x = rng.standard_normal((48, 6, 6)), rng.standard_normal((8, 48, 6, 6))
        truth[name] = (("time", "lat", "lon"), 3 * o)
        drawn[name] = (("member", "time", "lat", "lon"), 3 * size * x)
    coords = {"time": time, **GRID.coords()}
    return xr.Dataset(drawn, coords=coords), xr.Dataset(truth, coords=coords)


def trial(values: dict[str, float]) -> Trial:
    """One candidate whose `std` is the ensemble's spread; `gamma` spoils it."""
    spoilt = 1 + values["gamma"]
    drawn, truth = ensemble({"tas": spoilt * values["std"], "uas": spoilt * 2 * values["std"]})
    return judge(values, drawn, truth)


def test_scores_are_those_of_the_law() -> None:
    found = judge({}, *ensemble({"tas": 1.0}))
    # CRPS of a standard normal forecast of its own draws: 1 / sqrt(pi); the fair one of 8 members has that mean.
    assert found.crps["tas"] == pytest.approx(1 / np.sqrt(np.pi), rel=0.03)
    assert found.spread_skill["tas"] == pytest.approx(1.0, abs=0.03)
    assert found.total == found.crps["tas"]


def test_each_variable_gets_its_own_std_and_all_share_the_rest() -> None:
    grid = grid_of({"gamma": (0.0, 2.0), "std": (0.25, 0.5, 1.0, 3.0), "churn": ()})
    assert len(grid) == 8
    assert choose([trial(values) for values in grid]) == {"gamma": 0.0, "std": {"tas": 1.0, "uas": 0.5}}

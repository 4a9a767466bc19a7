"""A small world for the scores: a grid, its coarsening, a calibrated ensemble."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid

UNITS = {"psl": "Pa", "tas": "K", "uas": "m s-1", "vas": "m s-1", "pr": "kg m-2 s-1"}


@pytest.fixture(scope="session")
def coarsening():
    grid = Grid(tuple(47 + 0.1 * np.arange(12)), tuple(6 + 0.15 * np.arange(16)))
    return Coarsening(grid, grid.coarsen(4))


@pytest.fixture
def fields(coarsening):
    """Make a Dataset of independent normal fields; every call with the same seed gives the same one."""

    def make(seed, *, members=None, hours=24 * 8, names=("tas",), mean=0.0, spread=1.0, start="2003-01-05"):
        rng = np.random.default_rng(seed)
        shape = (() if members is None else (members,)) + (hours, *coarsening.fine.shape)
        dims = (() if members is None else ("member",)) + ("time", "lat", "lon")
        data = {
            n: (dims, (mean + spread * rng.normal(size=shape)).astype(np.float32), {"units": UNITS[n]})
            for n in names
        }
        coords = coarsening.fine.coords() | {"time": pd.date_range(start, periods=hours, freq="h")}
        return xr.Dataset(data, coords=coords)

    return make


@pytest.fixture
def static(coarsening):
    rows, columns = coarsening.fine.shape
    land = np.zeros((rows, columns))
    land[:, columns // 2 :] = 1.0
    height = np.zeros((rows, columns))
    height[2:6, 10:14] = np.random.default_rng(0).random((4, 4)) * 1000
    coords = coarsening.fine.coords()
    return xr.Dataset({"sftlf": (("lat", "lon"), land), "orog": (("lat", "lon"), height)}, coords=coords)


@pytest.fixture
def pick():
    """Look one value up in a scorecard."""

    def value(table, metric, *, variable="tas", region="all", hours="all", column="value"):
        keys = {"metric": metric, "variable": variable, "region": region, "hours": hours}
        rows = table
        for name, wanted in keys.items():
            rows = rows[rows[name] == wanted]
        assert len(rows) == 1, (keys, len(rows))
        return float(rows[column].iloc[0])

    return value

"""A small case for the report: a truth with a storm, its coarse input, two ensembles, and their scorecard."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.report.case import Case
from finescale.report.page import write_page
from finescale.scores import scorecard, table

HOURS = 24 * 6
STORM = 83
GATE = pd.DataFrame(
    {
        "gate": "gcm",
        "dataset": "TWIN",
        "variable": ["tas", "psl"],
        "rule": ["range", "units"],
        "status": ["pass", "waived"],
        "waiver": ["", "known since 2001 & harmless <b>"],
    }
)


@pytest.fixture(scope="session")
def coarsening():
    grid = Grid(tuple(47 + 0.1 * np.arange(12)), tuple(6 + 0.15 * np.arange(16)))
    return Coarsening(grid, grid.coarsen(4))


@pytest.fixture(scope="session")
def static(coarsening):
    rows, columns = coarsening.fine.shape
    land = np.repeat((np.arange(columns) >= 6)[None] * 100.0, rows, axis=0)
    height = np.zeros((rows, columns))
    height[8, 11] = 900.0
    return xr.Dataset(
        {"sftlf": (("lat", "lon"), land), "orog": (("lat", "lon"), height)}, coords=coarsening.fine.coords()
    )


@pytest.fixture(scope="session")
def truth(coarsening):
    rng = np.random.default_rng(0)
    shape = (HOURS, *coarsening.fine.shape)
    psl = 101_300 + 100 * rng.normal(size=shape)
    psl[STORM, 4, 4] = 96_000
    tas = 280 + rng.normal(size=shape)
    data = {
        "psl": (("time", "lat", "lon"), psl.astype(np.float32), {"units": "Pa"}),
        "tas": (("time", "lat", "lon"), tas.astype(np.float32), {"units": "K"}),
    }
    time = pd.date_range("2003-01-05", periods=HOURS, freq="h")
    return xr.Dataset(data, coords=coarsening.fine.coords() | {"time": time})


def around(truth, spread, members):
    """Give an ensemble around the truth."""
    rng = np.random.default_rng(members)
    scale = {"psl": 100 * spread, "tas": spread}
    data = {}
    for name, s in scale.items():
        shift = s * rng.normal(size=truth[name].shape)
        noise = s * rng.normal(size=(members, *truth[name].shape))
        values = (truth[name].to_numpy() + shift + noise).astype(np.float32)
        data[name] = (("member", "time", "lat", "lon"), values, dict(truth[name].attrs))
    return xr.Dataset(data, coords=truth.coords)


@pytest.fixture(scope="session")
def case(truth, coarsening):
    ensembles = {"bilinear": around(truth, 2.0, 1).isel(member=0), "ours": around(truth, 0.5, 5)}
    return Case("perfect", truth, coarsening.apply(truth), ensembles)


@pytest.fixture(scope="session")
def card(case, coarsening, static):
    behind = [table.Score("bilinear", case.name, "tas", "all", "all", "crps_behind", 0.6, 0.5, 0.7)]
    return table.concat(
        [
            scorecard.score(
                ds,
                case.truth,
                method=method,
                case=case.name,
                static=static,
                coarsening=coarsening,
                coarse=case.coarse,
                resamples=40,
            )
            for method, ds in case.ensembles.items()
        ]
        + [pd.DataFrame(behind)]
    )


@pytest.fixture(scope="session")
def written(tmp_path_factory, card, case, static):
    def write(folder):
        return write_page(
            folder,
            card,
            cases=[case],
            static=static,
            default="ours",
            gates=[GATE],
            bias=pd.DataFrame({"variable": ["tas"], "before": [1.25], "after": [0.01]}),
            provenance={"seed": 7, "data": {"reference": "a <script>alert(1)</script>"}},
        )

    return [write(tmp_path_factory.mktemp("a report with spaces") / name) for name in ("a", "b")]

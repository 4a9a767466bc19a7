"""The invented world's two climate models against the truth behind them, in years that the correction has not seen."""

import numpy as np
import pytest
import xarray as xr

from finescale.bias.correction import fit
from finescale.climate.twin.gcm import models, simulate
from finescale.climate.twin.world import World
from finescale.climate.variables import VARIABLES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

CALIBRATION, UNSEEN = ("2001-01-01", "2008-12-30"), slice("2009-01-01", "2012-12-30")
PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)
NAMES = ("psl", "tas", "uas", "vas")
WORLD = World(
    seed=5, cells=16, factor=4, reference=("2001-01-01", "2001-01-31"), historical=("2001-01-01", "2012-12-30"),
    scenario=("2015-01-01", "2022-12-30"), truth=("2016-01-05", "2016-01-06"), storm="2001-01-18T12",
)  # fmt: skip


def coarse(run, fields):
    dims = ("time", "lat", "lon")
    data = {n: (dims, fields[n], {"units": VARIABLES[n].units}) for n in NAMES}
    return xr.Dataset(data, {"time": run.clock.time.values, **run.model.grid.coords()})


@pytest.fixture(scope="module", params=["TWIN-STD", "TWIN-360"])
def twin(request):
    """Model, truth and corrected model, historical and scenario."""
    model = next(m for m in models(WORLD) if m.name == request.param)
    runs = {name: simulate(WORLD, model, name) for name in ("historical", "ssp245")}
    raw = {name: coarse(run, run.output) for name, run in runs.items()}
    truth = {name: coarse(run, run.truth) for name, run in runs.items()}
    correction = fit(truth["historical"], raw["historical"], method="qdm", calibration=CALIBRATION)
    return raw, truth, {name: correction.apply(run) for name, run in raw.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_twentieth_of_the_bias_is_left_in_unseen_years(twin, name, record_property):
    raw, truth, corrected = (side["historical"][name].sel(time=UNSEEN).load() for side in twin)
    before, after = (abs(float(side.mean() - truth.mean())) for side in (raw, corrected))
    true = truth.quantile(PROBABILITIES, "time")
    quantiles = [
        np.abs(side.quantile(PROBABILITIES, "time") - true).mean(("lat", "lon")) for side in (raw, corrected)
    ]
    record_property("mean", (before, after))
    record_property("quantiles", [q.values.tolist() for q in quantiles])
    print(f"{name}: mean {before:.3g} -> {after:.3g}; quantiles", *(np.round(q.values, 3) for q in quantiles))
    assert after <= 0.05 * before
    assert (quantiles[1] <= 0.05 * quantiles[0].max()).all()
    assert float(quantiles[1].mean()) <= 0.05 * float(quantiles[0].mean())


def test_the_true_warming_is_kept(twin, record_property):
    raw, truth, corrected = twin
    changes = [
        float(side["ssp245"]["tas"].mean() - side["historical"]["tas"].mean())
        for side in (raw, truth, corrected)
    ]
    record_property("warming", changes)
    print("warming raw, true, corrected", *(f"{c:.4f}" for c in changes))
    assert changes[2] == pytest.approx(changes[1], rel=0.05)

"""CNRM-CM5 against E-OBS over Iberia: winters, land, units of their own; judged in winters the correction has not seen.

E-OBS is brought to the cells of the model. Twenty winters are cut into four folds of five; each fold is corrected by
a map fitted to the other fifteen, and the twenty corrected winters are set against the twenty observed. Biases are
absolute differences in each cell, averaged over the land: the mean over cells of the signed bias of the 99th
percentile of rain is close to nothing already in the raw model (too dry in the north, too wet in the south), so it
measures nothing.
"""

import numpy as np
import pytest
import xarray as xr

from finescale.bias.correction import fit
from finescale.bias.grouping import Grouping
from finescale.bias.plan import Options
from finescale.grid.grid import Grid
from finescale.grid.regrid import conservative

SETTINGS = {"grouping": Grouping("season"), "options": Options(quantiles=100, missing="mask")}
STATISTICS = {"mean": lambda x: x.mean(axis=0), "p99": lambda x: np.quantile(x, 0.99, axis=0)}


@pytest.fixture(scope="module")
def iberia(real_data):
    """Observations on the cells of the model, its two periods, and the land cells."""
    folder = real_data / "train" / "iberia"
    names = (
        "eobs_fine_daily_djf_1983-2002",
        "cmip5_cnrm-cm5_coarse_historical_daily_djf_1983-2002",
        "cmip5_cnrm-cm5_coarse_rcp85_daily_djf_2081-2100",
    )
    fine, historical, future = (xr.load_dataset(folder / f"{n}.nc")[["tas", "pr"]] for n in names)
    reference = conservative(fine, Grid.from_dataset(historical))
    land = reference.to_array().notnull().all(("variable", "time")).values
    assert land.sum() > 30
    return reference, historical, future, land


def winters(ds):
    """Year in which each step's winter ends [time]."""
    return np.asarray(ds.time.dt.year + (ds.time.dt.month == 12))


def cross_validated(reference, historical, method):
    out = []
    for fold in np.array_split(np.unique(winters(historical)), 4):
        seen = [ds.isel(time=np.flatnonzero(~np.isin(winters(ds), fold))) for ds in (reference, historical)]
        unseen = historical.isel(time=np.flatnonzero(np.isin(winters(historical), fold)))
        out.append(fit(*seen, method=method, **SETTINGS).apply(unseen))
    return xr.concat(out, "time").sortby("time")


@pytest.mark.parametrize("method", ["eqm", "dqm", "qdm"])
def test_biases_fall_by_four_fifths_in_winters_not_seen(iberia, method):
    reference, historical, _, land = iberia
    corrected = cross_validated(reference, historical, method)
    assert corrected.time.identical(historical.time)
    truth = {"tas": reference.tas + 273.15, "pr": reference.pr / 86400.0}
    for name in ("tas", "pr"):
        for label, statistic in STATISTICS.items():
            observed = statistic(truth[name].values[:, land])
            before, after = (
                np.abs(statistic(ds[name].values[:, land]) - observed).mean()
                for ds in (historical, corrected)
            )
            assert after <= 0.2 * before, (name, label, after / before)


def test_the_change_to_the_end_of_the_century_is_the_models(iberia):
    reference, historical, future, land = iberia
    fitted = fit(reference, historical, method="qdm", **SETTINGS)
    runs = {"raw": (historical, future), "qdm": (fitted.apply(historical), fitted.apply(future))}
    warming = {
        m: float((b.tas.values - a.tas.values[: len(b.tas)])[:, land].mean()) for m, (a, b) in runs.items()
    }
    assert warming["raw"] > 2.0
    assert warming["qdm"] == pytest.approx(warming["raw"], rel=0.01)
    # Of amounts the relative change of each quantile is kept, which is not that of the mean.
    for p in (0.8, 0.9, 0.95, 0.99):
        change = {
            m: np.mean([np.quantile(x.pr.values[:, land], p, axis=0) for x in pair], axis=1)
            for m, pair in runs.items()
        }
        assert change["qdm"][1] / change["qdm"][0] == pytest.approx(
            change["raw"][1] / change["raw"][0], abs=0.03
        )


def test_sea_stays_without_values_and_land_has_them_all(iberia):
    reference, historical, _, land = iberia
    out = fit(reference, historical, method="qdm", **SETTINGS).apply(historical)
    assert out.tas.notnull().values[:, land].all()
    assert out.tas.isnull().values[:, reference.tas.isnull().all("time").values].all()
    assert float(out.pr.min()) >= 0.0
    assert out.pr.attrs["units"] == "kg m-2 s-1"

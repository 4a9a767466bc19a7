"""Rare events against scoringrules and against their laws."""

import numpy as np
import pytest
import scoringrules
import xarray as xr

from finescale.scores import exceedance

SHAPE = (4, 5)
AREA = np.full((1, *SHAPE), 1 / 20)


def pair(members, hours=50, *, seed=0, spread=1.0):
    rng = np.random.default_rng(seed)
    x = spread * rng.normal(size=(members, hours, *SHAPE))
    return x.astype(np.float32), rng.normal(size=(hours, *SHAPE)).astype(np.float32)


def limits(*values):
    return np.stack([np.full(SHAPE, v) for v in values])


def test_thresholds_are_percentiles_of_each_cell(monkeypatch):
    _, o = pair(1, 80)
    monkeypatch.setattr(exceedance, "BAND_BYTES", 1)  # one row at a time
    found = exceedance.thresholds(xr.DataArray(o, dims=("time", "lat", "lon")))
    np.testing.assert_allclose(found, np.quantile(o.astype(float), [0.9, 0.99], axis=0))


def test_twcrps_equals_scoringrules():
    x, o = pair(7)
    found = exceedance.hourly_exceedance(x, o, limits(0.5, 1.5), AREA, threads=2)
    for level, limit in (("p90", 0.5), ("p99", 1.5)):
        theirs = scoringrules.twcrps_ensemble(
            o.astype(float), x.astype(float), a=limit, m_axis=0, estimator="fair", backend="numpy"
        )
        np.testing.assert_allclose(
            found[f"twcrps_{level}"][:, 0], theirs.mean(axis=(1, 2)), rtol=1e-6, atol=1e-9
        )


def test_brier_score_equals_scoringrules_less_the_correction():
    x, o = pair(8)
    found = exceedance.hourly_exceedance(x, o, limits(0.5, 1.5), AREA)
    share = (x > 0.5).mean(axis=0)
    plain = scoringrules.brier_score((o > 0.5).astype(float), share)
    fair = plain - share * (1 - share) / 7
    np.testing.assert_allclose(found["brier_p90"][:, 0], fair.mean(axis=(1, 2)), rtol=1e-9)
    one = exceedance.hourly_exceedance(x[:1], o, limits(0.5, 1.5), AREA)
    wrong = ((x[0] > 0.5) != (o > 0.5)).mean(axis=(1, 2))
    np.testing.assert_allclose(one["brier_p90"][:, 0], wrong, rtol=1e-9)


def test_the_fair_brier_score_does_not_depend_on_the_size_of_the_ensemble():
    x, o = pair(40, 4000, seed=2)
    values = {
        m: exceedance.hourly_exceedance(x[:m], o, limits(1.0, 2.0), AREA)["brier_p90"].mean() for m in (4, 40)
    }
    assert values[4] == pytest.approx(values[40], rel=0.02)


def test_reliability_counts_every_forecast_and_is_diagonal_when_calibrated():
    rng = np.random.default_rng(4)
    centre = rng.normal(size=(3000, *SHAPE))
    o = (centre + rng.normal(size=centre.shape)).astype(np.float32)
    x = (centre + rng.normal(size=(9, *centre.shape))).astype(np.float32)
    found = exceedance.reliability(x, o, limits(0.5)[0], AREA[0])
    assert found[0].sum() == pytest.approx(3000)
    assert found[1].sum() == pytest.approx((o > 0.5).mean() * 3000)
    assert (np.diff(found[1] / found[0]) > 0).all()

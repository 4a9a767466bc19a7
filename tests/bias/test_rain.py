"""Amounts: ratios instead of shifts, dry days as often as in the reference, nothing below nothing."""

import numpy as np
import pytest
import xarray as xr

from finescale.bias.correction import fit
from finescale.bias.grouping import Grouping
from finescale.bias.plan import WET_THRESHOLD, Options
from finescale.bias.transfer import map_ranks
from finescale.bias.wetdays import uniform

WHOLE = Grouping("year", hours=False)


def rain(seed, *, wet, amount, years=12, first=1981, shape=(1, 3)):
    """Daily rain [time, lat, lon]: gamma amounts (mm a day) on a share ``wet`` of the days."""
    rng = np.random.default_rng(seed)
    time = xr.date_range(f"{first}-01-01", periods=365 * years, freq="D", calendar="noleap", use_cftime=True)
    falls = rng.random((time.size, *shape)) < wet
    values = np.where(falls, 0.2 + rng.gamma(0.8, amount, size=falls.shape), 0.0) / 86400.0
    coords = {"time": time, "lat": np.arange(shape[0]) + 40.0, "lon": np.arange(shape[1]) * 1.0}
    return xr.Dataset({"pr": (("time", "lat", "lon"), values, {"units": "kg m-2 s-1"})}, coords=coords)


def wet_share(ds):
    return float((ds.pr > WET_THRESHOLD).mean())


@pytest.mark.parametrize("method", ["eqm", "qdm", "dqm"])
@pytest.mark.parametrize("wet", [0.15, 0.7])
def test_wet_days_become_as_many_as_in_the_reference(method, wet):
    reference, model = rain(1, wet=0.4, amount=5.0), rain(2, wet=wet, amount=8.0)
    fitted = fit(reference, model, method=method, grouping=WHOLE, options=Options(quantiles=200))
    corrected = fitted.apply(model)
    assert abs(wet_share(model) - wet_share(reference)) > 0.2
    assert abs(wet_share(corrected) - wet_share(reference)) < 0.02
    assert float(corrected.pr.mean()) == pytest.approx(float(reference.pr.mean()), rel=0.05)
    assert float(corrected.pr.quantile(0.99)) == pytest.approx(float(reference.pr.quantile(0.99)), rel=0.05)


@pytest.mark.parametrize("method", ["eqm", "qdm", "dqm"])
def test_traces_on_dry_days_are_no_rain(method):
    reference, model = rain(1, wet=0.45, amount=5.0), rain(2, wet=0.55, amount=4.0)
    wetter = rain(3, wet=0.7, amount=4.5, first=2041)

    def drizzling(ds, seed, low, high):
        trace = 10 ** np.random.default_rng(seed).uniform(low, high, ds.pr.shape)
        return ds.assign(pr=ds.pr.where(ds.pr > 0.0, trace).assign_attrs(ds.pr.attrs))

    truth, drizzle = drizzling(reference, 4, -9.0, -6.5), drizzling(model, 5, -16.0, -9.0)
    dry = fit(reference, model, method=method, grouping=WHOLE).apply(wetter)
    out = fit(truth, drizzle, method=method, grouping=WHOLE).apply(drizzling(wetter, 6, -16.0, -9.0))
    xr.testing.assert_allclose(out, dry, rtol=1e-9)
    assert float(out.pr.where(wetter.pr == 0.0, 0.0).max()) == 0.0
    expected = float(wetter.pr.mean() * reference.pr.mean() / model.pr.mean())
    assert float(out.pr.mean()) == pytest.approx(expected, rel=0.1)


def test_rain_between_a_dry_quantile_and_a_wet_one_gets_the_ratio_of_the_wet_one():
    """In small pools the model's first wet quantile may lie one node above that of the reference."""
    old, new = np.array([[[0.0, 0.0, 2.0, 4.0]]]), np.array([[[0.0, 1.0, 3.0, 6.0]]])
    nodes, group = np.array([0.1, 0.4, 0.7, 1.0]), np.zeros(2, dtype=np.int64)
    values, ranks = np.array([[8.0, 8.0]]), np.array([[0.41, 0.55]])
    mapped = map_ranks(values, ranks, group, nodes, old, new, True, False)
    np.testing.assert_allclose(mapped, [[12.0, 12.0]])


def test_without_adaptation_a_dry_model_stays_dry():
    reference, model = rain(1, wet=0.4, amount=5.0), rain(2, wet=0.15, amount=8.0)
    plain = fit(
        reference, model, method="eqm", grouping=WHOLE, options=Options(quantiles=200, wet_thresholds={})
    )
    corrected = plain.apply(model)
    assert wet_share(corrected) <= wet_share(model)
    assert ((corrected.pr == 0.0) | (model.pr > 0.0)).all()


def test_relative_change_of_the_quantiles_is_kept():
    reference, model = rain(3, wet=0.5, amount=5.0), rain(4, wet=0.5, amount=8.0)
    wetter = model.assign(pr=model.pr * 1.3).assign_coords(time=model.time)
    wetter.pr.attrs.update(model.pr.attrs)
    fitted = fit(
        reference, model, method="qdm", grouping=WHOLE, options=Options(quantiles=200, wet_thresholds={})
    )
    np.testing.assert_allclose(fitted.apply(wetter).pr, 1.3 * fitted.apply(model).pr, rtol=1e-9)


def test_nothing_falls_below_nothing_and_rounding_below_zero_is_none():
    reference, model = rain(5, wet=0.4, amount=5.0), rain(6, wet=0.6, amount=3.0)
    model["pr"] = model.pr.where(model.pr > 0.0, -1e-9).assign_attrs(model.pr.attrs)
    corrected = fit(reference, model, method="qdm", grouping=WHOLE).apply(model)
    assert float(corrected.pr.min()) == 0.0


def test_pareto_tails_stretch_the_rarest_rain():
    reference, model = rain(7, wet=0.9, amount=5.0), rain(8, wet=0.9, amount=10.0)
    plain = fit(reference, model, method="eqm", grouping=WHOLE)
    tailed = fit(reference, model, method="eqm", grouping=WHOLE, options=Options(tails="pareto"))
    assert tailed.tables.sizes["quantile"] > 50
    top = model.pr >= model.pr.quantile(0.98)
    assert not np.allclose(tailed.apply(model).pr.where(top, 0), plain.apply(model).pr.where(top, 0))
    truth = float(reference.pr.quantile(0.999))
    assert float(tailed.apply(model).pr.quantile(0.999)) == pytest.approx(truth, rel=0.1)


def test_pareto_tails_refuse_windows_with_too_few_values():
    from finescale.errors import FinescaleError

    reference, model = rain(7, wet=0.9, amount=5.0, years=2), rain(8, wet=0.9, amount=10.0, years=2)
    with pytest.raises(FinescaleError, match=r"enough values to fit a map.*pr.*lat 40, lon 0"):
        fit(reference, model, method="eqm", grouping=Grouping(window=5), options=Options(tails="pareto"))


def test_random_amounts_depend_on_cell_and_instant_alone():
    stamps, cells = np.arange(1000, 1500), np.arange(20)
    whole = uniform(7, "pr wetted", cells, stamps)
    np.testing.assert_array_equal(uniform(7, "pr wetted", cells[5:9], stamps[100:200]), whole[5:9, 100:200])
    assert not np.allclose(uniform(8, "pr wetted", cells, stamps), whole)
    assert not np.allclose(uniform(7, "pr amount", cells, stamps), whole)
    assert whole.min() >= 0.0
    assert whole.max() < 1.0
    # Ten bins of 10,000 draws: chi-square with 9 degrees of freedom stays below 27.9 in 999 of 1000 cases.
    counts = np.histogram(whole, bins=10, range=(0.0, 1.0))[0]
    assert ((counts - 1000.0) ** 2 / 1000.0).sum() < 27.9
    assert abs(np.corrcoef(whole[:-1].ravel(), whole[1:].ravel())[0, 1]) < 0.05
    assert abs(np.corrcoef(whole[:, :-1].ravel(), whole[:, 1:].ravel())[0, 1]) < 0.05

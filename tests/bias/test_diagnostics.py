"""The table of errors before and after, and the covariance of what is left."""

import numpy as np
import pytest
from worlds import Bias, climate

from finescale.bias import diagnostics, observation_error
from finescale.bias.correction import fit
from finescale.bias.grouping import Grouping
from finescale.errors import FinescaleError
from finescale.scores.table import COLUMNS

BIAS = Bias(shift=0.5, spread=1.3, diurnal=1.8)
MONTHS = Grouping("month")
PAIR = ("tas", "uas")


@pytest.fixture(scope="module")
def world():
    reference = climate(6, seed=1, variables=PAIR, mixing=0.8)
    model = climate(6, seed=2, bias=BIAS, variables=PAIR, mixing=0.1)
    future = climate(6, seed=3, bias=BIAS, first=2041, warming=1.0, variables=PAIR, mixing=0.1)
    fitted = fit(reference, model, method="qdm", grouping=MONTHS)
    return reference, model, future, fitted.apply(model), fitted.apply(future)


@pytest.fixture(scope="module")
def errors(world):
    reference, model, _, corrected, _ = world
    table = diagnostics.table(reference, {"raw": model, "qdm": corrected}, case="twin", resamples=20)
    return table.set_index(["method", "variable", "metric"])


def test_it_has_the_columns_of_the_scorecard(world, errors):
    assert list(errors.reset_index()[COLUMNS].columns) == COLUMNS
    assert set(errors.reset_index()["case"]) == {"twin"}


def test_errors_are_those_of_plain_numpy(world, errors):
    reference, model, *_ = world
    weights = np.cos(np.deg2rad(reference.lat.values))[:, None] * np.ones(2)
    apart = model.tas.values.mean(axis=0) - reference.tas.values.mean(axis=0)
    value = errors.loc[("raw", "tas", "mean_error"), "value"]
    assert value == pytest.approx(np.average(np.abs(apart), weights=weights), rel=1e-9)
    top = np.quantile(model.uas.values, 0.99, axis=0) - np.quantile(reference.uas.values, 0.99, axis=0)
    value = errors.loc[("raw", "uas", "p99_error"), "value"]
    assert value == pytest.approx(np.average(np.abs(top), weights=weights), rel=1e-9)


def test_known_biases_are_found(errors):
    assert errors.loc[("raw", "tas", "mean_bias"), "value"] == pytest.approx(3.0 * 0.5, abs=0.1)
    # The diurnal cycle is 1.8 times too strong: mean absolute error of a cosine at four hours.
    cosine = np.cos(2 * np.pi * (np.array([0, 6, 12, 18]) - 15) / 24)
    expected = 0.8 * 3.0 * np.abs(cosine).mean()
    assert errors.loc[("raw", "tas", "diurnal_cycle_error"), "value"] == pytest.approx(expected, rel=0.05)
    assert errors.loc[("raw", "tas-uas", "correlation_error"), "value"] == pytest.approx(0.63, abs=0.1)


def test_the_correction_lowers_every_marginal_error_and_leaves_the_correlation(errors):
    for metric in ("mean_error", "std_error", "p01_error", "p99_error", "diurnal_cycle_error"):
        for name in PAIR:
            if (metric, name) == ("diurnal_cycle_error", "uas"):
                continue  # too small to begin with
            assert (
                errors.loc[("qdm", name, metric), "value"] < 0.3 * errors.loc[("raw", name, metric), "value"]
            )
    joint = [errors.loc[(m, "tas-uas", "correlation_error"), "value"] for m in ("raw", "qdm")]
    assert joint[1] == pytest.approx(joint[0], rel=0.1)


def test_intervals_hold_the_value_and_few_years_have_none(world, errors):
    reference, model, *_ = world
    marginal = errors[errors.index.get_level_values("metric") != "correlation_error"]
    assert (marginal.low <= marginal.value).all()
    assert (marginal.value <= marginal.high).all()
    few = diagnostics.table(reference, {"raw": model.isel(time=slice(0, 2 * 1460))}, case="twin")
    assert few.low.isna().all()
    assert few.value.notna().all()


def test_change_is_the_models_own(world):
    _, model, future, corrected, later = world
    table = diagnostics.change_table({"raw": (model, future), "qdm": (corrected, later)}, case="twin")
    mean = table[(table.variable == "tas") & (table.metric == "mean_change")].set_index("method")["value"]
    assert mean["raw"] == pytest.approx(2.5, abs=0.1)
    assert mean["qdm"] == pytest.approx(mean["raw"], rel=0.01)


def test_a_run_without_a_common_variable_is_refused(world):
    with pytest.raises(FinescaleError, match="other has none"):
        diagnostics.table(world[0], {"other": world[1].rename(tas="t", uas="u")}, case="twin")


def test_errors_of_the_same_days_are_their_covariance(world):
    reference, *_ = world
    rng = np.random.default_rng(0)
    noise = rng.multivariate_normal([0.3, -0.1], [[0.5, 0.2], [0.2, 0.4]], size=reference.tas.shape)
    product = reference.assign(tas=reference.tas + noise[..., 0], uas=reference.uas + noise[..., 1])
    error = observation_error.paired(reference, product)
    # 23,360 draws: standard errors below 0.005.
    np.testing.assert_allclose(error.R, [[0.5, 0.2], [0.2, 0.4]], atol=0.025)
    np.testing.assert_allclose(error.bias, [0.3, -0.1], atol=0.025)
    with pytest.raises(FinescaleError, match="tas of the product has other times"):
        observation_error.paired(reference, product.isel(time=slice(1, None)))


def test_laws_that_stay_apart_give_a_large_covariance_and_mended_ones_a_small(world):
    reference, model, *_ = world
    raw = observation_error.unpaired(reference, model, method="identity", grouping=MONTHS)
    mended = observation_error.unpaired(reference, model, method="qdm", grouping=MONTHS)
    # Left as it is, the law lies off by its shift and its spread: (0.5^2 + 0.3^2) spreads^2, and the diurnal cycle.
    assert raw.R.sel(variable="uas", variable_="uas") == pytest.approx(16 * 0.34, rel=0.15)
    for name in PAIR:
        assert mended.R.sel(variable=name, variable_=name) < 0.2 * raw.R.sel(variable=name, variable_=name)
    assert (np.linalg.eigvalsh(mended.R.values) > 0.0).all()
    one = [ds.isel(time=slice(0, 1460)) for ds in (reference, model)]
    single = observation_error.unpaired(*one, method="identity", grouping=MONTHS)
    assert single.R.sel(variable="uas", variable_="uas") == pytest.approx(16 * 0.34, rel=0.5)
    short = [ds.isel(time=slice(0, 40)) for ds in (reference, model)]
    with pytest.raises(FinescaleError, match="less than a month"):
        observation_error.unpaired(*short, method="identity", grouping=MONTHS)


def test_a_winter_more_on_one_side_is_an_error_that_no_map_made(world):
    """The same run with its first winter once more: other statistics, though nothing was corrected or spoilt."""
    reference, *_ = world
    months = reference.time.dt.month
    longer = reference.isel(time=np.concatenate([np.arange(months.size), np.flatnonzero(months == 1)]))
    table = diagnostics.table(reference, {"same": reference, "winter": longer}, case="twin")
    errors = table[table.metric == "mean_error"].groupby("method")["value"].max()
    assert errors["same"] == 0.0 and errors["winter"] > 0.05

"""Return levels against scipy's distributions."""

import numpy as np
import pytest
from scipy import stats

from finescale.errors import FinescaleError
from finescale.scores import returns


@pytest.mark.parametrize("shape", [-0.2, 1e-7, 0.15])
def test_the_fit_finds_the_parameters_of_a_known_distribution(shape):
    rng = np.random.default_rng(1)
    maxima = stats.genextreme.rvs(shape, loc=20, scale=3, size=(20_000, 2), random_state=rng)
    location, scale, found = returns.gev(maxima)
    np.testing.assert_allclose(location, 20, rtol=0.01)
    np.testing.assert_allclose(scale, 3, rtol=0.03)
    np.testing.assert_allclose(found, shape, atol=0.03)
    level = returns.gev_level(maxima, 20)
    np.testing.assert_allclose(level, stats.genextreme.isf(1 / 20, shape, loc=20, scale=3), rtol=0.02)


def test_the_same_maximum_every_year_is_its_own_level():
    np.testing.assert_allclose(returns.gev_level(np.full((8, 3), 7.5), 10), 7.5)


def test_too_few_years_are_refused():
    with pytest.raises(FinescaleError, match="5 yearly maxima: 4"):
        returns.gev_level(np.ones((4, 2)), 10)


def test_resampled_levels_hold_the_truth_as_often_as_they_say():
    hits = 0
    true = stats.genextreme.isf(0.1, 0.05, loc=10, scale=2)
    for k in range(60):
        maxima = stats.genextreme.rvs(0.05, loc=10, scale=2, size=40, random_state=k)
        drawn = returns.resampled_levels(maxima, 10, resamples=100, seed=k)
        assert drawn[0] == pytest.approx(float(returns.gev_level(maxima, 10)))
        low, high = np.quantile(drawn[1:], [0.025, 0.975])
        hits += low <= true <= high
    assert hits >= 50


def test_clusters_are_split_by_quiet_days():
    series = np.zeros(500)
    series[[10, 12, 55, 200, 247, 300]] = [5, 7, 6, 4, 9, 3]
    np.testing.assert_array_equal(returns.declustered(series, 1.0), [7, 9, 3])
    assert returns.declustered(series, 10.0).size == 0


def test_the_pareto_level_is_that_of_independent_peaks():
    rng = np.random.default_rng(3)
    # One storm of half a day each week over calm hours; their heights are exponential.
    weeks = 52 * 40
    series = np.zeros((weeks, 168))
    series[:, :12] = 10 + rng.exponential(2, size=(weeks, 1))
    series = series.ravel()
    found = returns.pareto_level(series, 10)
    assert found == pytest.approx(10 + 2 * np.log(10 * 8766 / 168), rel=0.1)
    assert np.isnan(returns.pareto_level(series[:800], 10))

"""CRPS, spread and ranks against independent implementations and against their laws."""

import numpy as np
import pytest
import scoringrules
import xarray as xr
import xskillscore

from finescale.scores import ensemble, kernels


def pair(members, cells=400, *, seed=0, offset=0.0, spread=1.0):
    rng = np.random.default_rng(seed)
    x = (offset + spread * rng.normal(size=(members, cells))).astype(np.float32)
    return x, (offset + rng.normal(size=cells)).astype(np.float32)


@pytest.mark.parametrize("members", [2, 3, 7, 16, 33])
@pytest.mark.parametrize("offset", [0.0, 101_325.0])
def test_fair_crps_equals_scoringrules(members, offset):
    x, o = pair(members, offset=offset)
    fields, _, _ = ensemble.cell_statistics(x, o)
    # The oracle is given differences: its own sums lose digits at 1e5 Pa.
    ours = fields[2] - fields[3] / 2
    theirs = scoringrules.crps_ensemble(np.zeros(o.size), x.astype(float) - o, m_axis=0, estimator="fair")
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("members", [2, 5, 16])
def test_mean_variance_and_ranks_equal_brute_force(members):
    x, o = pair(members)
    x[0, :50] = o[:50]
    fields, below, ties = ensemble.cell_statistics(x, o, threads=3)
    np.testing.assert_allclose(fields[0], x.astype(float).mean(axis=0) - o, atol=1e-6)
    np.testing.assert_allclose(fields[1], x.astype(float).var(axis=0, ddof=1), rtol=1e-6)
    np.testing.assert_array_equal(below, (x < o).sum(axis=0))
    np.testing.assert_array_equal(ties, (x == o).sum(axis=0))


@pytest.mark.parametrize("members", [1, 2, 3, 6, 11, 16, 50])
def test_the_network_sorts(members):
    values = np.random.default_rng(members).random((members, 200))
    for i, j in kernels.sorting_network(members):
        values[[i, j]] = np.minimum(values[i], values[j]), np.maximum(values[i], values[j])
    assert (np.diff(values, axis=0) >= 0).all()


def statistics(x, o, **kwargs):
    weights = np.full((1, 1, o.size), 1 / o.size)
    return ensemble.hourly_statistics(x[:, None, None, :], o[None, None, :], weights, **kwargs)


def test_ranks_equal_xskillscore():
    x, o = pair(9, 5000)
    theirs = xskillscore.rank_histogram(
        xr.DataArray(o, dims="c"), xr.DataArray(x, dims=("member", "c")), dim="c"
    )
    np.testing.assert_allclose(statistics(x, o)["ranks"][0, 0] * o.size, theirs.to_numpy(), atol=1e-6)


def test_one_member_scores_its_absolute_error_and_has_no_spread():
    x, o = pair(1)
    s = statistics(x, o)
    assert s["crps"][0, 0] == pytest.approx(np.abs(x[0].astype(float) - o).mean(), rel=1e-12)
    assert np.isnan(ensemble.spread_skill({k: v[:, 0] for k, v in s.items()}, 1)).all()
    assert np.isnan(ensemble.pit_reliability({k: v[:, 0] for k, v in s.items()}, 1)).all()


def test_a_calibrated_ensemble_has_flat_ranks_and_a_spread_of_its_error():
    members, cells = 10, 200_000
    s = statistics(*pair(members, cells, seed=3))
    frequency = s["ranks"][0, 0]
    error = np.sqrt(1 / (members + 1) * (1 - 1 / (members + 1)) / cells)
    assert (np.abs(frequency - 1 / (members + 1)) < 5 * error).all()
    ratio = ensemble.spread_skill({k: v[:, 0] for k, v in s.items()}, members)
    assert ratio[0] == pytest.approx(1.0, abs=0.01)


def test_too_narrow_an_ensemble_has_convex_ranks_and_a_skewed_one_a_slope():
    narrow = statistics(*pair(8, 100_000, spread=0.6))["ranks"][0, 0]
    assert (np.diff(narrow, 2) > 0).all() and narrow[0] > 1.5 / 9
    x, o = pair(8, 100_000)
    high = statistics(x + 0.7, o)["ranks"][0, 0]
    assert (np.diff(high) < 0).all()


def test_crps_is_least_for_the_true_distribution():
    scores = {
        (shift, spread): float(statistics(x * spread + shift, o)["crps"][0, 0])
        for shift in (-0.3, 0.0, 0.3)
        for spread in (0.7, 1.0, 1.4)
        for x, o in [pair(20, 50_000, seed=5)]
    }
    assert min(scores, key=scores.get) == (0.0, 1.0)


def test_ties_are_broken_evenly_and_do_not_depend_on_blocks():
    members, hours, cells = 4, 30, 400
    x, o = np.zeros((members, hours, 1, cells)), np.zeros((hours, 1, cells))
    weights = np.full((1, 1, cells), 1 / cells)
    whole = ensemble.hourly_statistics(x, o, weights, seed=2, variable="pr")["ranks"]
    parts = [
        ensemble.hourly_statistics(
            x[:, a : a + 7], o[a : a + 7], weights, seed=2, variable="pr", first_hour=a
        )["ranks"]
        for a in range(0, hours, 7)
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    error = np.sqrt(0.2 * 0.8 / (hours * cells))
    assert (np.abs(whole.mean(axis=(0, 1)) - 0.2) < 5 * error).all()
    other = ensemble.hourly_statistics(x, o, weights, seed=2, variable="tas")["ranks"]
    assert not np.array_equal(whole, other)

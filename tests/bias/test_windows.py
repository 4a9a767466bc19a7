"""The sliding windows against sorting each window anew, and the Pareto tails against scipy."""

import numpy as np
import pytest
from scipy import stats

from finescale.bias.ranks import window_ranks
from finescale.bias.tails import pareto_quantile
from finescale.bias.transfer import rearranged
from finescale.bias.trend import group_lines
from finescale.bias.windows import window_means, window_quantiles

PROBABILITIES = np.array([0.0, 0.1, 0.33, 0.5, 0.9, 1.0])


def groups_of(time, slots, hours, seed):
    """Time steps dealt out to groups at random, some of which may be empty."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, slots * hours, time)
    order = np.argsort(group, kind="stable")
    return group, order, np.searchsorted(group[order], np.arange(slots * hours + 1))


def pool(values, group, g, slots, half):
    base, s = g // slots * slots, g % slots
    members = {base + (s + k) % slots for k in range(-half, half + 1)}
    return values[np.isin(group, list(members)) & ~np.isnan(values)]


@pytest.mark.parametrize(("slots", "half"), [(1, 0), (4, 0), (7, 1), (12, 3), (9, 4)])
@pytest.mark.parametrize("ties", [False, True])
def test_quantiles_means_and_ranks_of_every_window(slots, half, ties):
    rng = np.random.default_rng(slots + half)
    values = rng.standard_normal((3, 240))
    values = np.round(values, 1) if ties else values
    values[1, rng.integers(0, 240, 30)] = np.nan
    group, order, starts = groups_of(240, slots, 2, seed=half)
    quantiles = window_quantiles(values, order, starts, slots, half, PROBABILITIES, 0.0, 1.0)
    means = window_means(values, order, starts, slots, half)
    ranks = window_ranks(values, order, starts, slots, half)
    for c in range(3):
        for g in range(2 * slots):
            members = pool(values[c], group, g, slots, half)
            if members.size == 0:
                assert np.isnan(quantiles[c, g]).all()
                continue
            np.testing.assert_allclose(
                quantiles[c, g], np.quantile(members, PROBABILITIES), rtol=1e-12, atol=1e-12
            )
            np.testing.assert_allclose(means[c, g], members.mean(), rtol=1e-12, atol=1e-12)
            share = (stats.rankdata(members) - 1) / max(members.size - 1, 1)
            for t in np.flatnonzero(group == g):
                if np.isnan(values[c, t]):
                    assert np.isnan(ranks[c, t])
                elif members.size > 1:
                    assert ranks[c, t] == pytest.approx(share[members == values[c, t]][0], abs=1e-12)


def test_a_window_of_one_value_ranks_in_the_middle():
    values = np.full((1, 6), 3.0)
    order, starts = np.arange(6), np.array([0, 6])
    assert (window_ranks(values, order, starts, 1, 0) == 0.5).all()


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.15])
def test_pareto_tails_recover_the_law_they_were_drawn_from(shape):
    rng = np.random.default_rng(5)
    pools = [np.sort(stats.genpareto.rvs(shape, scale=2.0, size=4000, random_state=rng)) for _ in range(40)]
    truth = stats.genpareto.ppf(0.999, shape, scale=2.0)
    fitted = [pareto_quantile(p, p.size, np.quantile(p, 0.9), 0.9, 0.999, True) for p in pools]
    assert np.mean(fitted) == pytest.approx(truth, rel=0.05)
    assert np.std(fitted) < 0.1 * truth
    mirrored = [pareto_quantile(np.sort(-p), p.size, np.quantile(-p, 0.1), 0.9, 0.999, False) for p in pools]
    np.testing.assert_allclose(mirrored, -np.asarray(fitted), rtol=1e-9)


def test_pareto_tails_need_enough_values():
    few = np.sort(np.random.default_rng(0).standard_normal(50))
    assert np.isnan(pareto_quantile(few, 50, np.quantile(few, 0.95), 0.95, 0.99, True))


def test_lines_are_those_of_polyfit():
    rng = np.random.default_rng(3)
    days = np.sort(rng.uniform(0, 3000, 120))
    values = rng.standard_normal((2, 120)) + days / 500
    values[1, 5] = np.nan
    group, order, starts = groups_of(120, 5, 1, seed=1)
    lines = group_lines(values, days, order, starts)
    for c in range(2):
        for g in range(5):
            steps = np.flatnonzero(group == g)
            used = steps[~np.isnan(values[c, steps])]
            expected = np.polyval(np.polyfit(days[used], values[c, used], 1), days[steps])
            np.testing.assert_allclose(lines[c, steps], expected, rtol=1e-9, atol=1e-9)


def test_rearranged_values_keep_their_law_and_take_the_order_of_before():
    rng = np.random.default_rng(4)
    before, after = rng.standard_normal((2, 2, 90))
    before[1, 3], after[1, 3] = np.nan, np.nan
    group, order, starts = groups_of(90, 6, 1, seed=2)
    out = rearranged(before, after, order, starts)
    for c in range(2):
        for g in range(6):
            steps = np.flatnonzero((group == g) & ~np.isnan(before[c]))
            np.testing.assert_array_equal(np.sort(out[c, steps]), np.sort(after[c, steps]))
            np.testing.assert_array_equal(np.argsort(out[c, steps]), np.argsort(before[c, steps]))
    assert np.isnan(out[1, 3])
    rising = 2.0 * before + 1.0
    np.testing.assert_array_equal(rearranged(before, rising, order, starts), rising)

"""Scores of whole fields against scoringrules and against their laws."""

import numpy as np
import pytest
import scoringrules

from finescale.scores import vectors


def pair(members, hours=6, shape=(5, 7), *, seed=0, spread=1.0, offset=0.0):
    rng = np.random.default_rng(seed)
    x = offset + spread * rng.normal(size=(members, hours, *shape))
    return x.astype(np.float32), (offset + rng.normal(size=(hours, *shape))).astype(np.float32)


def area(shape=(5, 7)):
    weights = np.random.default_rng(9).random(shape)
    return weights / weights.sum()


@pytest.mark.parametrize("members", [2, 5, 16])
@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_fair_energy_score_equals_scoringrules(members, offset):
    x, o = pair(members, offset=offset)
    found = vectors.energy_score(vectors.squared_distances(x, o, area(), threads=2))
    root = np.sqrt(area()).ravel()
    d = (x.astype(float) - o).reshape(members, o.shape[0], -1) * root
    theirs = scoringrules.es_ensemble(
        np.zeros(d.shape[1:]), d, m_axis=0, v_axis=-1, estimator="fair", backend="numpy"
    )
    np.testing.assert_allclose(found, theirs, rtol=1e-9)


def test_energy_of_one_member_is_the_distance():
    x, o = pair(1)
    found = vectors.energy_score(vectors.squared_distances(x, o, area()))
    np.testing.assert_allclose(found, np.sqrt(((x[0].astype(float) - o) ** 2 * area()).sum(axis=(1, 2))))


def test_squared_distances_add_up_over_variables():
    (x1, o1), (x2, o2) = pair(4), pair(4, seed=1)
    both = vectors.squared_distances(
        np.concatenate([x1, x2], axis=-1), np.concatenate([o1, o2], axis=-1), np.ones((5, 14))
    )
    apart = sum(vectors.squared_distances(x, o, np.ones((5, 7))) for x, o in ((x1, o1), (x2, o2)))
    np.testing.assert_allclose(both, apart, rtol=1e-10)


def test_variogram_score_equals_scoringrules_with_the_same_pairs():
    shape = (5, 9)
    x, o = pair(6, shape=shape)
    lags = [lag for lag in vectors.LAGS.tolist() if lag[0] < 5 and lag[1] < 9]
    share = np.array([1 / sum(lag) for lag in lags])
    share /= share.sum()
    w = np.zeros((45, 45))
    for (dy, dx), part in zip(lags, share, strict=True):
        pairs = [(i * 9 + j, (i + dy) * 9 + j + dx) for i in range(5 - dy) for j in range(9 - dx)]
        for a, b in pairs:
            w[a, b] += part / len(pairs)
    flat = x.reshape(6, 6, -1).astype(float)
    theirs = scoringrules.vs_ensemble(
        o.reshape(6, -1).astype(float),
        flat,
        np.broadcast_to(w, (6, 45, 45)),
        m_axis=0,
        v_axis=-1,
        p=0.5,
        backend="numpy",
    )
    np.testing.assert_allclose(vectors.variogram_score(x, o, threads=2), theirs, rtol=1e-6)


def test_preranks_equal_brute_force():
    x, o = pair(4)
    x, o = np.round(x), np.round(o)  # with ties
    w = area()
    found = vectors.preranks(x, o, w, threads=3)
    everyone = np.concatenate([o[None], x])
    for t in range(o.shape[0]):
        fields = everyone[:, t]
        rank = np.array([(fields < f).sum(axis=0) + ((fields == f).sum(axis=0) - 1) / 2 for f in fields])
        np.testing.assert_allclose(found["average"][t], (rank * w).sum(axis=(1, 2)), rtol=1e-9)
        np.testing.assert_allclose(found["depth"][t], (rank * (4 - rank) * w).sum(axis=(1, 2)), rtol=1e-9)


@pytest.mark.parametrize("kind", ["average", "depth"])
def test_field_ranks_are_flat_for_a_calibrated_ensemble(kind):
    members, hours = 4, 4000
    x, o = pair(members, hours, (2, 3), seed=3)
    ranks = vectors.field_ranks(vectors.preranks(x, o, area((2, 3)))[kind], seed=0)
    assert (ranks.sum(axis=1) == 1).all()
    error = np.sqrt(0.2 * 0.8 / hours)
    assert (np.abs(ranks.mean(axis=0) - 0.2) < 5 * error).all()


def test_band_depth_sees_too_narrow_an_ensemble():
    x, o = pair(4, 2000, (4, 4), spread=0.5)
    ranks = vectors.field_ranks(vectors.preranks(x, o, area((4, 4)))["depth"], seed=0)
    assert ranks.mean(axis=0)[0] > 0.5  # the truth is the outermost far too often


def test_ties_of_fields_are_broken_evenly():
    ranks = vectors.field_ranks(np.zeros((20_000, 5)), seed=1).mean(axis=0)
    assert (np.abs(ranks - 0.2) < 5 * np.sqrt(0.16 / 20_000)).all()


@pytest.mark.parametrize("score", ["energy", "variogram"])
def test_the_true_distribution_scores_best(score):
    def value(spread, smooth):
        x, o = pair(10, 600, (4, 6), seed=7)
        if smooth:
            x = (x + np.roll(x, 1, axis=-1)) / np.sqrt(2)  # the right variance, the wrong correlation
        x = spread * x
        if score == "energy":
            return vectors.energy_score(vectors.squared_distances(x, o, np.full((4, 6), 1 / 24))).mean()
        return vectors.variogram_score(x, o).mean()

    values = {key: value(*key) for key in [(1.0, False), (0.7, False), (1.4, False), (1.0, True)]}
    assert min(values, key=values.get) == (1.0, False)

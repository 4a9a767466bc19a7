"""Scores of whole fields, seams and coverage in the scorecard, by hand."""

import numpy as np
import pytest
import scoringrules
import xarray as xr

from finescale.scores import ensemble, scorecard, steps


@pytest.fixture
def card(coarsening, static):
    def make(x, o):
        return scorecard.score(x, o, method="m", case="c", static=static, coarsening=coarsening, resamples=20)

    return make


def test_the_joint_energy_score_is_that_of_the_standardised_vector(card, fields, coarsening, pick):
    names = ("psl", "tas")
    x, o = fields(1, members=4, names=names, hours=48), fields(0, names=names, hours=48)
    for ds in (x, o):
        ds["psl"] = (ds["psl"] * 500 + 1e5).assign_attrs(units="Pa")
    area = xr.DataArray(coarsening.fine.area, dims=("lat", "lon"))
    members, truth = [], []
    for name in names:
        values = o[name].astype(float)
        mean = float(values.weighted(area).mean())
        scale = np.sqrt(float(((values - mean) ** 2).weighted(area).mean()))
        root = np.sqrt(area.to_numpy())
        truth.append(((values - mean) / scale * root).to_numpy().reshape(48, -1))
        members.append(((x[name].astype(float) - mean) / scale * root).to_numpy().reshape(4, 48, -1))
    expected = scoringrules.es_ensemble(
        np.concatenate(truth, axis=-1),
        np.concatenate(members, axis=-1),
        m_axis=0,
        estimator="fair",
        backend="numpy",
    )
    found = card(x, o)
    assert pick(found, "energy", variable="all") == pytest.approx(expected.mean(), rel=1e-6)
    observed = expected[np.arange(48) % 6 == 0].mean()
    assert pick(found, "energy", variable="all", hours="observed") == pytest.approx(observed, rel=1e-6)


def test_coverage_is_that_of_the_randomised_pit():
    rng = np.random.default_rng(0)
    ranks = rng.integers(0, 8, size=200_000)
    frequency = np.bincount(ranks, minlength=8) / ranks.size
    pit = (ranks + rng.random(ranks.size)) / 8
    for level in (0.5, 0.9):
        inside = np.mean(np.abs(pit - 0.5) < level / 2)
        assert ensemble.coverage({"ranks": frequency}, 7, level) == pytest.approx(inside, abs=3e-3)
        assert ensemble.coverage({"ranks": np.full(8, 1 / 8)}, 7, level) == pytest.approx(level)
    assert np.isnan(ensemble.coverage({"ranks": np.ones((3, 2))}, 1, 0.5)).all()


def test_a_calibrated_ensemble_covers_what_it_says(card, fields, pick):
    found = card(fields(1, members=9), fields(0))
    assert pick(found, "coverage_50") == pytest.approx(0.5, abs=0.02)
    assert pick(found, "coverage_90") == pytest.approx(0.9, abs=0.02)


def test_steps_equal_brute_force_and_seams_are_seen(coarsening):
    rows, columns = coarsening.fine.shape
    o = np.random.default_rng(0).normal(size=(3, rows, columns))
    blocky = o + 3 * np.kron(np.random.default_rng(1).normal(size=(3, 4)), np.ones((4, 4)))
    seams = steps.seam_masks(rows, columns, coarsening.coarse.shape)
    assert seams[0].sum() == 2 and seams[1].sum() == 3
    found = steps.hourly_steps(blocky[None], o, seams)
    across, within = [], []
    for i in range(rows):
        for j in range(columns):
            if i + 1 < rows:
                (across if (i + 1) % 4 == 0 else within).append((blocky[0, i + 1, j] - blocky[0, i, j]) ** 2)
            if j + 1 < columns:
                (across if (j + 1) % 4 == 0 else within).append((blocky[0, i, j + 1] - blocky[0, i, j]) ** 2)
    # Rows and columns are averaged as lines: every line counts once.
    assert found["gradient"][0] == pytest.approx(np.mean(within), rel=0.1)
    assert found["seam"].mean() > 2 * found["true_seam"].mean()
    np.testing.assert_allclose(found["gradient"], found["true_gradient"], rtol=1e-9)


def test_roughness_and_seams_are_one_for_another_draw_of_the_truth(card, fields, pick):
    found = card(fields(1, members=4), fields(0))
    assert pick(found, "gradient_ratio") == pytest.approx(1, abs=0.03)
    assert pick(found, "seam_space") == pytest.approx(1, abs=0.03)
    smooth = fields(1, members=4)
    smooth["tas"] = ((smooth["tas"] + smooth["tas"].roll(lon=1)) / 2).assign_attrs(units="K")
    assert pick(card(smooth, fields(0)), "gradient_ratio") < 0.7

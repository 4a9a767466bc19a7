"""A climate fitted to a short period is as sure of itself on other days as it may be."""

import numpy as np
import pytest
import torch

from finescale.fields.scaling import Scaling
from finescale.prior import holdout
from finescale.prior.fitting import fit_arrays
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.loader import even_windows

WINDOW = 4
NOISE = (0.05, 0.2, 0.8)


def naive(ds, scaling, harmonics, **options):
    arrays = fit_arrays(ds, scaling, harmonics=harmonics, sketch_every=1, **options)
    return GaussianClimate(scaling, harmonics, 1.0, arrays)


def errors(climate, ds):
    """Mean squared error of denoising at each noise level, and its ratio to what the climate expects."""
    x, clock = even_windows(ds, climate.scaling, climate.mask.numpy(), WINDOW, 60)
    eps = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    found, expected = [], []
    for s in NOISE:
        estimate = climate.denoise(x + s * eps, torch.tensor(s), clock)
        found.append(float((estimate - x).square().mean()))
        expected.append(float(climate.posterior_variance(torch.tensor([s]), WINDOW).mean()))
    return np.array(found), np.array(found) / np.array(expected)


@pytest.fixture(scope="module")
def short(world):
    ds, other = world.dataset(260, seed=11), world.dataset(1500, seed=12)
    scaling = Scaling.fit(ds, ["a", "b"])
    options = {"modes": 160, "order": 4, "joint": 40}
    checked = GaussianClimate.fit(ds, scaling, sketch_every=1, **options)
    return naive(ds, scaling, checked.harmonics, **options), checked, other


def test_a_short_period_no_longer_makes_it_too_sure(short):
    plain, checked, other = short
    before, after = errors(plain, other), errors(checked, other)
    assert (before[1] > 1.5).any()
    np.testing.assert_allclose(after[1], 1, atol=0.3)
    assert (after[0] < before[0]).all()


def test_a_long_period_is_left_as_it_was(world):
    ds, other = world.dataset(6000, seed=13), world.dataset(1500, seed=14)
    scaling = Scaling.fit(ds, ["a", "b"])
    options = {"modes": 40, "order": 4, "joint": 10}
    checked = GaussianClimate.fit(ds, scaling, sketch_every=1, **options)
    plain = naive(ds, scaling, checked.harmonics, **options)
    np.testing.assert_allclose(checked.variance, plain.variance, rtol=0.1)
    np.testing.assert_allclose(errors(checked, other)[0], errors(plain, other)[0], rtol=0.02)


def test_days_held_out_are_whole_stretches(world):
    ds = world.dataset(400, seed=1)
    seen, unseen = holdout.parts(ds)
    assert seen.sizes["time"] + unseen.sizes["time"] == 400
    assert unseen.sizes["time"] == 80
    jumps = np.diff(unseen["time"].values) > np.diff(ds["time"].values)[0]
    assert int(jumps.sum()) == holdout.STRETCHES - 1


def test_a_period_with_a_scrap_of_a_stretch_is_checked_all_the_same(world):
    ds = world.dataset(410, seed=1)
    _, unseen = holdout.parts(ds)
    at = int(np.flatnonzero(ds["time"] == unseen["time"][0])[0])
    # One hour is lost a little after the beginning of days held out.
    ds = ds.isel(time=np.delete(np.arange(410), at + 4))
    scaling = Scaling.fit(ds, ["a", "b"])
    options = {"modes": 160, "order": 4, "joint": 0}
    checked = GaussianClimate.fit(ds, scaling, sketch_every=1, **options)
    plain = naive(ds, scaling, checked.harmonics, radius=float(checked.radius), **options)
    assert not np.allclose(checked.variance, plain.variance, rtol=0.01)


def test_trust_mixes_two_laws(world):
    ds = world.dataset(400, seed=1)
    scaling = Scaling.fit(ds, ["a", "b"])
    climate = GaussianClimate.fit(ds, scaling, modes=20, order=4, joint=6, sketch_every=1)
    laws = [
        climate.with_tensors(climate.tensors() | {"trust": np.full(1, t)}).lead_covariances(30)
        for t in (0.0, 0.25, 1.0)
    ]
    torch.testing.assert_close(laws[1], 0.75 * laws[0] + 0.25 * laws[2])
    own = torch.eye(6, dtype=torch.bool)
    assert not laws[0][:, ~own].any()
    np.testing.assert_allclose(laws[0][:, own].T, climate.autocovariance(30)[:6])
    assert (laws[2][1:, ~own] != 0).any()


def test_few_days_do_not_choose_between_laws_that_are_nearly_as_good():
    errors = 0.04 * np.abs(np.array(holdout.TRUSTS) - 0.15)
    few, more, many = (holdout.weighed(errors, days) for days in (4, 40, 4000))
    assert abs(few - 0.5) < 0.1
    assert few > more > many
    assert many == pytest.approx(0.15, abs=0.01)


def test_eofs_that_a_fit_explains_too_well_get_what_they_had_elsewhere():
    """Sixteen EOFs; those of the second octave were found a hundred times as large as fitted."""
    fitted = np.concatenate([np.full(8, 4.0), np.full(8, 0.01)])
    arrays = {
        "variance": fitted,
        "phi": np.full((16, 1), 0.5),
        "residual_variance": np.ones(2),
        "residual_phi": np.zeros((2, 1)),
        "cross": np.zeros((0, 0, 0)),
    }
    found = holdout.Lesson(np.array([4.0, 1.0]), np.array([[1, 0.5], [1, 0.9]]), np.ones((2, 2)), 0.5)
    # Another fit that explains these EOFs half as well has as much to learn about them, not a hundred times more.
    for size in (0.01, 0.005):
        taught = found.applied(arrays | {"variance": np.where(fitted > 1, fitted, size)})
        np.testing.assert_allclose(taught["variance"][:4], 4.0, rtol=1e-6)
        assert 0.1 < taught["variance"][8:].mean() < 1.0
        assert taught["phi"][-1, 0] == pytest.approx(0.9, abs=0.02)
    np.testing.assert_array_equal(taught["trust"], [0.5])


def test_what_is_seen_of_moving_weather_tells_most_to_a_climate_that_moves(world):
    """A pair of EOFs that turns 20 degrees an hour: between frames six hours apart each alone is lost."""
    ds = world.dataset(600, seed=15)
    climate = GaussianClimate.fit(ds, Scaling.fit(ds, ["a", "b"]), modes=8, order=2, joint=2)
    tensors, angle = climate.tensors(), np.pi / 9
    turn = 0.97 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    powers = [np.linalg.matrix_power(turn, h) for h in range(5)]
    phi = tensors["phi"].copy()
    phi[:2] = (0.97 * np.cos(angle), 0)
    moving = {"variance": np.full(8, 50.0), "cross": 50 * np.stack(powers), "phi": phi}
    together, alone = (
        climate.with_tensors(tensors | moving | {"trust": np.full(1, trust)}) for trust in (1, 0)
    )
    rng = np.random.default_rng(0)
    z = np.zeros((64, 13, 2))
    z[:, 0] = np.sqrt(50) * rng.standard_normal((64, 2))
    for t in range(1, 13):
        z[:, t] = z[:, t - 1] @ turn.T + np.sqrt(50 * (1 - 0.97**2)) * rng.standard_normal((64, 2))
    errors = [holdout._gap_error(c, torch.from_numpy(z)) for c in (together, alone)]
    assert errors[0] < errors[1] - 0.5

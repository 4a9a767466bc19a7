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
    basis, arrays = fit_arrays(ds, scaling, harmonics=harmonics, sketch_every=1, **options)
    return GaussianClimate(scaling, basis, 1.0, arrays)


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


def test_trust_scales_only_what_lies_between_two_eofs():
    cross = np.arange(18.0).reshape(2, 3, 3)
    half = holdout.shrunk(cross, 0.5)
    np.testing.assert_array_equal(np.diagonal(half, axis1=1, axis2=2), np.diagonal(cross, axis1=1, axis2=2))
    assert half[1, 0, 2] == cross[1, 0, 2] / 2

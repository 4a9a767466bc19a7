"""Preconditionings: what they are before any training, and that they agree with the schedules they belong to."""

import numpy as np
import pytest
import torch
from simulation import draw

from finescale.fields.context import Context
from finescale.fields.scaling import Scaling
from finescale.prior.backbone import build_denoiser
from finescale.prior.denoiser import Denoiser
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.schedule import CosineSchedule, KarrasSchedule, schedule_from
from finescale.prior.spec import NetworkSpec, PriorSpec

TINY = NetworkSpec(channels=(8, 16), blocks=(1, 1), attention=1, embedding=16)


def build(spec, gaussian=None, channels=2, size=12):
    return build_denoiser(
        spec,
        mask=torch.ones(channels, size, size, dtype=torch.bool),
        static=torch.zeros(0, size, size),
        position=torch.zeros(2, size, size),
        centre=torch.full((channels,), 0.5),
        spread=torch.full((channels,), 0.3),
        gaussian=gaussian,
    )


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def climate(world):
    ds = world.dataset(1500, seed=1)
    return GaussianClimate.fit(ds, Scaling.fit(ds, ["a", "b"]), modes=60, order=2, joint=0)


def test_untrained_edm_is_the_denoiser_of_white_noise():
    """A zero network shrinks towards the centre by sd^2 / (sd^2 + sigma^2)."""
    denoiser = build(PriorSpec(("a", "b"), window=3, preconditioning="edm", network=TINY))
    x_t = noise(2, 3, 2, 12, 12)
    got = denoiser(x_t, torch.tensor([0.1, 2.0]))
    for i, sigma in enumerate((0.1, 2.0)):
        wanted = 0.5 + 0.09 / (0.09 + sigma**2) * (x_t[i] - 0.5)
        assert torch.allclose(got[i], wanted, atol=1e-6)
    assert isinstance(denoiser, Denoiser)


def test_untrained_wiener_is_the_gaussian_climate(climate):
    denoiser = build(PriorSpec(("a", "b"), window=3, network=TINY), climate)
    x_t, when = noise(2, 3, 2, 12, 12), torch.rand(2, 3, 2, generator=torch.Generator().manual_seed(1))
    sigma = torch.tensor([0.05, 4.0])
    assert torch.allclose(denoiser(x_t, sigma, Context(when)), climate.denoise(x_t, sigma, when), atol=1e-5)


def test_untrained_epsilon_leaves_the_state():
    denoiser = build(PriorSpec(("a", "b"), window=3, objective="epsilon", network=TINY))
    x_t = noise(1, 3, 2, 12, 12)
    assert torch.equal(denoiser(x_t, torch.tensor([0.7])), x_t)


@pytest.mark.parametrize("level", [0.1, 1.0, 10.0])
def test_the_expected_error_is_the_error(climate, world, level):
    """The weight of the loss is right for data of the climate itself: unit loss at every noise level."""
    denoiser = build(PriorSpec(("a", "b"), window=3, network=TINY), climate)
    when = torch.zeros(3, 2)
    x = draw(climate, 300, when, torch.Generator().manual_seed(0))
    sigma = torch.full((300,), level)
    got = denoiser(x + level * noise(*x.shape, seed=3), sigma, Context(when[None]))
    scale = denoiser.error_scale(sigma, 3)[..., None, None]
    unit = ((got - x) / scale).square().mean(dim=(0, 3, 4))
    assert torch.allclose(unit, torch.ones_like(unit), atol=0.12)


def test_precision_touches_the_network_only(climate):
    """In bfloat16 the whole differs by a per cent of the correction, and an untrained one not at all."""
    denoiser = build(PriorSpec(("a", "b"), window=3, network=TINY), climate)
    x_t, sigma, when = noise(2, 3, 2, 12, 12), torch.tensor([0.05, 4.0]), Context(torch.zeros(1, 3, 2))
    exact = denoiser(x_t, sigma, when)
    denoiser.bf16 = True
    assert torch.equal(denoiser(x_t, sigma, when), exact)
    with torch.no_grad():
        for i, p in enumerate(denoiser.parameters()):
            p.add_(0.1 * noise(*p.shape, seed=i))
        rough = denoiser(x_t, sigma, when)
        denoiser.bf16 = False
        fine = denoiser(x_t, sigma, when)
    scale = denoiser.error_scale(sigma, 3)[..., None, None]
    change = ((fine - exact) / scale).std()
    assert 0 < ((rough - fine) / scale).std() < 0.03 * change


def test_cosine_schedule_is_its_formula_and_its_inverse():
    schedule = CosineSchedule()
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    alpha, sigma = schedule(t)
    np.testing.assert_allclose(alpha, np.cos(np.arccos(np.sqrt(1e-3)) * t.numpy()) ** 2, rtol=1e-12)
    np.testing.assert_allclose(alpha**2 + sigma**2, 1 + 1e-6, rtol=1e-12)
    again_alpha, again = schedule.time_of(sigma / alpha)
    np.testing.assert_allclose(again, t, atol=1e-6)
    np.testing.assert_allclose(again_alpha, alpha, rtol=1e-9)
    assert abs(float(sigma[0] / alpha[0]) - 1e-3) < 1e-9


@pytest.mark.parametrize("schedule", [KarrasSchedule(0.02, 40.0), CosineSchedule()])
def test_levels_fall_to_zero_and_survive_the_card(schedule):
    levels = schedule.levels(16)
    assert levels.shape == (17,)
    assert (levels.diff() < 0).all()
    assert levels[-1] == 0
    assert schedule_from(schedule.to_dict()) == schedule


def test_karras_grid_is_the_published_one():
    i = np.arange(8)
    wanted = (80 ** (1 / 7) + i / 7 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    np.testing.assert_allclose(KarrasSchedule(0.002, 80.0).levels(8)[:-1], wanted, rtol=1e-10)

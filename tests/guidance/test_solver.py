"""Samplers on a Gaussian whose answer is known, and against azula's."""

import itertools
import math

import pytest
import torch

from finescale.errors import FinescaleError
from finescale.guidance.solver import Level, SamplerSpec, advance, levels, sigmas

STD = 1.7


def walk(spec: SamplerSpec, x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Sample N(0, STD^2) with its exact denoiser."""
    gen, memory = torch.Generator().manual_seed(seed), ()
    for level in levels(spec):
        x0 = x * STD**2 / (STD**2 + level.sigma**2)
        x, memory = advance(level, x, x0, memory)
        if level.refresh:
            x = x + level.refresh * torch.randn(x.shape, generator=gen, dtype=x.dtype)
    return x


def ratio(spec: SamplerSpec) -> float:
    """Standard deviation of the samples over the true one."""
    gen = torch.Generator().manual_seed(1)
    start = spec.sigma_max * torch.randn(40_000, generator=gen, dtype=torch.float64)
    return float(walk(spec, start).std()) / STD


@pytest.mark.parametrize(
    ("spec", "tolerance"),
    [
        (SamplerSpec("2m", 16), 0.02),
        (SamplerSpec("2m", 16, "karras"), 0.05),
        (SamplerSpec("heun", 24, "karras"), 0.03),
        (SamplerSpec("euler", 256, "cosine", 1000.0, 1e-3), 0.02),
        (SamplerSpec("ancestral", 400), 0.03),
        (SamplerSpec("renoise", 400, eta=0.3), 0.05),
        (SamplerSpec("2m", 24, churn=0.3), 0.05),
        (SamplerSpec("2m", 24, corrections=1, tau=0.1), 0.06),
    ],
    ids=str,
)
def test_a_sampler_keeps_the_variance(spec: SamplerSpec, tolerance: float) -> None:
    assert abs(ratio(spec) - 1) < tolerance


def test_second_order_beats_euler_at_equal_cost() -> None:
    errors = [abs(ratio(SamplerSpec(solver, 12)) - 1) for solver in ("2m", "euler")]
    assert errors[0] < errors[1] / 3


def test_the_gain_is_the_derivative_of_the_step() -> None:
    x, x0 = torch.tensor(3.0), torch.tensor(1.0, requires_grad=True)
    for rule in ("euler", "ancestral", "renoise"):
        level = Level(2.0, 0.5, 0.0, rule, 0.6)
        (found,) = torch.autograd.grad(advance(level, x, x0, ())[0], x0)
        assert math.isclose(float(found), level.gain, rel_tol=1e-6)


def test_ddim_agrees_with_azula() -> None:
    azula = pytest.importorskip("azula.sample")
    from azula.denoise import Denoiser, DiracPosterior
    from azula.noise import VESchedule

    class Exact(Denoiser):
        def __init__(self) -> None:
            super().__init__()
            self.schedule = VESchedule(1e-2, 1e1)

        def forward(self, x_t, t, **_):
            _, sigma = self.schedule(t)
            return DiracPosterior(mean=x_t * STD**2 / (STD**2 + sigma**2))

    x = torch.linspace(-9, 9, 7, dtype=torch.float64)
    sampler = azula.DDIMSampler(Exact(), steps=12, eta=0.0, silent=True, dtype=torch.float64)
    mine = x
    times = sampler.timesteps
    for t, s in itertools.pairwise(times):
        sigma, target = (float(sampler.denoiser.schedule(v)[1]) for v in (t, s))
        mine = advance(Level(sigma, target, 0.0, "euler"), mine, mine * STD**2 / (STD**2 + sigma**2), ())[0]
    torch.testing.assert_close(mine, sampler(x), rtol=1e-6, atol=1e-6)


def test_noise_must_descend() -> None:
    with pytest.raises(FinescaleError, match="descends"):
        sigmas(SamplerSpec(sigma_max=0.01, sigma_min=0.02))


def test_the_published_grid_spans_its_own_ends() -> None:
    grid = sigmas(SamplerSpec("euler", 256, "cosine", 1000.0, 1e-3))
    assert len(grid) == 257
    assert math.isclose(grid[0], 1000, rel_tol=0.01)
    assert grid[-1] == 0

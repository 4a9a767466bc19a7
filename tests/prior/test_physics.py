"""The physics of a loss: laws that it keeps, and a check for each fault of the published code."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from run_latent import SPEC, pairs, physics
from torch import nn

from finescale.errors import FinescaleError
from finescale.fields.context import Context
from finescale.prior import assembly
from finescale.prior.autoencoder import Autoencoder
from finescale.prior.budget import spread
from finescale.prior.codec import Chain, Latent, Residual
from finescale.prior.denoiser import KarrasDenoiser
from finescale.prior.loader import Batch
from finescale.prior.objective import Noised, NoiseLaw, add_noise
from finescale.prior.physics import Physics, balance
from finescale.prior.regression import Regression
from finescale.prior.schedule import KarrasSchedule, LinearSchedule
from finescale.prior.tasks import DiffusionTask
from finescale.prior.validation import Validation


@pytest.fixture(scope="module")
def data():
    return pairs()


@pytest.fixture(scope="module")
def fitted() -> Physics:
    return physics()


@pytest.fixture(scope="module")
def held_out(data) -> Batch:
    return data.windows(data.validation, 2, 24)


def context(batch):
    return batch.context(torch.device("cpu"))


def blurred(x):
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = torch.outer(kernel, kernel)[None, None]
    flat = nn.functional.pad(x.flatten(0, 2)[:, None], (1, 1, 1, 1), mode="replicate")
    return nn.functional.conv2d(flat, kernel).view_as(x)


def test_truth_costs_less_than_its_blur_and_that_less_than_noise(fitted, held_out):
    x, told = held_out.x, context(held_out)
    noisy = x + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    means, weight = fitted.means(x), torch.ones(len(x))
    losses = [float(fitted(field, means, told, weight, x)) for field in (x, blurred(x), noisy)]
    assert losses[0] == 0 < 1e-5 < losses[1] < 0.5 * losses[2]
    # Without the truth to compare with, the usual of the training data still tells weather from noise.
    alone = [float(fitted(field, means, told, weight)) for field in (x, noisy)]
    assert alone[0] < 0.1 * alone[1]


def test_fields_are_taken_in_kelvin_and_winds_in_metres_a_second(data, fitted, held_out):
    kelvin = fitted.kelvin(held_out.x)
    assert 270 < float(kelvin.mean()) < 300
    wind = fitted._wind(held_out.coarse, "uas")
    truth = data.validation["uas"]
    assert abs(float(wind.mean()) - float(truth.mean())) < 0.3
    assert wind.shape[-2:] == data.grid.shape


def test_gradient_is_that_of_finite_differences(fitted, held_out):
    double = lambda values: values.double()  # noqa: E731
    exact = replace(
        fitted,
        fine=fitted.fine.convert(double),
        coarse=fitted.coarse.convert(double),
        rise=tuple(map(double, fitted.rise)),
        budget=fitted.budget.map(double),
    )
    told = context(held_out).rows(0, 1)
    told = Context(told.clock.double(), None, told.coarse.double())
    x = held_out.x[:1].double() + 0.2 * torch.randn(
        1, 2, 1, 16, 16, generator=torch.Generator().manual_seed(1)
    )
    means, weight = exact.means(held_out.x[:1].double()), torch.ones(1).double()
    x = x.requires_grad_()
    loss = exact(x, means, told, weight)
    gradient = torch.autograd.grad(loss, x)[0]
    rng = np.random.default_rng(0)
    for _ in range(12):
        way = torch.from_numpy(rng.standard_normal(x.shape))
        with torch.no_grad():
            step = 1e-6
            found = (
                exact(x + step * way, means, told, weight) - exact(x - step * way, means, told, weight)
            ) / (2 * step)
        assert float(found) == pytest.approx(float((gradient * way).sum()), rel=1e-4, abs=1e-9)


def test_a_constant_added_to_everything_changes_nothing_but_the_means(fitted, held_out):
    x, told = held_out.x, context(held_out)
    one = fitted.terms(x, fitted.means(x), told)
    two = fitted.terms(x + 2.0, fitted.means(x) + 2.0, told)
    assert torch.allclose(one["flux"], two["flux"], rtol=1e-2, atol=1e-4)
    assert torch.allclose(one["transport"], two["transport"], rtol=2e-2, atol=1e-4)
    assert float(fitted.terms(x + 2.0, fitted.means(x), told)["consistency"].mean()) == pytest.approx(
        4.0, rel=1e-3
    )


def test_residuals_of_new_hours_stay_within_those_of_training(fitted, held_out):
    """Beyond the 95th percentile of the training data lie about five in a hundred of other hours, too."""
    residual = fitted.residual(fitted.kelvin(held_out.x), context(held_out)).abs()
    outside = (residual > spread(fitted.budget.usual, fitted.owner)[1:-1, 1:-1]).float().mean()
    assert 0.01 < float(outside) < 0.15
    assert (fitted.budget.coefficients[..., 0] >= 0).all()


def test_what_the_terms_need_is_asked_for_by_name(data):
    rise = (data.places.rows, data.places.columns)
    wind = replace(data.scaling, variables=("uas",))
    with pytest.raises(FinescaleError, match="flux and transport are of temperature"):
        Physics.of(SPEC.physics, wind, data.predictors, data.coarsening, rise)
    plain = Physics.of(SPEC.physics, data.scaling, data.predictors, data.coarsening, rise)
    with pytest.raises(FinescaleError, match="fit the terms first"):
        batch = data.windows(data.validation, 2, 2)
        plain(batch.x, plain.means(batch.x), context(batch), torch.ones(2))


@pytest.mark.parametrize("size", [1.0, 1e-11, 1e6])
def test_the_weight_follows_the_ratio_of_gradients_not_the_size_of_the_loss(size):
    head = torch.tensor([0.5, -1.0], requires_grad=True)
    denoising, physical = (head**2).sum(), size * ((head - 3) ** 2).sum()
    whole = torch.autograd.grad(balance(denoising, physical, head, 0.1), head)[0]
    alone = 2 * head.detach()
    assert float((whole - alone).norm()) == pytest.approx(0.1 * float(alone.norm()), rel=1e-4)


def test_the_estimate_is_the_clean_state_not_the_velocity():
    """With standardised states the network's target is -v, and the denoiser turns it into x_0 before all else."""
    alpha = torch.tensor(0.8, dtype=torch.float64)
    sigma = torch.sqrt(1 - alpha**2)
    x, eps = torch.randn(2, 1, 1, 1, 4, 4, dtype=torch.float64).unbind()
    v = alpha * eps - sigma * x

    class Velocity(nn.Module):
        def forward(self, inputs, log_sigma, context):
            return -v

    mask = torch.ones(1, 4, 4, dtype=torch.bool)
    denoiser = KarrasDenoiser(Velocity(), mask, torch.zeros(1), torch.ones(1)).double()
    ratio = (sigma / alpha).reshape(1)
    assert torch.allclose(denoiser(x + ratio * eps, ratio), x, atol=1e-6)


def test_the_published_schedule_keeps_the_variance_and_ends_in_noise():
    schedule = LinearSchedule()
    alpha, sigma = schedule(torch.linspace(0, 1, 7))
    assert torch.allclose(alpha**2 + sigma**2, torch.ones(7, dtype=torch.float64))
    assert float(alpha[0]) ** 2 == pytest.approx(1 - 1e-4, rel=1e-6)
    betas = np.linspace(1e-4**0.5, 2e-2**0.5, 1000) ** 2
    assert float(alpha[-1]) ** 2 == pytest.approx(np.prod(1 - betas), rel=1e-6)
    draws = [NoiseLaw(schedule, 0, 1, 0).draw(np.random.default_rng(i)) for i in range(50)]
    assert 0.01 <= min(draws) < 1 < max(draws) <= float(sigma[-1] / alpha[-1])


class Watched:
    """Stands in for the physics and notes what it is given."""

    def __init__(self, real):
        self.real, self.seen = real, []

    def at(self, place, shape):
        assert place is None
        return self

    def means(self, x):
        return self.real.means(x)

    def __call__(self, x, means, context, weight, truth):
        self.seen.append((x.detach(), means, context, weight))
        return self.real(x, means, context, weight, truth)


class Knows(KarrasDenoiser):
    """A denoiser that gives the clean state, and keeps a parameter to be trained."""

    def forward(self, x_t, sigma, context=None):
        return self.clean + 0 * sum(p.sum() for p in self.network.parameters())


@pytest.fixture
def task(data, fitted):
    torch.manual_seed(0)
    mean = Regression(SPEC.mean.network, SPEC.context, data.places, data.scaling, data.predictors)
    coder = Autoencoder(1, replace(SPEC.autoencoder, latent=16, kl=0.0))
    with torch.no_grad():
        coder.decode_linear.weight.copy_(coder.encode_linear.weight.transpose(0, 1))
    codec = Chain([Residual(mean, torch.tensor([0.3])), Latent(coder, data.grid.shape)])
    codec.eval().requires_grad_(False)
    spec = replace(SPEC, autoencoder=replace(SPEC.autoencoder, latent=16))
    places = assembly.latent_places(data.places, spec.autoencoder.factor)
    plain = assembly.latent_denoiser(spec, places, torch.zeros(16), torch.ones(16))
    denoiser = Knows(plain.network, plain.mask, torch.zeros(16), torch.ones(16))
    law = NoiseLaw(KarrasSchedule(0.01, 50.0), -0.3, 1.5, 0.1)
    batch = data.windows(data.validation, 2, 6)
    empty = Validation(batch.x, batch.clock, denoiser.mask, torch.ones(16), 0)
    return DiffusionTask(
        denoiser, spec, None, codec, law, empty, batch, Watched(fitted), "", torch.device("cpu")
    )


def noised(task, sigma):
    batch = task.example_batch
    with torch.no_grad():
        z = task.codec.encode(batch.x, context(batch))
    base = add_noise(
        Batch(z, batch.clock, batch.index, batch.coarse),
        task.law,
        seed=0,
        step=0,
        drop=0.0,
        device=task.device,
    )
    level = torch.full((len(z),), sigma)
    task.module.clean = z
    return Noised(z, z + sigma * (base.x_t - z), level, base.context), batch.x


def test_physics_sees_the_whole_field_in_the_place_of_the_residual(task):
    part = noised(task, 0.2)
    task.loss(task.module, part)
    field, means, _, _ = task.physics.seen[0]
    # The state is exact and so is the autoencoder: the mean is added back, and what is judged is the truth itself.
    assert torch.allclose(field, part[1], atol=1e-4)
    assert torch.allclose(means, task.physics.means(part[1]))


def test_the_weight_is_taken_where_all_of_the_estimate_passes_last(task):
    assert task.last_layer is task.module.network.backbone.head.weight


def test_nearly_pure_noise_is_no_field(task):
    assert float(task.loss(task.module, noised(task, 5.0))) == pytest.approx(0.0, abs=1e-10)
    assert task.physics.seen == []
    task.loss(task.module, noised(task, 0.5))
    assert torch.allclose(task.physics.seen[0][3], torch.full((6,), 0.8))  # snr / (1 + snr) at snr = 4


def test_the_decoder_has_no_gradient_of_its_own(task):
    part = noised(task, 0.2)
    task.module.clean = (part[0].x + 0.1).requires_grad_()
    task.loss(task.module, part).backward()
    assert all(p.grad is None for p in task.codec.parameters())
    assert {id(p) for p in task.module.parameters()}.isdisjoint({id(p) for p in task.codec.parameters()})

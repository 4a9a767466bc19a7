"""Physics on crops: the terms of the whole domain, restricted; in the loss, and while sampling the whole domain."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from paired_world import operator, world
from run_latent import NETWORK, SPEC, pairs, physics, run
from test_physics import Knows, Watched, blurred, context
from torch import nn

from finescale.errors import FinescaleError
from finescale.grid.balance import flux_balance
from finescale.guidance.nudge import PhysicsNudge
from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.methods.generative import GenerativeDownscaler
from finescale.prior import assembly
from finescale.prior.autoencoder import Autoencoder
from finescale.prior.budget import spread
from finescale.prior.card import load_prior
from finescale.prior.codec import Chain, Latent, Residual
from finescale.prior.loader import Batch
from finescale.prior.objective import NoiseLaw
from finescale.prior.physics import Physics
from finescale.prior.regression import Regression
from finescale.prior.schedule import KarrasSchedule
from finescale.prior.tasks import DiffusionTask
from finescale.prior.validation import Validation

SIZE, CROP, CELL = 32, 24, 4  # fine cells; a crop has 6 x 6 coarse cells, and 2 x 2 blocks within their rim
SHORT = replace(SPEC.training, steps=6, validate_every=0)
CROPPED = replace(
    SPEC,
    crop=CROP,
    network=replace(NETWORK, channels=(8,), blocks=(1,)),
    training=SHORT,
    mean=replace(SPEC.mean, training=replace(SPEC.mean.training, steps=12, validate_every=0)),
    autoencoder=replace(SPEC.autoencoder, training=SHORT),
)
# An odd number of coarse cells from the corner, too: such blocks are none of those that tile the domain.
PLACES = torch.tensor([[0, 0], [4, 8], [8, 4], [4, 4], [0, 8], [8, 8]])


@pytest.fixture(scope="module")
def data():
    return pairs(CROPPED, SIZE)


@pytest.fixture(scope="module")
def fitted() -> Physics:
    return physics(CROPPED, SIZE)


@pytest.fixture(scope="module")
def whole(data) -> Batch:
    return data.windows(data.validation, 2, len(PLACES))


def crop(x, lost=0, size=CROP):
    """Each row's part of fields of the whole domain that have lost so many cells around."""
    inner = size - 2 * lost
    return torch.stack([v[..., r : r + inner, c : c + inner] for v, (r, c) in zip(x, PLACES, strict=True)])


def noisy(x, size=0.3):
    return x + size * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


def huber(values, usual, own):
    beyond = ((values.abs() - torch.maximum(own.abs(), usual)) / usual).clamp_min(0)
    return torch.where(beyond < 1, beyond**2 / 2, beyond - 0.5).flatten(1).mean(1)


def blocks(fitted, t, cells):
    """Flux gaps of the blocks of each crop, from the whole fields, and what is usual there; one block at a time."""
    budget, gaps, usual = fitted.budget, [], []
    for b, corner in enumerate((PLACES // CELL).tolist()):
        for i, j in [(0, 0), (0, 2), (2, 0), (2, 2)]:
            r, c = corner[0] + 1 + i, corner[1] + 1 + j
            there = (slice(r, r + 2), slice(c, c + 2))
            finer = tuple(slice(CELL * s.start, CELL * s.stop) for s in there)
            own = flux_balance(t[b], fitted.fine, (2 * CELL, 2 * CELL), finer)
            seen = flux_balance(cells[b], fitted.coarse, (2, 2), there)
            gaps.append((own - seen).flatten() - budget.offset[r, c])
            usual.append(budget.gap[r, c].expand(t.shape[1]))
    return (torch.stack(part).view(len(PLACES), -1) for part in (gaps, usual))


def test_terms_on_a_crop_are_those_of_the_whole_domain_restricted_by_hand(fitted, whole):
    here = fitted.at(PLACES, (CROP, CROP))
    x, means, told = noisy(whole.x), fitted.means(whole.x), context(whole)
    found = here.terms(crop(x), here.means(crop(whole.x)), told, crop(whole.x))
    means_there = torch.stack(
        [v[..., r : r + 6, c : c + 6] for v, (r, c) in zip(means, (PLACES // CELL).tolist(), strict=True)]
    )
    torch.testing.assert_close(here.means(crop(whole.x)), means_there)
    t, truth = fitted.kelvin(x), fitted.kelvin(whole.x)
    left, own = (crop(fitted.residual(v, told), lost=1) for v in (t, truth))
    usual = spread(fitted.budget.usual, fitted.owner)[1:-1, 1:-1].expand(len(PLACES), 1, -1, -1)
    wanted = huber(left, crop(usual, lost=1), own)
    torch.testing.assert_close(found["transport"], wanted, rtol=1e-3, atol=1e-6)
    (gap, usual), (own, _) = (blocks(fitted, v, fitted.kelvin(means)) for v in (t, truth))
    torch.testing.assert_close(found["flux"], huber(gap, usual, own), rtol=1e-3, atol=1e-5)
    assert (found["flux"] > 0).any()
    assert (found["transport"] > 0).all()
    # Coefficients of another place are another loss.
    away = fitted.at(PLACES.roll(1, 0), (CROP, CROP))
    other = away.terms(crop(x), here.means(crop(whole.x)), told, crop(whole.x))
    for name in ("flux", "transport"):
        assert not torch.allclose(other[name], found[name], rtol=1e-2)


def test_a_crop_of_the_whole_domain_at_its_corner_has_the_whole_transport(fitted, whole):
    corner = fitted.at(torch.zeros(len(PLACES), 2, dtype=torch.long), (SIZE, SIZE))
    x, told, means = noisy(whole.x), context(whole), fitted.means(whole.x)
    one, two = (terms.terms(x, means, told, whole.x) for terms in (fitted, corner))
    for name in ("transport", "consistency"):
        torch.testing.assert_close(one[name], two[name], rtol=1e-4, atol=1e-6)


def test_truth_on_crops_costs_less_than_its_blur_and_that_less_than_noise(fitted, whole):
    here, x, told = fitted.at(PLACES, (CROP, CROP)), crop(whole.x), context(whole)
    means, weight = here.means(x), torch.ones(len(x))
    losses = [float(here(field, means, told, weight, x)) for field in (x, blurred(x), noisy(x))]
    assert losses[0] == 0 < 1e-5 < losses[1] < 0.5 * losses[2]
    alone = [float(here(field, means, told, weight)) for field in (x, noisy(x))]
    assert alone[0] < 0.1 * alone[1]


class Placed(Watched):
    """Notes the places, too."""

    def at(self, place, shape):
        seen = Placed(self.real.at(place, shape))
        seen.seen, seen.place = self.seen, place
        self.last = seen
        return seen


@pytest.fixture
def task(data, fitted):
    torch.manual_seed(0)
    spec = replace(CROPPED, autoencoder=replace(CROPPED.autoencoder, latent=16, kl=0.0))
    mean = Regression(spec.mean.network, spec.context, data.places, data.scaling, data.predictors, CROP)
    coder = Autoencoder(1, spec.autoencoder)
    with torch.no_grad():
        coder.decode_linear.weight.copy_(coder.encode_linear.weight.transpose(0, 1))
    codec = Chain([Residual(mean, torch.tensor([0.3])), Latent(coder, data.grid.shape)])
    codec.eval().requires_grad_(False)
    places = assembly.latent_places(data.places, CELL)
    denoiser = assembly.latent_denoiser(spec, places, torch.zeros(16), torch.ones(16))
    for p in denoiser.parameters():  # a new network starts from layers of zeros, which pass no gradient on
        nn.init.normal_(p, std=0.1)
    batch = data.held_out(2, spec.training, CELL)
    return DiffusionTask(
        denoiser, spec, data.loader(2, spec.training, CELL), codec,
        NoiseLaw(KarrasSchedule(0.01, 50.0), -1.5, 0.5, 0.0),
        Validation(batch.x, batch.clock, denoiser.mask, torch.ones(16), 0),
        batch, Placed(fitted), "", torch.device("cpu"),
    )  # fmt: skip


def first(task):
    batch = next(iter(task.loader.batches(0, 1)))
    return batch, task.parts(batch, 0)[0]


def test_physics_is_at_the_place_of_the_decoded_crop(task):
    """An exact state decodes to the truth, the mean of that very place added back."""
    batch, (noised, x) = first(task)
    assert len(set(map(tuple, batch.place.tolist()))) > 1
    knows = Knows(task.module.network, task.module.mask, torch.zeros(16), torch.ones(16))
    knows.clean = noised.x
    near = noised.sigma < 1
    assert near.any()
    replace(task, module=knows).loss(knows, (noised, x))
    field, means, _, _ = task.physics.seen[0]
    torch.testing.assert_close(field, x[near], atol=1e-4, rtol=1e-4)
    assert torch.equal(task.physics.last.place, batch.place[near])
    torch.testing.assert_close(means, task.physics.real.at(batch.place[near], (CROP, CROP)).means(x[near]))


def test_gradient_of_physics_on_crops_reaches_the_network(task):
    _, part = first(task)

    def gradients(which):
        which.module.zero_grad()
        which.loss(which.module, part).backward()
        return torch.cat([p.grad.flatten() for p in which.module.parameters() if p.grad is not None])

    with_physics, without = gradients(task), gradients(replace(task, physics=None))
    assert torch.isfinite(with_physics).all()
    assert float((with_physics - without).norm()) > 1e-2 * float(without.norm())
    assert all(p.grad is None for p in task.codec.parameters())


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crops")
    run(folder, CROPPED, size=SIZE)
    return load_prior(folder / "diffusion")


def test_a_prior_of_crops_is_moved_towards_physics_on_the_whole_domain(prior, data, whole):
    """The step acts on the decoded whole field, whose mean is joined from tiles."""
    prior.lay(CROP - 2 * CELL, 16)
    assert prior.codec.parts[0].mean.network.tiles.count > 1
    nudge = PhysicsNudge.of(prior, operator(size=SIZE), 0.05)
    told = context(whole).rows(0, 1)
    state = prior.denoiser.mask.shape
    assert state[-2:] == (SIZE // CELL, SIZE // CELL)
    z = 3 * torch.randn(1, 2, *state, generator=torch.Generator().manual_seed(0))

    def loss(at):
        with torch.no_grad():
            field = prior.codec.decode(at, told)
            assert field.shape[-2:] == data.grid.shape
            return float(nudge.physics(field, nudge.mean.told(told), told, torch.ones(1)))

    moved = nudge(z, told, 0.1)
    assert torch.isfinite(moved).all()
    assert loss(moved) < loss(z)
    assert torch.equal(nudge(z, told, 1e3), z)


def test_guidance_by_physics_draws_the_whole_domain_of_a_prior_of_crops(prior):
    coarse = operator(size=SIZE).apply(world(600, size=SIZE)[0].isel(time=slice(540, 547)))
    plain, bent = (
        GenerativeDownscaler(
            prior, operator(size=SIZE), {"tas": "K", "uas": "m s-1", "vas": "m s-1"},
            SamplerSpec("euler", 4, start="zero"), GuidanceSpec("none", physics=weight), overlap=CROP - 2 * CELL,
        )(coarse, members=1, seed=0)["tas"]
        for weight in (0.0, 0.2)
    )  # fmt: skip
    assert bent.sizes["lat"] == bent.sizes["lon"] == SIZE
    assert np.isfinite(bent).all()
    assert float(np.abs(plain - bent).max()) > 1e-3


def test_a_usual_flux_of_other_blocks_is_refused(prior):
    other = replace(prior, spec=replace(prior.spec, physics=replace(prior.spec.physics, block=3)))
    with pytest.raises(
        FinescaleError, match=r"a block at each coarse cell, \(6, 6\): the prior holds \(7, 7\)"
    ):
        PhysicsNudge.of(other, operator(size=SIZE), 0.05)


def test_a_crop_without_a_block_is_refused_unless_flux_is_left_out():
    small = replace(SPEC.physics, flux=1.0)
    with pytest.raises(FinescaleError, match="crop is 12 fine cells a side; choose 16 or more"):
        small.check_crop(12, CELL)
    small.check_crop(16, CELL)
    replace(small, flux=0.0).check_crop(8, CELL)

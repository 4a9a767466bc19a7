"""A latent prior as methods: drawn, guided through its decoder, moved towards physics, saved and loaded."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from paired_world import operator, world
from run_latent import run

from finescale.errors import FinescaleError
from finescale.guidance.conditions import conditions
from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.scene import Scene
from finescale.guidance.solver import SamplerSpec
from finescale.methods import recipes
from finescale.methods.generative import GenerativeDownscaler
from finescale.methods.regression import RegressionDownscaler
from finescale.prior.card import load_prior

UNITS = {"tas": "K", "uas": "m s-1", "vas": "m s-1"}
NONE = GuidanceSpec("none")
EULER = SamplerSpec("euler", 4, start="zero")


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prior")
    run(folder)
    return load_prior(folder / "diffusion")


@pytest.fixture(scope="module")
def coarse():
    return operator().apply(world(600)[0].isel(time=slice(540, 583)))


def method(prior, guidance=NONE, sampler=EULER, **rest):
    return GenerativeDownscaler(prior, operator(), UNITS, sampler, guidance, **rest)


def misfit(ensemble, coarse):
    seen = operator().apply(ensemble)["tas"]
    return float(np.sqrt(((seen - coarse["tas"]) ** 2).mean()))


def test_draws_have_the_variables_of_the_prior_and_do_not_depend_on_the_batch(prior, coarse):
    one = method(prior, batch=7, group=1)(coarse, members=3, seed=1)
    two = method(prior, batch=64, group=3)(coarse, members=3, seed=1)
    assert (list(one.data_vars), one.sizes["member"], one.sizes["time"]) == (["tas"], 3, 43)
    np.testing.assert_allclose(one["tas"], two["tas"], atol=2e-3)
    assert float(one["tas"].std("member").mean()) > 0.01
    other = method(prior)(coarse, members=3, seed=2)
    assert float(np.abs(other["tas"] - one["tas"]).max()) > 0.1


def test_a_prior_goes_to_a_device_with_its_codec(prior):
    moved = prior.on("meta")
    assert all(p.is_meta for p in (*moved.denoiser.parameters(), *moved.codec.parameters()))
    assert not any(p.is_meta for p in (*prior.denoiser.parameters(), *prior.codec.parameters()))


@pytest.mark.parametrize(
    ("guidance", "share"),
    [
        (GuidanceSpec("sda", gamma=0.01, gradient="exact"), 0.6),
        # The transposed operator shrinks a residual by the cells of a coarse cell: dps needs long steps.
        (GuidanceSpec("dps", zeta=20.0), 0.95),
    ],
)
def test_guided_through_the_decoder_draws_follow_the_coarse_data(prior, coarse, guidance, share):
    free = misfit(method(prior)(coarse, members=2, seed=1), coarse)
    bound = misfit(method(prior, guidance)(coarse, members=2, seed=1), coarse)
    assert bound < share * free


@pytest.mark.parametrize("name", ["mmps", "gaussian-cov", "project", "ddrm", "sda"])
def test_what_holds_for_linear_operators_refuses_by_name(prior, coarse, name):
    spec = GuidanceSpec(name, precondition=False)
    with pytest.raises(FinescaleError, match=f"{name} needs an observation that is linear in the state"):
        method(prior, spec)(coarse, members=1, seed=0)


def test_a_start_from_a_climate_of_fields_is_refused(prior, coarse):
    with pytest.raises(FinescaleError, match="fitted to the states of the prior"):
        method(prior, sampler=replace(EULER, start="mean"))(coarse, members=1, seed=0)


def test_the_decoded_operator_and_its_gradient_agree(prior, coarse):
    given = conditions(coarse, operator(), prior.scaling)
    scene = Scene(prior, given, coarse)
    segment = scene.observation().segment(given.first, given.first + 8)
    generator = torch.Generator().manual_seed(0)
    state = prior.denoiser.mask.shape
    z, way = (torch.randn(1, 8, *state, generator=generator) for _ in range(2))
    v = torch.randn(1, segment.size, generator=generator)
    with torch.no_grad():
        slope = (segment.apply(z + 1e-2 * way) - segment.apply(z - 1e-2 * way)) / 2e-2
    assert float((slope * v).sum()) == pytest.approx(
        float((segment.adjoint(v, z) * way).sum()), rel=1e-2, abs=1e-2
    )


def test_steps_towards_physics_lower_its_loss(prior, coarse):
    from finescale.guidance.nudge import PhysicsNudge

    nudge = PhysicsNudge.of(prior, operator(), 0.05)
    given = conditions(coarse, operator(), prior.scaling)
    context = Scene(prior, given, coarse).context.frames(0, 2)
    z = 3 * torch.randn(1, 2, *prior.denoiser.mask.shape, generator=torch.Generator().manual_seed(0))
    told = nudge.mean.told(context)

    def loss(state):
        with torch.no_grad():
            return float(nudge.physics(prior.codec.decode(state, context), told, context, torch.ones(1)))

    moved = nudge(z, context, 0.1)
    assert loss(moved) < loss(z)
    assert torch.equal(nudge(z, context, 1e3), z)  # nearly pure noise is no field
    plain, bent = (
        method(prior, replace(NONE, physics=w))(coarse, members=1, seed=0)["tas"] for w in (0.0, 0.2)
    )
    assert float(np.abs(plain - bent).max()) > 1e-3


def test_the_reference_network_answers_with_one_member(prior, coarse, tmp_path):
    mean = RegressionDownscaler(prior, operator(), UNITS)
    found = mean(coarse, members=5, seed=3)
    assert (found.sizes["member"], found.sizes["time"]) == (1, 43)
    assert misfit(found, coarse) < 0.5
    mean.save(tmp_path / "mean")
    xr.testing.assert_identical(recipes.load(tmp_path / "mean")(coarse, members=1, seed=0), found)


def test_a_saved_method_is_the_same_method(prior, coarse, tmp_path):
    guided = method(prior, GuidanceSpec("sda", gamma=0.05, physics=0.1))
    guided.save(tmp_path / "method")
    again = recipes.load(tmp_path / "method")
    xr.testing.assert_identical(again(coarse, members=1, seed=4), guided(coarse, members=1, seed=4))


def test_another_clock_or_variable_is_refused(prior):
    with pytest.raises(FinescaleError, match="a prior of pairs knows one clock"):
        GenerativeDownscaler(prior, operator(3), UNITS, EULER, NONE)
    with pytest.raises(FinescaleError, match="hold the same variables"):
        GenerativeDownscaler(prior, operator(), {"tas": "K"}, EULER, NONE)

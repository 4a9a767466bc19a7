"""Sections of params.yaml speak the language of the rooms that they are handed to."""

from dataclasses import fields

import pytest

from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.prior.latentspec import AutoencoderSpec, LatentSpec, PhysicsSpec, RegressionSpec
from finescale.prior.spec import NetworkSpec, PriorSpec, TrainingSpec
from finescale.prior.window import WindowSpec
from finescale.settings.latent import Autoencoder, LatentPrior, Mean, Physics
from finescale.settings.learning import Guide, Network, Prior, Sampler, Training, Windows

# What a section leaves out: decided elsewhere, or not a plain number.
LEFT_OUT = {
    TrainingSpec: {"seed", "ema_warmup", "pool_frames", "pool_steps"},
    PriorSpec: {"variables", "sigma_min", "sigma_max"},
    GuidanceSpec: {"precondition"},
    LatentSpec: {"sigma_min", "sigma_max"},
}


@pytest.mark.parametrize(
    ("section", "spec"),
    [
        (Network, NetworkSpec),
        (Training, TrainingSpec),
        (Prior, PriorSpec),
        (Sampler, SamplerSpec),
        (Guide, GuidanceSpec),
        (Windows, WindowSpec),
        (LatentPrior, LatentSpec),
        (Mean, RegressionSpec),
        (Autoencoder, AutoencoderSpec),
        (Physics, PhysicsSpec),
    ],
)
def test_keys_are_the_rooms_own(section: type, spec: type) -> None:
    own = set(section.model_fields) - {
        "kind",
        "parts",
    }  # how the file tells priors apart, and what they share
    assert own == {f.name for f in fields(spec)} - LEFT_OUT.get(spec, set())


def test_a_section_makes_its_spec() -> None:
    assert SamplerSpec(**Sampler(steps=3).model_dump()).steps == 3
    assert NetworkSpec(**Network(channels=(8, 8), blocks=(1, 1)).model_dump()).channels == (8, 8)

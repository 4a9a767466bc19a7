"""A network trained on a Gaussian world finds the world's exact denoiser."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from red_world import red_world

from finescale.prior.card import load_prior
from finescale.prior.loader import even_windows
from finescale.prior.spec import NetworkSpec, PriorSpec, TrainingSpec
from finescale.prior.training import train
from finescale.prior.validation import Validation

SPEC = PriorSpec(
    ("a", "b"),
    window=3,
    preconditioning="edm",
    network=NetworkSpec(channels=(32, 48), blocks=(1, 1), attention=1, embedding=64),
    training=TrainingSpec(
        steps=600, batch=32, learning_rate=4e-3, warmup=50, validate_every=0, noise_mean=-0.5, pool_steps=200
    ),
)


@pytest.mark.slow
def test_learned_error_is_within_a_tenth_of_the_exact_one(tmp_path):
    """Mean over noise bands of the relative excess; 0.05 in 25 processor seconds, and above 1 untrained."""
    world = replace(red_world(size=10, modes=40), grain=0.5)
    new = world.dataset(2000, 2)

    def excess(steps: int) -> float:
        folder = tmp_path / str(steps)
        spec = replace(SPEC, training=replace(SPEC.training, steps=steps))
        scratch = tmp_path / f"scratch-{steps}"
        train(world.dataset(20000, 1), None, spec, folder, validation=new, scratch=scratch)
        prior = load_prior(folder)
        x, when = even_windows(new, prior.scaling, prior.denoiser.mask.numpy(), 3, 128)
        fixed = Validation(x, when, prior.denoiser.mask, torch.ones(2), 5)
        centre, scale = (torch.tensor(v)[:, None, None] for v in (prior.scaling.centre, prior.scaling.scale))
        exact = world.exact(3)

        def best(x_t, sigma, context=None):
            return (exact(x_t * scale + centre, sigma * float(scale.mean())) - centre) / scale

        learned, known = fixed.bands(prior.denoiser), fixed.bands(best)
        return float(np.mean([learned[level] / known[level] - 1 for level in known]))

    assert excess(1) > 0.5
    assert excess(SPEC.training.steps) < 0.1

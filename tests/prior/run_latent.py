"""The three trainings of a tiny latent prior as a program, so that tests can kill it at any stage."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from paired_world import SIZE, operator, world

from finescale.prior.latent import Run, train_autoencoder, train_diffusion, train_mean
from finescale.prior.latentspec import AutoencoderSpec, LatentSpec, PhysicsSpec, RegressionSpec
from finescale.prior.pairs import Pairs
from finescale.prior.physics import Physics
from finescale.prior.spec import NetworkSpec, TrainingSpec

STAGES = ("mean", "autoencoder", "diffusion")
NETWORK = NetworkSpec(channels=(8, 8), blocks=(1, 1), attention=0, embedding=16)
TRAINING = TrainingSpec(
    steps=24,
    batch=4,
    warmup=4,
    validate_every=10,
    validation_windows=4,
    checkpoint_every=6,
    drop_context=0.0,
    precision="fp32",
    pool_frames=256,
    pool_steps=10,
    seed=3,
)
SPEC = LatentSpec(
    ("tas",),
    ("tas", "uas", "vas"),
    window=2,
    context=("height", "land", "zenith", "year", "day"),
    mean=RegressionSpec(NETWORK, replace(TRAINING, learning_rate=5e-3)),
    autoencoder=AutoencoderSpec(latent=6, width=16, blocks=1, kl=1e-3, training=TRAINING),
    network=NETWORK,
    training=TRAINING,
    physics=PhysicsSpec(rho=0.1),
)


def pairs(spec: LatentSpec = SPEC, size: int = SIZE) -> Pairs:
    fine, static = world(size=size)
    h = operator(size=size)
    coarse = h.apply(fine)
    cut = int(0.8 * fine.sizes["time"])
    train, validation = fine.isel(time=slice(0, cut)), fine.isel(time=slice(cut + 48, None))
    return Pairs.of(train, coarse, static, spec, h, validation)


def physics(spec: LatentSpec = SPEC, size: int = SIZE) -> Physics:
    """The terms of a specification, fitted to the training period."""
    data = pairs(spec, size)
    found = Physics.of(
        spec.physics, data.scaling, data.predictors, data.coarsening, (data.places.rows, data.places.columns)
    )
    return found.fit(data.windows(data.train, 2, 64))


def run(
    folder: Path,
    spec: LatentSpec = SPEC,
    say: Callable[[str, int], None] | None = None,
    stages: tuple[str, ...] = STAGES,
    size: int = SIZE,
) -> None:
    torch.set_num_threads(1)
    data = pairs(spec, size)
    places = {name: folder / name for name in STAGES}
    for stage in stages:
        told = None if say is None else (lambda done, total, stage=stage: say(stage, done))
        where = Run(places[stage], folder / f"scratch-{stage}", on_progress=told)
        if stage == "mean":
            train_mean(data, spec, where)
        elif stage == "autoencoder":
            train_autoencoder(data, spec, where, mean=places["mean"])
        else:
            train_diffusion(data, spec, where, mean=places["mean"], autoencoder=places["autoencoder"])


def sample(folder: Path) -> np.ndarray:
    """Decoded draws at the first held-out windows, ``[4, T, C, H, W]`` in scaled units."""
    from finescale.prior.card import load_prior
    from finescale.prior.check import draw

    prior = load_prior(folder)
    data = pairs()
    batch = data.windows(data.validation, prior.window, 4)
    context = batch.context(torch.device("cpu"))
    with torch.no_grad():
        return prior.codec.decode(draw(prior, context, seed=1, steps=4), context).numpy()


if __name__ == "__main__":
    if sys.argv[2:] == ["sample"]:
        np.save(Path(sys.argv[1]).parent / "draws.npy", sample(Path(sys.argv[1])))
    else:
        chosen = tuple(sys.argv[2:]) or STAGES
        run(Path(sys.argv[1]), say=lambda stage, done: print(stage, done, flush=True), stages=chosen)

"""A tiny training as a program, so that tests can kill it, and start it twice under torchrun."""

import sys
from pathlib import Path

import torch
from red_world import red_world

from finescale.prior import processes
from finescale.prior.spec import NetworkSpec, PriorSpec, TrainingSpec
from finescale.prior.training import train

SPEC = PriorSpec(
    ("a", "b"),
    window=3,
    context=("zenith", "day"),
    preconditioning="edm",
    network=NetworkSpec(channels=(8, 16), blocks=(1, 1), attention=0, embedding=16),
    training=TrainingSpec(
        steps=60,
        batch=4,
        warmup=5,
        validate_every=25,
        validation_windows=4,
        checkpoint_every=10,
        precision="fp32",
        pool_frames=256,
        pool_steps=20,
        seed=1,
    ),
)


def run(folder: Path, say=None, spec: PriorSpec = SPEC) -> None:
    torch.set_num_threads(1)
    world = red_world()
    train(
        world.dataset(600, 1),
        None,
        spec,
        folder / "prior",
        validation=world.dataset(100, 2),
        scratch=folder / "scratch",
        on_progress=say,
    )


if __name__ == "__main__":
    processes.join()
    run(Path(sys.argv[1]), lambda done, total: print(done, flush=True))

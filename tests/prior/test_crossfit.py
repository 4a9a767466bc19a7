"""What a network learns from is corrected as it will be on days that no climate has seen."""

import dataclasses

import numpy as np
import pytest
import torch

from finescale.errors import FinescaleError
from finescale.fields.scaling import Scaling
from finescale.prior import crossfit
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.loader import WindowLoader, even_windows
from finescale.prior.preparation import prepare
from finescale.prior.spec import NetworkSpec, PriorSpec, TrainingSpec

WINDOW = 4


@pytest.fixture(scope="module")
def short(world):
    ds = world.dataset(320, seed=11)
    scaling = Scaling.fit(ds, ["a", "b"])
    whole = GaussianClimate.fit(ds, scaling, modes=60, order=4, joint=8, sketch_every=1)
    return ds, whole, crossfit.climates(ds, whole, 2, WINDOW)


def test_parts_are_scattered_and_equal():
    own = crossfit.parts(320, 4)
    assert np.bincount(own).tolist() == [80] * 4
    assert int((np.diff(own) != 0).sum()) == 4 * crossfit.STRETCHES - 1


def left(climate, ds, sigma=0.3):
    """Error of a climate's denoiser over the one it expects."""
    x, clock = even_windows(ds, climate.scaling, climate.mask.numpy(), WINDOW, 40)
    eps = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    found = (climate.denoise(x + sigma * eps, torch.tensor(sigma), clock) - x).square().mean()
    return float(found / climate.posterior_variance(torch.tensor([sigma]), WINDOW).mean())


def test_a_climate_leaves_more_of_the_part_that_it_has_not_seen(short, world):
    ds, whole, climates = short
    own, new = crossfit.parts(320, 2), world.dataset(600, seed=12)
    seen = left(whole, ds)
    unseen = np.mean([left(c, ds.isel(time=own == fold)) for fold, c in enumerate(climates)])
    elsewhere = left(whole, new)
    assert seen < 0.92 * elsewhere
    assert abs(unseen - elsewhere) < abs(seen - elsewhere)


def test_all_windows_of_a_batch_lie_in_one_part(short):
    ds, whole, _ = short
    own = crossfit.parts(320, 4)
    loader = WindowLoader(ds, whole.scaling, whole.mask.numpy(), window=WINDOW, batch=32, seed=0, part=own)
    pool = loader._read(0)
    for step in range(8):
        batch = loader._cut(pool, step)
        assert batch.fold == step % 4
    for fold, starts in enumerate(pool.starts):
        assert {int(own[s + at]) for s in starts for at in range(WINDOW)} == {fold}


def test_training_corrects_the_climate_of_the_part_and_keeps_the_whole_one(short):
    ds, whole, climates = short
    recipe = TrainingSpec(steps=1, batch=4, folds=2, precision="fp32")
    network = NetworkSpec(channels=(8,), blocks=(1,), attention=0, embedding=8)
    spec = PriorSpec(("a", "b"), WINDOW, network=network, training=recipe)
    task = prepare(ds, None, spec, validation=ds, gaussian=whole, device=torch.device("cpu"))
    batch = next(task.loader.batches(1, 2))
    assert batch.fold == 1
    (part,) = task.parts(batch, 1)
    with torch.no_grad():
        found = float(task.loss(task.module, part))
        x_0 = climates[1].denoise(part.x_t, part.sigma, part.context.clock)
        scale = climates[1].posterior_variance(part.sigma, WINDOW).sqrt()[..., None, None]
    assert found == pytest.approx(float(((x_0 - part.x) / scale).square().mean()), rel=1e-4)
    assert task.denoiser.gaussian is whole
    alone = dataclasses.replace(spec, training=dataclasses.replace(recipe, folds=1))
    assert not prepare(ds, None, alone, validation=ds, gaussian=whole, device=torch.device("cpu")).climates


def test_a_checkpoint_belongs_to_one_climate_one_terrain_and_one_validation(short):
    ds, whole, _ = short
    network = NetworkSpec(channels=(8,), blocks=(1,), attention=0, embedding=8)
    spec = PriorSpec(("a", "b"), WINDOW, ("height",), network=network, training=TrainingSpec(steps=1))
    flat = ds.isel(time=0, drop=True).rename(a="orog", b="sftlf")

    def identity(gaussian=whole, static=flat, validation=ds, spec=spec):
        made = prepare(ds, static, spec, validation=validation, gaussian=gaussian, device=torch.device("cpu"))
        return made.identity

    fewer = GaussianClimate.fit(ds, whole.scaling, modes=20, order=4, joint=8, sketch_every=1)
    edm = dataclasses.replace(spec, preconditioning="edm")
    others = [
        identity(),
        identity(gaussian=fewer),
        identity(static=2 * flat),
        identity(validation=ds.isel(time=slice(0, 100))),
        identity(spec=edm),
    ]
    assert len(set(others)) == len(others)
    assert identity() == others[0]
    # A climate for comparison alone is no part of the training.
    assert identity(spec=edm, gaussian=fewer) == others[-1]


def test_a_period_too_short_for_its_parts_is_refused(short):
    ds, whole, _ = short
    with pytest.raises(
        FinescaleError, match=r"320 frames in 40 parts .* leave 2 in a row; lower training.folds"
    ):
        crossfit.climates(ds, whole, 40, WINDOW)


def test_short_periods_are_cut_into_fewer_parts():
    assert crossfit.usual(frames=480, window=9, order=8) == 4
    assert crossfit.usual(frames=240, window=9, order=4) == 3
    assert crossfit.usual(frames=240, window=9, order=8) == 1
    assert crossfit.usual(frames=100, window=9, order=8) == 1
    assert crossfit.usual(frames=240, window=1, order=60) == 1

"""Crops to learn from, tiles to draw by: where they lie, what they weigh, and what is refused."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from run_latent import NETWORK, pairs
from run_latent import SPEC as LATENT
from run_latent import run as run_latent
from run_training import SPEC, run
from test_loader import SCALING
from test_training import ENVIRONMENT, same, weights

from finescale.errors import FinescaleError
from finescale.fields.context import Context
from finescale.prior.backbone import build_denoiser
from finescale.prior.card import load_prior
from finescale.prior.check import draw
from finescale.prior.loader import WindowLoader
from finescale.prior.spec import NetworkSpec, PriorSpec
from finescale.prior.tiling import Tiles

CONTEXT = ("height", "latitude", "zenith", "year", "day")
CROPPED = replace(SPEC, crop=6, training=replace(SPEC.training, steps=24, validate_every=0))
FLAT = replace(NETWORK, channels=(8,), blocks=(1,))
SHORT = replace(LATENT.training, steps=6, validate_every=0)
PAIRED = replace(
    LATENT,
    crop=8,
    network=FLAT,
    training=SHORT,
    mean=replace(LATENT.mean, training=replace(LATENT.mean.training, steps=12, validate_every=0)),
    autoencoder=replace(LATENT.autoencoder, training=SHORT),
    physics=replace(LATENT.physics, rho=0),
)


def denoiser(crop, shape=(12, 20), attention=0, tokens=0):
    """A stirred network; the same weights whatever the crop."""
    network = NetworkSpec(channels=(8, 8), blocks=(1, 1), attention=attention, embedding=16, tokens=tokens)
    spec = PriorSpec(("a", "b"), 3, CONTEXT, preconditioning="edm", crop=crop, network=network)
    generator = torch.Generator().manual_seed(1)
    still = torch.randn(2, *shape, generator=generator)
    made = build_denoiser(
        spec,
        mask=torch.ones(2, *shape, dtype=torch.bool),
        static=still,
        position=torch.stack(
            torch.meshgrid(torch.arange(shape[0]) * 2.0, torch.arange(shape[1]) * 5.0, indexing="ij")
        ),
        centre=torch.zeros(2),
        spread=torch.ones(2),
    )
    with torch.no_grad():
        for p in made.parameters():
            p.copy_(0.1 * torch.randn(p.shape, generator=generator))
    return made


def windows(shape=(12, 20), count=3):
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(count, 3, 2, *shape, generator=generator)
    return x, torch.linspace(0.3, 2, count), Context(torch.rand(count, 3, 2, generator=generator))


@pytest.mark.parametrize("overlap", [None, 0, 2, 5, 7])
def test_shares_sum_to_one_and_fade_towards_borders(overlap):
    tiles = Tiles(8, (20, 29), overlap=overlap)
    total = np.zeros(tiles.shape)
    for (y, x), weight in zip(tiles.places, tiles.weights, strict=True):
        total[y : y + 8, x : x + 8] += weight
    assert np.allclose(total, 1)
    inner = tiles.weights[[i for i, (y, x) in enumerate(tiles.places) if 0 < y < 12 and 0 < x < 21]]
    if overlap and overlap >= 4:
        assert inner[:, 0].max() <= 1 / overlap


@pytest.mark.parametrize("overlap", [None, 8])
def test_tiles_begin_on_whole_coarse_cells_as_crops_do(overlap):
    """A network that is told coarse data has never seen a square that cuts their cells."""
    tiles = Tiles(24, (48, 64), step=8, overlap=overlap)
    assert (tiles.places % 8 == 0).all()
    assert len(np.unique(tiles.places[:, 0])) == (4 if overlap is None else 3)
    with pytest.raises(FinescaleError, match="whole coarse cells, 8 cells a side: overlap is 12"):
        replace(tiles, overlap=12)


@pytest.mark.parametrize(("attention", "tokens"), [(0, 0), (1, 4)])
def test_tiles_of_the_whole_domain_change_nothing(attention, tokens):
    shape = (12, 12)
    plain, tiled = (denoiser(crop, shape, attention, tokens) for crop in (None, 12))
    assert tiled.tiles.count == 1
    assert torch.equal(plain(*windows(shape)), tiled(*windows(shape)))


def test_a_tile_is_told_its_place():
    """One tile of the domain, and a smaller domain there: the same network, told the same."""
    tiled = denoiser(8)
    place = torch.tensor([[2, 8], [4, 0], [0, 12]])
    x, sigma, when = windows((8, 8))
    found = tiled(x, sigma, replace(when, place=place))
    for i, (row, column) in enumerate(place.tolist()):
        alone = denoiser(None, (8, 8))
        alone.load_state_dict(tiled.state_dict() | {
            "mask": alone.mask,
            "network.static": tiled.network.static[:, row : row + 8, column : column + 8],
            "network.position": tiled.network.position[:, row : row + 8, column : column + 8],
        })  # fmt: skip
        wanted = alone(x[i : i + 1], sigma[i : i + 1], when.rows(i, i + 1))
        assert torch.allclose(found[i : i + 1], wanted, atol=1e-5)
    away = tiled(x, sigma, replace(when, place=place.roll(1, 0)))
    assert (away - found).abs().max() > 1e-3


def test_the_number_of_tiles_in_a_call_changes_nothing():
    tiled, calls = denoiser(8, attention=1), []
    tiled.network.backbone.register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
    answers = []
    for batch in (1, 7, 64):
        tiled.network.tiles = replace(tiled.tiles, batch=batch)
        answers.append(tiled(*windows()))
        assert max(calls) <= batch
    torch.testing.assert_close(answers[0], answers[2], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(answers[1], answers[2], rtol=1e-5, atol=1e-5)
    x, sigma, when = windows()
    alone = [tiled(x[i : i + 1], sigma[i : i + 1], when.rows(i, i + 1)) for i in range(len(x))]
    torch.testing.assert_close(torch.cat(alone), answers[2], rtol=1e-5, atol=1e-5)


def test_composed_means_have_gradients():
    tiled = denoiser(8)
    x, sigma, when = windows(count=1)
    x.requires_grad_()
    tiled(x, sigma, when).square().sum().backward()
    assert (x.grad.abs() > 0).all()


def numbered(frames=300, shape=(8, 12)):
    """A cell holds its own number plus a hundred times that of its hour."""
    cells = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    values = cells + 100 * np.arange(frames, dtype=np.float32)[:, None, None]
    time = np.datetime64("2001-01-01", "ns") + np.arange(frames) * np.timedelta64(1, "h")
    axes = {"lat": np.arange(shape[0]), "lon": np.arange(shape[1])}
    return xr.Dataset({"a": (("time", *axes), values)}, coords={"time": time, **axes})


def crops(**options):
    tiles, mask = Tiles(4, (8, 12), step=2), np.ones((1, 8, 12), dtype=bool)
    settings = {
        "window": 3,
        "batch": 8,
        "seed": 3,
        "pool_frames": 960,
        "pool_steps": 4,
        "tiles": tiles,
    } | options
    return WindowLoader(numbered(), SCALING, mask, **settings)


def test_random_crops_are_where_they_say_and_everywhere():
    seen = set()
    for batch in crops().batches(0, 30):
        values = (batch.x * 4 + 2).double()
        hour, cell = values[:, 0, 0, 0, 0].div(100, rounding_mode="floor"), values[:, 0, 0, 0, 0] % 100
        assert torch.allclose(batch.place[:, 0] * 12.0 + batch.place[:, 1], cell.float(), atol=1e-2)
        assert (batch.place % 2 == 0).all()
        wanted = (
            cell[:, None, None]
            + 12 * torch.arange(4)[:, None]
            + torch.arange(4)
            + 100 * (hour[:, None, None] + 2)
        )
        assert torch.allclose(values[:, 2, 0], wanted, atol=1e-1)
        seen |= set(map(tuple, batch.place.tolist()))
    assert seen == {(y, x) for y in range(0, 5, 2) for x in range(0, 9, 2)}


def test_crops_of_a_restart_and_of_shares_are_the_same():
    whole = list(crops().batches(0, 9))
    for a, b in zip(whole[5:], crops().batches(5, 9), strict=True):
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.place, b.place)
    part = next(crops(share=(1, 2)).batches(5, 6))
    assert torch.equal(part.x, whole[5].x[part.index])
    assert torch.equal(part.place, whole[5].place[part.index])


def test_a_pool_holds_as_many_cells_as_its_frames_would_have_in_crops():
    assert crops().pool_frames == 960 * 16 // 96


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crops")
    run(folder, spec=CROPPED)
    return folder


def test_a_killed_training_on_crops_ends_the_same(trained, tmp_path):
    class Killed(Exception):
        pass

    def kill(done, total):
        if done == 13:
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path, kill, spec=CROPPED)
    run(tmp_path, spec=CROPPED)
    assert same(weights(tmp_path), weights(trained))


def test_a_prior_of_crops_draws_a_domain_twice_as_large_in_a_new_process(trained, tmp_path):
    program = """
import sys, numpy as np, torch
from pathlib import Path
from finescale.fields.context import Context
from finescale.prior.card import load_prior
from finescale.prior.check import draw
prior = load_prior(Path(sys.argv[1]))
assert prior.spec.crop == 6
np.save(sys.argv[2], draw(prior, Context(torch.zeros(4, 3, 2)), seed=1, steps=4).numpy())
"""
    out = tmp_path / "draws.npy"
    subprocess.run(
        [sys.executable, "-c", program, str(trained / "prior"), str(out)], check=True, env=ENVIRONMENT
    )
    prior = load_prior(trained / "prior")
    here = draw(prior, Context(torch.zeros(4, 3, 2)), seed=1, steps=4)
    assert here.shape == (4, 3, 2, 12, 12)
    assert torch.isfinite(here).all()
    torch.testing.assert_close(torch.from_numpy(np.load(out)), here, rtol=1e-5, atol=1e-5)


def test_a_latent_prior_of_crops_draws_the_whole_domain(tmp_path):
    run_latent(tmp_path, PAIRED)
    prior = load_prior(tmp_path / "diffusion")
    assert (prior.spec.crop, prior.denoiser.tiles.size, prior.denoiser.tiles.shape) == (8, 2, (4, 4))
    prior.lay(4, 16)
    assert prior.denoiser.tiles.count == prior.codec.parts[0].mean.network.tiles.count == 9
    data = pairs(PAIRED)
    batch = data.windows(data.validation, 2, 3)
    context = batch.context(torch.device("cpu"))
    with torch.no_grad():
        found = prior.codec.decode(draw(prior, context, seed=1, steps=3), context)
    assert found.shape == batch.x.shape
    assert float((found - batch.x).square().mean()) < float(batch.x.square().mean())
    rho = replace(PAIRED, physics=LATENT.physics)
    with pytest.raises(FinescaleError, match="a block of 2 coarse cells with one more all around: crop is 8"):
        run_latent(tmp_path, rho, stages=("diffusion",))


def refused(match, act):
    with pytest.raises(FinescaleError, match=match):
        act()


def test_crops_that_do_not_fit_are_refused(trained, tmp_path):
    refused(
        "lies within the domain: 32 cells a side in 12 x 12",
        lambda: run(tmp_path, spec=replace(SPEC, crop=32)),
    )
    refused("choose a multiple of 2", lambda: run(tmp_path, spec=replace(SPEC, crop=7)))
    wiener = replace(SPEC, crop=6, preconditioning="wiener")
    refused("wiener corrects a climate|none was given", lambda: run(tmp_path, spec=wiener))
    refused("whole coarse and latent cells, 4 fine cells", lambda: pairs(replace(LATENT, crop=6)).tiles())
    prior = load_prior(trained / "prior")
    refused("overlap by less than their size: 6 of 6", lambda: prior.lay(6, 8))
    plain = replace(prior, spec=SPEC)
    refused("trained on its whole domain", lambda: plain.lay(2, 8))
    latent = replace(prior, spec=replace(LATENT, crop=8))
    refused("share whole latent cells, 4 fine cells a side: overlap is 3", lambda: latent.lay(3, 8))

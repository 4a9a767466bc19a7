"""A prior of crops as a method: guided over the whole domain by tiles, whatever the batch, saved with its overlap."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.fields.scaling import Scaling
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.methods.generative import GenerativeDownscaler
from finescale.prior.card import load_prior
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.spec import NetworkSpec, PriorSpec, TrainingSpec
from finescale.prior.training import train

from .test_generative import CELLS, VARIABLES, values, weather


@pytest.fixture(scope="module")
def fine() -> xr.Dataset:
    return weather(24 * 20)


@pytest.fixture(scope="module")
def method(fine: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> GenerativeDownscaler:
    place, grid = tmp_path_factory.mktemp("prior"), Grid.from_dataset(fine)
    known = fine.isel(time=slice(0, 24 * 15))
    spec = PriorSpec(
        tuple(VARIABLES),
        window=3,
        context=("latitude", "zenith"),
        preconditioning="edm",
        crop=CELLS // 2,
        network=NetworkSpec(channels=(8, 8), blocks=(1, 1), attention=0, embedding=16),
        training=TrainingSpec(steps=5, batch=4, warmup=1, validation_windows=4, precision="fp32"),
    )
    train(
        known, None, spec, place / "prior",
        validation=fine.isel(time=slice(24 * 15, None)), scratch=place / "scratch", gaussian=None,
    )  # fmt: skip
    climate = GaussianClimate.fit(known, Scaling.fit(known, tuple(VARIABLES)), modes=40, order=4)
    return GenerativeDownscaler(
        load_prior(place / "prior"), Coarsening(grid, grid.coarsen(4)), VARIABLES, SamplerSpec(steps=4),
        GuidanceSpec("gaussian-cov"), climate=climate,
    )  # fmt: skip


@pytest.fixture(scope="module")
def coarse(fine: xr.Dataset, method: GenerativeDownscaler) -> xr.Dataset:
    return method.coarsening.apply(fine.isel(time=slice(24 * 16, 24 * 16 + 13)))


def test_the_whole_domain_is_drawn_whatever_the_batch(method, coarse) -> None:
    one = method(coarse, members=2, seed=1)
    assert one.sizes["lat"] == one.sizes["lon"] == 2 * method.prior.spec.crop
    seen = method.coarsening.apply(one)
    for name in VARIABLES:
        assert float(np.abs(seen[name] - coarse[name]).max()) < 0.05 * float(coarse[name].std())
    for batch, group in ((1, 1), (5, 2), (64, 2)):
        two = replace(method, batch=batch, group=group)(coarse, members=2, seed=1)
        np.testing.assert_allclose(values(two), values(one), rtol=1e-5, atol=2e-3)


def test_tiles_of_a_method_are_its_own_also_from_its_folder(method, coarse, tmp_path: Path) -> None:
    """Two methods share a prior; the later one does not lay the tiles of the earlier."""
    half = method(coarse, members=1, seed=1)
    bare = replace(method, overlap=0)
    apart = bare(coarse, members=1, seed=1)
    assert float(np.abs(values(apart) - values(half)).max()) > 1e-3
    assert np.array_equal(values(method(coarse, members=1, seed=1)), values(half))
    bare.save(tmp_path / "method")
    again = GenerativeDownscaler.load(tmp_path / "method")
    assert again.overlap == 0
    np.testing.assert_allclose(values(again(coarse, members=1, seed=1)), values(apart), rtol=1e-6, atol=1e-4)
    assert method.plan(coarse, members=1).minutes > 0


def test_an_overlap_as_large_as_a_tile_is_refused(method) -> None:
    with pytest.raises(FinescaleError, match="overlap by less than their size: 4 of 4"):
        replace(method, overlap=4)

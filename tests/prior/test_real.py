"""Real weather: the network improves on the best linear-Gaussian denoiser of the same data, and draws from them."""

import json

import pytest
import torch
import xarray as xr

from finescale.fields.scaling import Scaling
from finescale.prior.card import load_prior
from finescale.prior.check import unconditional
from finescale.prior.denoiser import Linear
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.loader import even_windows
from finescale.prior.spec import NetworkSpec, PriorSpec, TrainingSpec
from finescale.prior.training import train
from finescale.prior.validation import Validation, score

# Those of the presets era5-uk and ncep-slp.
RECIPE = TrainingSpec(
    steps=600,
    batch=16,
    learning_rate=1e-3,
    warmup=50,
    validate_every=50,
    validation_windows=32,
    checkpoint_every=0,
)
NETWORK = NetworkSpec(channels=(32, 64), blocks=(1, 2), attention=0, patch=2, embedding=64)


def hours(folder, learn="2019-03-14", judge=("2019-03-16", "2019-03-22")):
    ds = xr.open_dataset(folder / "train" / "era5_t2m_hourly_uk_2019-03.nc")
    ds = ds.rename(t2m="tas", latitude="lat", longitude="lon").sortby("lat").load()
    ds["tas"] = ds["tas"].astype("float32").assign_attrs(units="K")
    spec = PriorSpec(
        ("tas",), window=9, context=("latitude", "zenith", "day"), network=NETWORK, training=RECIPE
    )
    return ds.sel(time=slice(None, learn)), ds.sel(time=slice(*judge)), spec


def last_week(folder):
    return hours(folder, "2019-03-24", ("2019-03-25", None))


def days(folder):
    ds = xr.open_dataset(folder / "train" / "ncep_slp_daily_2001-2010.nc")
    ds = ds.rename(slp="psl").sortby("lat").load()
    ds["psl"] = ds["psl"].astype("float32").assign_attrs(units="Pa")
    spec = PriorSpec(("psl",), window=5, context=("latitude", "year"), network=NETWORK, training=RECIPE)
    return ds.sel(time=slice(None, "2008")), ds.sel(time=slice("2009", None)), spec


@pytest.fixture(
    scope="module",
    params=[hours, last_week, days],
    ids=["era5-hours", "era5-last-week", "ncep-days"],
)
def trained(request, real_data, tmp_path_factory):
    """Validation score of a trained prior, that of the linear denoiser, and how its draws compare with the data."""
    ds, new, spec = request.param(real_data)
    folder = tmp_path_factory.mktemp("real")
    climate = GaussianClimate.fit(
        ds, Scaling.fit(ds, spec.variables), modes=96, order=spec.window - 1, joint=32
    )
    train(
        ds,
        None,
        spec,
        folder / "prior",
        validation=new,
        scratch=folder / "scratch",
        gaussian=climate,
    )
    x, when = even_windows(new, climate.scaling, climate.mask.numpy(), spec.window, 32)
    gaussian = Validation(x, when, climate.mask, torch.ones(1), 0).bands(Linear(climate))
    report = unconditional(load_prior(folder / "prior"), ds, windows=64)
    return (
        json.loads((folder / "prior" / "card.json").read_text())["scores"]["validation_score"],
        score(gaussian),
        *(report[k][spec.variables[0]] for k in ("draws", "floor")),
    )


@pytest.mark.slow
def test_network_beats_the_linear_denoiser(trained):
    network, linear, drawn, _ = trained
    assert network < linear
    assert abs(drawn["increments"] - 1) < 0.15
    assert abs(drawn["spread"] - 1) < 0.2


@pytest.mark.slow
def test_draws_pass_the_unconditional_check(trained):
    _, _, drawn, floor = trained
    assert drawn["melr"] < 0.25 + floor["melr"]
    assert abs(drawn["increments"] - 1) < 0.15 + abs(floor["increments"] - 1)
    assert drawn["quantiles"] < 0.1 + floor["quantiles"]

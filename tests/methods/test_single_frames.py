"""Priors of single frames as methods: one prior for any model and factor, hours between frames, what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from finescale.errors import FinescaleError
from finescale.fields.operator import AreaMean
from finescale.fields.scaling import Scaling
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.guidance.conditions import conditions
from finescale.guidance.ladder import Ladder
from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.guidance.ucg import ladder_of
from finescale.methods.generative import GenerativeDownscaler
from finescale.prior.card import load_prior
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.spec import NetworkSpec, PriorSpec, TrainingSpec
from finescale.prior.training import train

VARIABLES = {"tas": "K", "uas": "m s-1"}
CELLS = 8
STEPS = SamplerSpec("ancestral", 6, "log", 20.0, 0.02, start="zero")
RESTORE = replace(STEPS, solver="renoise")
METHODS = {
    "zssd": (STEPS, GuidanceSpec("ucg", zeta=0.3)),
    "common": (STEPS, GuidanceSpec("ucg", zeta=0.3, scales=(4,))),
    "ladder": (STEPS, GuidanceSpec("ucg", zeta=0.3, scales=(2, 4))),
    "dps": (STEPS, GuidanceSpec("dps", zeta=1.0)),
    "ddrm": (RESTORE, GuidanceSpec("ddrm")),
}


@pytest.fixture(scope="module")
def fine() -> xr.Dataset:
    """Forty days whose temperature follows the hour and the height."""
    rng = np.random.default_rng(1)
    hours = 24 * 40
    smooth = np.cumsum(rng.standard_normal((hours, 2, 1, 1)), 0) * 0.1
    z = smooth + 0.3 * rng.standard_normal((hours, 2, CELLS, CELLS))
    day = 3 * np.cos(2 * np.pi * np.arange(hours) / 24)[:, None, None]
    grid = Grid(tuple(48 + 0.1 * np.arange(CELLS)), tuple(7 + 0.1 * np.arange(CELLS)))
    time = xr.date_range("2001-01-01", periods=hours, freq="h", use_cftime=False)
    data = {"tas": 280 + z[:, 0] + day + np.arange(CELLS), "uas": 5 * z[:, 1]}
    dims = ("time", "lat", "lon")
    fields = {n: (dims, v.astype("f4"), {"units": VARIABLES[n]}) for n, v in data.items()}
    return xr.Dataset(fields, coords={"time": time, **grid.coords()})


@pytest.fixture(scope="module")
def climate(fine) -> GaussianClimate:
    return GaussianClimate.fit(fine, Scaling.fit(fine, tuple(VARIABLES)), modes=20, order=2)


@pytest.fixture(scope="module")
def prior(fine, climate, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("frames")
    static = xr.Dataset({n: (("lat", "lon"), np.ones((CELLS, CELLS))) for n in ("orog", "sftlf")})
    spec = PriorSpec(
        tuple(VARIABLES), window=1, context=("height", "land", "zenith", "year", "day"), preconditioning="edm",
        network=NetworkSpec(channels=(8, 8), blocks=(1, 1), embedding=16, tokens=8, harmonics=3),
        training=TrainingSpec(steps=20, batch=8, warmup=1, validation_windows=4, precision="fp32"),
    )  # fmt: skip
    train(
        fine.isel(time=slice(0, 720)), static.assign_coords(Grid.from_dataset(fine).coords()), spec,
        place / "prior", validation=fine.isel(time=slice(720, None)), scratch=place / "scratch",
    )  # fmt: skip
    return place / "prior"


def method(fine, prior, climate, name: str, factor: int = 2, **changes) -> GenerativeDownscaler:
    sampler, guidance = METHODS[name]
    grid = Grid.from_dataset(fine)
    found = load_prior(prior)
    climate = GaussianClimate.from_parts(climate.metadata(), climate.tensors())
    climate.scaling = found.scaling
    return replace(
        GenerativeDownscaler(
            found, Coarsening(grid, grid.coarsen(factor)), VARIABLES, sampler, guidance, climate=climate,
            group=2, batch=8,
        ),
        **changes,
    )  # fmt: skip


def coarse(fine, model: GenerativeDownscaler, days: int = 3) -> xr.Dataset:
    return model.coarsening.apply(fine.isel(time=slice(24 * 32, 24 * (32 + days) + 1)))


def values(ds: xr.Dataset) -> np.ndarray:
    return ds[list(VARIABLES)].to_dataarray().values


@pytest.mark.parametrize("name", METHODS)
def test_members_are_hourly_and_independent_of_group_and_batch(fine, prior, climate, name) -> None:
    model = method(fine, prior, climate, name)
    found = model(coarse(fine, model), members=3, seed=1)
    assert dict(found.sizes) == {"member": 3, "time": 73, "lat": CELLS, "lon": CELLS}
    other = replace(model, group=3, batch=5)(coarse(fine, model), members=3, seed=1)
    np.testing.assert_allclose(values(found), values(other), rtol=1e-4, atol=2e-3)


def test_a_missing_coarse_cell_spoils_no_scale(fine, prior, climate) -> None:
    model = method(fine, prior, climate, "ladder")
    given = coarse(fine, model)
    holed = given.copy(deep=True)
    holed["tas"][:, 0, 0] = np.nan
    trust = [
        ladder_of(conditions(ds, model.coarsening, model.prior.scaling), model.fine, (2, 4), model.law).trust
        for ds in (given, holed)
    ]
    np.testing.assert_allclose(*trust, atol=0.05)
    np.testing.assert_array_equal(trust[0][:, 1], trust[1][:, 1])
    assert np.isfinite(values(model(holed, members=1, seed=0))).all()


def test_a_rung_shows_what_is_observed(fine) -> None:
    """Blocks that are whole have the power that they have alone, whatever is missing elsewhere."""
    grid = Grid.from_dataset(fine)
    ladder = Ladder.of(AreaMean.of(Coarsening(grid, grid.coarsen(2))), grid, (2, 4))
    r = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 4, 4)))
    flat, missing = r.clone(), r.clone()
    flat[:, :2], missing[:, :2] = 0, torch.nan
    for found, half in zip(ladder.powers(missing), ladder.powers(flat), strict=True):
        np.testing.assert_allclose(found, 2 * half)


@pytest.mark.parametrize("factor", [2, 4])
def test_one_prior_serves_any_factor(fine, prior, climate, factor) -> None:
    model = method(fine, prior, climate, "ddrm", factor)
    given = coarse(fine, model)
    seen = model.coarsening.apply(model(given, members=1, seed=0))
    for name in VARIABLES:
        assert float(abs(seen[name] - given[name]).max()) < 1e-2


def test_frames_of_every_hour_follow_the_day_between_coarse_times(fine, prior, climate) -> None:
    """Anomalies are interpolated, not values: at 09 and 15 h the mean course of the day is in the coarse data."""
    model = method(fine, prior, climate, "ddrm", pace=1)
    given = coarse(fine, model)
    hourly = model(given, members=1, seed=0)["tas"].mean(("member", "lat", "lon"))
    truth = fine["tas"].mean(("lat", "lon")).sel(time=hourly["time"])
    straight = given["tas"].mean(("lat", "lon")).interp(time=hourly["time"])
    error = [float(abs(x - truth).mean()) for x in (hourly, straight)]
    assert error[0] < 0.6 * error[1]


def test_hours_between_frames_follow_the_day_too(fine, prior, climate) -> None:
    model = method(fine, prior, climate, "ddrm")
    hourly = model(coarse(fine, model), members=1, seed=0)["tas"].mean(("member", "lat", "lon"))
    truth = fine["tas"].mean(("lat", "lon")).sel(time=hourly["time"])
    assert float(abs(hourly - truth).mean()) < 0.3


def test_noise_with_memory_makes_hours_alike(fine, prior, climate) -> None:
    model = method(fine, prior, climate, "ddrm", pace=1)
    slow = replace(model, sampler=replace(model.sampler, memory=12))
    jumps = [
        float((x.diff("time") ** 2).mean()["uas"])
        for x in (m(coarse(fine, model), members=2, seed=0) for m in (model, slow))
    ]
    assert jumps[1] < 0.3 * jumps[0]


def test_a_streamed_run_gives_the_same(fine, prior, climate, tmp_path) -> None:
    model = method(fine, prior, climate, "zssd")
    given = coarse(fine, model, 6)
    whole = model(given, members=3, seed=2)
    streamed = model(given, members=3, seed=2, scratch=tmp_path / "run")
    np.testing.assert_array_equal(values(streamed), values(whole))


def test_a_saved_method_gives_the_same(fine, prior, climate, tmp_path) -> None:
    model = method(fine, prior, climate, "ladder", pace=3, context_weight=1.5)
    model.save(tmp_path / "model")
    again = GenerativeDownscaler.load(tmp_path / "model")
    pair = [values(m(coarse(fine, model), members=1, seed=0)) for m in (model, again)]
    np.testing.assert_array_equal(*pair)


def test_the_weight_of_the_context_runs_from_none_to_more_than_all(fine, prior, climate) -> None:
    drawn = [
        values(method(fine, prior, climate, "zssd", context_weight=w)(
            coarse(fine, method(fine, prior, climate, "zssd")), members=1, seed=0
        ))
        for w in (0.0, 1.0, 1.0 + 1e-6, 2.0)
    ]  # fmt: skip
    assert not np.allclose(drawn[0], drawn[1], atol=1e-2)
    np.testing.assert_allclose(drawn[1], drawn[2], rtol=1e-4, atol=1e-2)
    assert not np.allclose(drawn[1], drawn[3], atol=1e-2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"guidance": GuidanceSpec("gaussian-cov")}, "no covariance in time"),
        ({"sampler": replace(STEPS, start="mean")}, "no covariance in time"),
        ({"guidance": GuidanceSpec("ddrm")}, "choose the solver renoise"),
        ({"sampler": replace(STEPS, solver="2m")}, "one evaluation a step"),
        ({"pace": 4}, "does not divide 6 h"),
        ({"guidance": GuidanceSpec("ucg", scales=(3,))}, "whole blocks"),
        ({"climate": None, "guidance": GuidanceSpec("ucg", scales=(2, 4))}, "none was given"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_does_not_go_together_is_refused_by_name(fine, prior, climate, changes, words) -> None:
    with pytest.raises(FinescaleError, match=words):
        model = replace(method(fine, prior, climate, "zssd"), **changes)
        model(coarse(fine, method(fine, prior, climate, "zssd")), members=1, seed=0)


def test_means_over_hours_are_refused(fine, prior, climate) -> None:
    grid = Grid.from_dataset(fine)
    means = Coarsening(grid, grid.coarsen(2), 6, "mean")
    model = method(fine, prior, climate, "zssd", coarsening=means)
    with pytest.raises(FinescaleError, match="no means over hours"):
        model(means.apply(fine.isel(time=slice(0, 72))), members=1, seed=0)

"""The unconditional check: right for a prior that is right, and loud for one that is not."""

import numpy as np
import pytest
import torch
import xarray as xr

from finescale.fields.context import Context
from finescale.fields.scaling import Scaling
from finescale.prior.card import Prior
from finescale.prior.check import compare, draw, radial_spectrum, unconditional
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.plan import plan
from finescale.prior.preparation import prepare
from finescale.prior.spec import NetworkSpec, PriorSpec, TrainingSpec

SPEC = PriorSpec(
    ("a", "b"),
    window=3,
    network=NetworkSpec(channels=(8,), blocks=(1,), attention=0, embedding=16),
    training=TrainingSpec(batch=4, steps=10, precision="fp32", validation_windows=4),
)


@pytest.fixture(scope="module")
def ready(world):
    ds = world.dataset(4000, 1)
    # Enough patterns, each of one band of one variable, to hold all of the world's law.
    climate = GaussianClimate.fit(ds, Scaling.fit(ds, SPEC.variables), modes=160, order=2)
    run = prepare(ds, None, SPEC, validation=ds, gaussian=climate, device=torch.device("cpu"))
    card = run.facts | {"codec": "pixel"}
    return ds, run, Prior(run.denoiser.eval(), run.schedule, run.loader.scaling, SPEC, card)


def test_the_right_prior_passes(ready):
    """An untrained Wiener prior of Gaussian data draws from the data's law."""
    ds, _, prior = ready
    report = unconditional(prior, ds, windows=400, steps=48)
    for name in prior.variables:
        drawn, floor = report["draws"][name], report["floor"][name]
        assert drawn["melr"] < 0.15 + floor["melr"]
        assert abs(drawn["increments"] - 1) < 0.1
        assert abs(drawn["spread"] - 1) < 0.1
        assert drawn["quantiles"] < 0.1 + floor["quantiles"]
        assert drawn["correlation"] < 0.1 + floor["correlation"]


def test_draws_do_not_depend_on_the_batch(ready):
    _, run, prior = ready
    when = Context(run.validation.clock[:3])
    one, all_ = draw(prior, when, seed=1, steps=4, batch=1), draw(prior, when, seed=1, steps=4, batch=3)
    assert torch.allclose(one, all_, atol=1e-3)
    assert not torch.allclose(one, draw(prior, when, seed=2, steps=4), atol=0.1)


def test_a_few_levels_draw_what_many_do_and_twice_as_many_err_a_quarter_as_much(ready):
    """A solver of second order: of the first, the error would halve."""
    _, run, prior = ready
    when = Context(run.validation.clock[:8])
    many = draw(prior, when, seed=1, steps=256)
    few, twice, again = (
        float((draw(prior, when, seed=1, steps=steps) - many).square().mean().sqrt() / many.std())
        for steps in (None, 16, 32)
    )
    assert few < 0.02
    assert twice < 0.35 * few
    assert again < 0.35 * twice


def test_draws_are_as_large_as_a_day_of_their_season(ready):
    """The same noise twice: what a climate knows of sizes multiplies what separates a draw from its mean."""
    _, run, prior = ready
    denoiser, climate = run.denoiser, run.denoiser.gaussian
    when = Context(run.validation.clock[:1].expand(256, -1, -1))
    season, wander = np.log([[4.0, 1.0]]).astype(np.float32), np.array([0.0, 0.3], np.float32)
    assert climate.harmonics.annual == 0 and float(climate.wander.max()) < 0.1
    found = []
    for sizes in ({"season": 0 * season, "wander": 0 * wander}, {"season": season, "wander": wander}):
        with denoiser.over(climate.with_tensors(climate.tensors() | sizes)):
            found.append(draw(prior, when, seed=1, steps=2, batch=64, pairs=True) - climate.mean(when.clock))
    size = (found[1].square().sum((1, 3, 4)) / found[0].square().sum((1, 3, 4))).sqrt()
    torch.testing.assert_close(size[:, 0], torch.full((256,), 2.0), rtol=1e-3, atol=0)
    torch.testing.assert_close(size[::2, 1], size[1::2, 1], rtol=1e-3, atol=0)
    assert float(size[:, 1].log().std()) == pytest.approx(0.3, rel=0.05)
    assert float(size[:, 1].square().mean()) == pytest.approx(1, rel=0.05)


def test_the_floor_is_weather_of_other_days(ready):
    """Windows in turn would share their weather, and differ the less the more of them there are."""
    ds, _, prior = ready
    days = ds.isel(time=slice(0, 24 * 40))
    turn = xr.DataArray(np.arange(24 * 40) // 240 % 2, dims="time")
    told = [unconditional(prior, data, windows=64, steps=2)["floor"]["a"] for data in (days, days + 5 * turn)]
    assert told[0]["quantiles"] < 0.5
    assert told[1]["quantiles"] > 3


def test_faults_are_seen():
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.standard_normal((40, 5, 2, 16, 16)), axis=1)
    mask = np.ones((2, 16, 16), dtype=bool)
    same = compare(x, x, mask, "ab")["a"]
    assert same["melr"] == same["quantiles"] == same["correlation"] == 0
    assert same["increments"] == same["spread"] == 1
    assert compare(2 * x, x, mask, "ab")["a"]["melr"] == pytest.approx(np.log(4))
    assert compare(x + x.std(), x, mask, "ab")["a"]["quantiles"] == pytest.approx(1, abs=0.15)
    jumpy = x + 3 * rng.standard_normal(x.shape)
    assert compare(jumpy, x, mask, "ab")["a"]["increments"] > 2
    tied = x.copy()
    tied[:, :, 1] = tied[:, :, 0]
    assert compare(tied, x, mask, "ab")["b"]["correlation"] > 0.9


def test_spectrum_finds_a_wave_and_its_power():
    _, columns = np.meshgrid(np.arange(32), np.arange(32), indexing="ij")
    field = np.cos(2 * np.pi * 5 * columns / 32)[None]
    spectrum = radial_spectrum(field)
    assert len(spectrum) == 16
    assert spectrum.argmax() == 4
    assert radial_spectrum(3 * field)[4] == pytest.approx(9 * spectrum[4])


def test_plan_counts_what_is_there(ready):
    _, run, _ = ready
    before = [p.detach().clone() for p in run.denoiser.parameters()]
    cost = plan(run)
    assert cost.parameters == sum(p.numel() for p in run.denoiser.parameters())
    assert cost.windows == 40
    # Two 3x3 convolutions of 8 channels each way, stem and head, forward and about twice that backward.
    cells = 144 * 9 * 2 * 4
    forward = cells * (4 * 64 + 13 * 8 + 8 * 6)
    assert 2.5 * forward < cost.flops < 6 * forward + 4 * 3 * 80 * 288 * 8
    assert cost.seconds > 0
    assert cost.memory > 20 * cost.parameters
    assert all(torch.equal(a, b) for a, b in zip(before, run.denoiser.parameters(), strict=True))
    assert all(p.grad is None for p in run.denoiser.parameters())
    assert "10 steps" in str(cost)

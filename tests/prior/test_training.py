"""Training can be killed anywhere, shared among processes, and refuses bad input before its first step."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from red_world import drifting_waves, red_world
from run_training import SPEC, run
from safetensors.torch import load_file

from finescale.errors import FinescaleError
from finescale.fields.context import Context
from finescale.fields.scaling import Scaling
from finescale.prior.card import load_prior
from finescale.prior.check import draw
from finescale.prior.denoiser import Linear
from finescale.prior.ema import Average
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.loader import even_windows
from finescale.prior.loop import learning_rate
from finescale.prior.spec import NetworkSpec, PriorSpec, TrainingSpec
from finescale.prior.training import train
from finescale.prior.validation import Validation, score

PROGRAM = Path(__file__).with_name("run_training.py")
PATHS = (str(PROGRAM.parent), os.environ.get("PYTHONPATH", ""))
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(PATHS), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run(folder)
    return folder


def start(folder, *command):
    return subprocess.Popen(
        [sys.executable, *command, str(PROGRAM), str(folder)],
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
    )


def stop_at(process, step, number):
    for line in process.stdout:
        if line.strip() == str(step):
            process.send_signal(number)
            break
    process.stdout.read()
    return process.wait()


def weights(folder):
    return load_file(folder / "prior" / "weights.safetensors")


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("step", [7, 23, 41])
def test_killed_and_started_again_ends_the_same(finished, tmp_path, step):
    assert stop_at(start(tmp_path), step, signal.SIGKILL) == -signal.SIGKILL
    assert not (tmp_path / "prior").exists()
    run(tmp_path)
    assert same(weights(tmp_path), weights(finished))
    assert (tmp_path / "prior" / "card.json").read_text() == (finished / "prior" / "card.json").read_text()


def test_what_did_best_on_other_days_is_kept(tmp_path, finished):
    """Steps far too large spoil the weights: those of the start are what is left."""
    wild = replace(SPEC, training=replace(SPEC.training, learning_rate=10.0, warmup=0, validate_every=10))
    run(tmp_path, spec=wild)
    scores = json.loads((tmp_path / "prior" / "card.json").read_text())["scores"]
    assert scores["kept_step"] == 0
    good = json.loads((finished / "prior" / "card.json").read_text())["scores"]
    assert good["kept_step"] > 0
    assert good["validation_score"] < scores["validation_score"]


def test_terminated_saves_the_step_it_was_at(finished, tmp_path):
    assert stop_at(start(tmp_path), 13, signal.SIGTERM) == 128 + signal.SIGTERM
    first = []
    run(tmp_path, lambda done, total: first.append(done))
    assert first[0] in (14, 15)  # between two checkpoints of every tenth step
    assert same(weights(tmp_path), weights(finished))


def test_two_processes_are_one_with_the_same_batch(finished, tmp_path):
    process = start(tmp_path, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    process.stdout.read()
    assert process.wait() == 0
    both, one = weights(tmp_path), weights(finished)
    for name in one:
        assert torch.allclose(both[name].float(), one[name].float(), atol=2e-4), name
    cards = [json.loads((f / "prior" / "card.json").read_text()) for f in (tmp_path, finished)]
    scores = [card["scores"]["validation_score"] for card in cards]
    assert abs(scores[0] - scores[1]) < 1e-4


def test_loaded_prior_is_the_trained_one(finished, world):
    prior = load_prior(finished / "prior")
    assert prior.variables == ("a", "b")
    assert prior.window == 3
    assert prior.gaussian is None
    assert prior.card["frames"] == 600
    prior.check(world.dataset(10, 3))
    assert not any(p.requires_grad for p in prior.denoiser.parameters())


def test_accumulated_parts_are_one_batch(world, tmp_path):
    def trained(parts):
        spec = replace(SPEC, training=replace(SPEC.training, steps=4, accumulate=parts, validate_every=0))
        folder = tmp_path / str(parts)
        options = {"validation": world.dataset(100, 2), "scratch": folder / "scratch"}
        train(world.dataset(600, 1), None, spec, folder / "prior", **options)
        return weights(folder)

    one, four = trained(1), trained(4)
    assert all(torch.allclose(one[name].float(), four[name].float(), atol=1e-5) for name in one)


def idle(world, folder, **options):
    """A training that learns nothing, and is looked at every fifth step."""
    training = replace(SPEC.training, learning_rate=0.0, validate_every=5, patience=2)
    spec, days = replace(SPEC, training=training), (world.dataset(600, 1), world.dataset(100, 2))
    train(days[0], None, spec, folder / "prior", validation=days[1], scratch=folder / "scratch", **options)


def test_stops_early_when_validation_does_not_gain(world, tmp_path):
    logged = []
    idle(world, tmp_path, on_log=lambda step, figures: logged.append((step, figures)))
    assert json.loads((tmp_path / "prior" / "card.json").read_text())["steps"] == 10
    assert all(np.isfinite(v) for _, figures in logged for v in figures.values())


def test_terminated_at_a_validation_does_not_forget_it(world, tmp_path):
    with pytest.raises(SystemExit):
        idle(
            world,
            tmp_path,
            on_progress=lambda done, total: os.kill(os.getpid(), signal.SIGTERM) if done == 5 else None,
        )
    idle(world, tmp_path)
    assert json.loads((tmp_path / "prior" / "card.json").read_text())["steps"] == 10


PRIORS = {
    "window": {"scaling": "quant95", "objective": "epsilon", "preconditioning": "edm", "context": ()},
    "window-plus": {
        "preconditioning": "wiener",
        "context": ("height", "slope", "land", "latitude", "longitude", "zenith", "year", "day"),
    },
    "climate": {
        "window": 1,
        "preconditioning": "edm",
        "context": ("height", "land", "year", "day"),
        "network": replace(SPEC.network, tokens=8, attention=1),
    },
    "crops": {"preconditioning": "edm", "context": ("height", "land"), "crop": 8},
}


@pytest.mark.parametrize("name", PRIORS)
def test_every_kind_of_prior_trains_and_draws(world, tmp_path, name):
    ds = world.dataset(300, 1)
    static = ds.isel(time=0, drop=True).rename(a="orog", b="sftlf")
    spec = replace(SPEC, **PRIORS[name])
    spec = replace(spec, training=replace(SPEC.training, steps=3, precision="bf16"))
    climate = GaussianClimate.fit(ds, Scaling.fit(ds, ["a", "b"]), modes=20, order=2)
    folder = tmp_path / "prior"
    options = {"validation": world.dataset(50, 2), "scratch": tmp_path / "scratch", "gaussian": climate}
    train(ds, static, spec, folder, **options)
    prior = load_prior(folder)
    draws = draw(prior, Context(torch.rand(2, spec.window, 2)), seed=0, steps=3)
    assert draws.shape == (2, spec.window, 2, 12, 12)
    assert torch.isfinite(draws).all()
    whole = spec.scaling == "mean-std" and spec.crop is None
    assert ("gaussian_score" in prior.card["scores"]) == whole


def test_network_learns_what_the_climate_does_not_know(tmp_path):
    """Independent EOFs cannot see that waves drift; a network that corrects them can, within seconds."""
    ds, new = drifting_waves(3000), drifting_waves(500, seed=1)
    climate = GaussianClimate.fit(ds, Scaling.fit(ds, ["a"]), modes=8, order=4, joint=0)
    spec = PriorSpec(
        ("a",),
        window=5,
        network=NetworkSpec(channels=(16, 32), blocks=(1, 1), attention=0, embedding=32),
        training=TrainingSpec(steps=200, batch=16, learning_rate=5e-3, warmup=20, validate_every=0),
    )
    scores = {}
    train(
        ds,
        None,
        spec,
        tmp_path / "prior",
        validation=new,
        scratch=tmp_path / "scratch",
        gaussian=climate,
        on_log=lambda step, figures: scores.update(figures),
    )
    x, when = even_windows(new, climate.scaling, climate.mask.numpy(), 5, 64)
    fixed = Validation(x, when, climate.mask, torch.ones(1), 0)
    gaussian = fixed.bands(Linear(climate))
    assert scores["validation_mse_1.0"] < 0.85 * gaussian[1.0]
    assert scores["validation_score"] < score(gaussian) - 0.08


def test_narrow_network_takes_off_noise_of_large_patches(tmp_path):
    """A patch holds 96 numbers, the network 8 channels; with noise going through these it is .32 and .87."""
    world = red_world(size=16, modes=8)
    spec = PriorSpec(
        ("a", "b"),
        window=3,
        preconditioning="edm",
        network=NetworkSpec(channels=(8, 16), blocks=(1, 1), attention=0, embedding=32, patch=4),
        training=TrainingSpec(steps=200, batch=16, learning_rate=5e-3, warmup=20, validate_every=0),
    )
    folder, new = tmp_path / "prior", world.dataset(500, 2)
    train(world.dataset(3000, 1), None, spec, folder, validation=new, scratch=tmp_path / "scratch")
    errors = load_prior(folder).card["scores"]["validation"]
    assert errors["1.0"] < 0.2
    assert errors["0.3"] < 0.7 * 0.3**2


def test_learning_rate_rises_then_falls():
    recipe = replace(SPEC.training, steps=100, warmup=10, learning_rate=1.0)
    rates = [learning_rate(recipe, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] or max(rates) == rates[10]
    assert rates[-1] == pytest.approx(0.01**0.75)
    assert learning_rate(replace(recipe, decay="linear"), 50) == pytest.approx(0.5)
    assert learning_rate(replace(recipe, decay="constant"), 50) == 1.0


def test_average_is_the_written_out_sum():
    layer = torch.nn.Linear(1, 1, bias=False)
    values = [1.0, 3.0, -2.0, 5.0]
    with torch.no_grad():
        layer.weight.fill_(values[0])
        average = Average(layer, 0.5, warmup=False)
        for step, value in enumerate(values[1:]):
            layer.weight.fill_(value)
            average.update(step)
    wanted = 0.125 * 1 + 0.125 * 3 + 0.25 * -2 + 0.5 * 5
    assert average.values[0].item() == pytest.approx(wanted)
    with average.swapped():
        assert layer.weight.item() == pytest.approx(wanted)
    assert layer.weight.item() == 5.0


def hole(ds):
    ds["a"] = ds["a"].copy()
    ds["a"][300, 4, 4] = np.nan
    return ds


BAD = {
    "hole": (hole, SPEC, "missing cells must be the same at all times: a has other gaps at 2001-01-13T12"),
    "constant": (lambda ds: ds.assign(b=0 * ds["b"] + 7), SPEC, "must vary: b is 7 everywhere"),
    "short": (lambda ds: ds.isel(time=slice(0, 2)), SPEC, "a window needs 3 consecutive frames"),
    "name": (lambda ds: ds, replace(SPEC, context=("hight",)), r"got \['hight'\]; correct the spelling"),
    "static": (lambda ds: ds, replace(SPEC, context=("height",)), "orog must lie on the grid of the data"),
    "variable": (lambda ds: ds.drop_vars("b"), SPEC, r"no \['b'\]"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_and_leaves_nothing(world, tmp_path, case):
    spoil, spec, message = BAD[case]
    static = world.dataset(1, 0).isel(time=0, drop=True).rename(a="orog", b="sftlf")
    static["lat"] = static["lat"] + 0.25
    with pytest.raises(FinescaleError, match=message):
        train(
            spoil(world.dataset(600, 1)),
            static,
            spec,
            tmp_path / "prior",
            validation=world.dataset(100, 2),
            scratch=tmp_path / "scratch",
        )
    assert list(tmp_path.iterdir()) == []


def test_climate_of_another_scaling_is_refused(world, tmp_path):
    ds = world.dataset(600, 1)
    climate = GaussianClimate.fit(ds, Scaling.fit(ds, ["a", "b"], "quant95"), modes=10, order=2)
    with pytest.raises(FinescaleError, match="share variables and scaling"):
        train(
            ds,
            None,
            replace(SPEC, preconditioning="wiener"),
            tmp_path / "prior",
            validation=world.dataset(100, 2),
            scratch=tmp_path / "scratch",
            gaussian=climate,
        )

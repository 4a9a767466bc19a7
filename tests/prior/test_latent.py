"""A latent prior: three trainings that can be killed, one folder, and draws that know the coarse data."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from paired_world import operator, world
from run_latent import SPEC, STAGES, pairs, physics, run, sample
from safetensors.torch import load_file

from finescale.errors import FinescaleError
from finescale.fields.operator import AreaMean
from finescale.fields.paired import CoarseFrames
from finescale.fields.scaling import Scaling
from finescale.prior.card import load_prior
from finescale.prior.pairs import Pairs

PROGRAM = Path(__file__).with_name("run_latent.py")
PATH = f"{os.environ.get('PYTHONPATH', '')}:{PROGRAM.parent}"
ENVIRONMENT = os.environ | {
    "PYTHONPATH": PATH,
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("latent")
    run(folder)
    return folder


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_killed_and_started_again_ends_the_same(finished, tmp_path, stage):
    for earlier in STAGES[: STAGES.index(stage)]:
        shutil.copytree(finished / earlier, tmp_path / earlier)
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(tmp_path), stage],
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
    )
    for line in process.stdout:
        if line.split() == [stage, "15"]:
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.read()
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / stage).exists()
    steps = []
    run(tmp_path, say=lambda _, done: steps.append(done), stages=(stage,))
    assert steps[0] == 13  # from the checkpoint of step 12
    for name in ("weights.safetensors", "card.json"):
        assert (tmp_path / stage / name).read_bytes() == (finished / stage / name).read_bytes(), name


def test_one_folder_samples_in_a_new_process(finished, tmp_path):
    shutil.copytree(finished / "diffusion", tmp_path / "prior")
    subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path / "prior"), "sample"], check=True, env=ENVIRONMENT
    )
    elsewhere = np.load(tmp_path / "draws.npy")
    assert elsewhere.shape == (4, 2, 1, 16, 16)
    assert np.array_equal(elsewhere, sample(finished / "diffusion"))


def test_the_card_says_what_each_stage_reached(finished):
    card = json.loads((finished / "diffusion" / "card.json").read_text())
    assert set(card["scores"]) == {"mean", "autoencoder", "diffusion"}
    assert card["codec"] == "latent"
    assert card["coarse"]["every"] == 6
    assert set(card["units"]) == {"tas", "uas", "vas"}
    prior = load_prior(finished / "diffusion")
    assert prior.variables == ("tas",)
    assert prior.predictors.variables == ("tas", "uas", "vas")
    assert prior.channels == tuple(f"latent-{i}" for i in range(6))
    assert not any(p.requires_grad for p in (*prior.denoiser.parameters(), *prior.codec.parameters()))


def test_later_stages_leave_the_earlier_parts_as_they_were(finished):
    whole = load_file(finished / "diffusion" / "weights.safetensors")
    for stage, prefix, place in (
        ("mean", "mean.", "codec.parts.0.mean."),
        ("autoencoder", "autoencoder.", "codec.parts.1.autoencoder."),
    ):
        part = load_file(finished / stage / "weights.safetensors")
        names = [name for name in part if name.startswith(prefix)]
        assert names
        for name in names:
            assert torch.equal(part[name], whole[place + name.removeprefix(prefix)]), name


def test_a_prior_of_pairs_refuses_what_it_cannot_learn_from():
    with pytest.raises(FinescaleError, match="the transport term needs winds"):
        physics(replace(SPEC, predictors=("tas",)))


def test_holes_are_refused():
    fine, static = world(120)
    coarse = operator().apply(fine)
    spoilt = fine.copy(deep=True)
    spoilt["tas"][:, 3, 3] = np.nan
    with pytest.raises(FinescaleError, match="compresses whole fields: tas"):
        Pairs.of(spoilt, coarse, static, SPEC, operator(), fine)
    whole = Scaling.fit(coarse, ["tas", "uas"])
    coarse["uas"][2, 1, 1] = np.nan
    with pytest.raises(FinescaleError, match="needs whole coarse data: uas has 1 missing"):
        CoarseFrames.of(coarse, whole)


def test_a_checkpoint_belongs_to_one_terrain_and_one_validation():
    data = pairs()
    higher = replace(data.places, static=2 * data.places.static)
    fewer = data.validation.isel(time=slice(0, 24))
    others = [data, replace(data, places=higher), replace(data, validation=fewer)]
    assert len({other.identity("mean") for other in others}) == 3
    assert pairs().identity("mean") == data.identity("mean") != data.identity("autoencoder")


def test_pairs_are_of_the_same_hours():
    data = pairs()
    recipe = replace(SPEC.training, batch=32)
    batch = next(iter(data.loader(2, recipe).batches(0, 1)))
    seen = data.scaling.invert(batch.x.numpy())
    now = batch.coarse[:, :, data.predictors.variables.index("tas")].numpy()
    coarse = now * data.predictors.scale[0] + data.predictors.centre[0]
    own = AreaMean.of(data.coarsening).apply(torch.from_numpy(seen[:, :, 0])).view(*now.shape).numpy()
    at = (batch.clock[..., 1].numpy() * 24).round().astype(int) % 6 == 0
    assert at.any()
    assert np.abs(own - coarse)[at].max() < 1e-3  # at observed hours the coarse frame is H x itself
    assert np.abs(own - coarse)[~at].max() > 0.05

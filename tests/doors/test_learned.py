"""Methods that learn, through the same doors: climate, prior, ensembles, scores; and a training that is killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import xarray as xr
import yaml
from safetensors.numpy import load_file

from finescale.pipeline.store import path_of, remove

from .conftest import Project, environment

PRIOR = {
    "window": 3,
    "context": ["height", "land", "year", "day"],
    "network": {"channels": [8, 8], "blocks": [1, 1], "attention": 0, "embedding": 16},
    "training": {"steps": 30, "batch": 4, "warmup": 5, "checkpoint_every": 3, "validate_every": 0},
}
SEARCH = {"churn": [0.1, 0.3], "error_scale": [1.0, 2.0], "hours": 12, "members": 2, "steps": 2}


@pytest.fixture(scope="module")
def learned(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the finished project that has also run the learned methods."""
    import shutil

    root = tmp_path_factory.mktemp("learned") / "a project"
    shutil.copytree(finished.root, root, ignore=shutil.ignore_patterns("mlruns", ".prefect"), symlinks=True)
    path = root / "params.yaml"
    body = yaml.safe_load(path.read_text(encoding="utf-8"))
    body["climate"] = {"modes": 24, "order": 4, "joint": 12, "sketch_every": 1}
    body["priors"] = {"tiny": PRIOR}
    body["downscale"]["methods"] = ["bilinear", "gaussian", "finescale"]
    body["downscale"]["finescale"] = {
        "prior": "tiny",
        "sampler": {"steps": 4},
        "search": SEARCH,
        "calibrate": {"members": 2, "days": 5},
    }
    body["registry"]["method"] = "finescale"
    path.write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
    project = Project(root)
    project.finescale("run")
    return project


def test_ensembles_are_scored_beside_the_baselines(learned: Project) -> None:
    scores = pd.read_csv(learned.root / path_of("scorecard"))
    assert set(scores["method"]) == {"bilinear", "gaussian", "finescale", "noise-floor"}
    crps = scores.query("case == 'perfect' and metric == 'crps' and hours == 'all' and region == 'all'")
    by = crps.pivot_table(index="method", columns="variable", values="value")
    assert (by.loc["gaussian"] < by.loc["bilinear"]).all()
    ensemble = xr.open_zarr(learned.root / "data" / "ensemble-finescale-perfect.zarr", consolidated=False)
    assert ensemble.sizes["member"] == 2
    assert float(ensemble["tas"].std("member").mean()) > 0


def test_the_registered_method_is_the_learned_one(learned: Project, tmp_path) -> None:
    card = json.loads((learned.root / "models" / "finescale" / "card.json").read_text(encoding="utf-8"))
    assert card["method"] == "generative"
    coarse = xr.open_zarr(learned.root / "data" / "coarse-reference.zarr", consolidated=False)
    coarse.isel(time=slice(300, 305)).to_netcdf(tmp_path / "coarse.nc", engine="h5netcdf")
    for name in ("a.nc", "b.nc"):
        learned.finescale(
            "downscale", str(tmp_path / "coarse.nc"), str(tmp_path / name), "--members", "2", "--seed", "5"
        )
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "a.nc"), xr.load_dataset(tmp_path / "b.nc"))


def test_the_card_knows_the_error_of_the_coarse_data_and_what_the_search_found(learned: Project) -> None:
    card = json.loads((learned.root / "models" / "finescale" / "card.json").read_text(encoding="utf-8"))
    errors = card["standard_errors"]["gcm-360day"]
    assert set(errors) == {"psl", "tas"}
    assert all(value > 0 for value in errors.values())
    gaussian = json.loads((learned.root / "models" / "gaussian" / "card.json").read_text(encoding="utf-8"))
    assert gaussian["standard_errors"] == card["standard_errors"]
    found = card["search"]
    assert set(found["best"]) == {"churn", "error_scale"}
    assert found["chosen"] in ({}, found["best"])
    assert set(found["before"]["crps"]) == set(found["after"]["spread_skill"]) == {"psl", "tas"}
    own = json.loads((learned.root / "models" / "finescale" / "generative.json").read_text(encoding="utf-8"))
    assert own["sampler"]["churn"] == found["chosen"].get("churn", 0.0)
    page = (learned.root / path_of("page")).read_text(encoding="utf-8")
    assert "standard error of the coarse data" in page
    assert "constants chosen on the validation block" in page


def test_the_spread_is_mended_by_validation_days(learned: Project) -> None:
    folder = learned.root / "models" / "finescale"
    found = json.loads((folder / "card.json").read_text(encoding="utf-8"))["spread"]
    # Five days from the first coarse time on, to the last: the validation block has eight.
    assert 4.5 < found["days"] <= 5
    own = json.loads((folder / "generative.json").read_text(encoding="utf-8"))["spread"]
    assert own == [found["factors"][name] for name in ("psl", "tas")]
    follow = json.loads((folder / "generative.json").read_text(encoding="utf-8"))["follow"]
    assert follow == list(found["powers"].values()) and list(found["powers"]) == ["psl", "tas"]
    assert all(0 <= power <= 1.5 for row in follow for power in row)
    swing = json.loads((folder / "generative.json").read_text(encoding="utf-8"))["swing"]
    assert swing == list(found["swing"].values()) and list(found["swing"]) == ["psl", "tas"]
    assert all(0 <= belief <= 1 for belief in swing)
    for name, factor in found["factors"].items():
        before, after = found["before"][name], found["after"][name]
        assert after == pytest.approx(before * factor)
        assert abs(after - 1) < abs(before - 1)
    page = (learned.root / path_of("page")).read_text(encoding="utf-8")
    assert "spread over error on the validation block" in page


def test_the_training_is_tracked(learned: Project) -> None:
    import mlflow

    from finescale.registry import tracking

    experiment = tracking.connect(learned.root)
    runs = {run.data.tags["stage"]: run for run in mlflow.MlflowClient().search_runs([experiment])}
    assert {"train-tiny", "score", "register"} <= set(runs)
    assert runs["train-tiny"].data.params["priors.tiny.window"] == "3"
    assert {"wall_s", "cpu_s", "peak_mib"} < set(runs["train-tiny"].data.metrics)
    kept = mlflow.MlflowClient().list_artifacts(runs["train-tiny"].info.run_id, "prior-tiny")
    assert {found.path.rpartition("/")[2] for found in kept} == {"card.json", "weights.safetensors"}
    card = json.loads((learned.root / "models" / "priors" / "tiny" / "card.json").read_text(encoding="utf-8"))
    assert set(card["unconditional"]["draws"]) == {"psl", "tas"}


def test_a_killed_training_ends_in_the_same_weights(learned: Project) -> None:
    weights = learned.root / "models" / "priors" / "tiny" / "weights.safetensors"
    before = weights.read_bytes()
    remove(weights.parent)
    command = [sys.executable, "-m", "finescale", "stage", "train-tiny"]
    process = subprocess.Popen(
        command, cwd=learned.root, env=environment(learned.root), start_new_session=True
    )
    scratch = learned.root / ".cache" / "scratch"
    while process.poll() is None and not any(p.is_file() for p in scratch.glob("train-tiny-*/*")):
        time.sleep(0.01)
    assert process.poll() is None, "the training ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not weights.exists()
    learned.finescale("stage", "train-tiny")
    assert weights.read_bytes() == before


def test_gaussian_takes_eofs_together_when_asked(learned: Project) -> None:
    weights = learned.root / "models" / "gaussian" / "climate.safetensors"
    assert load_file(weights)["cross"].size == 0
    learned.set(downscale__gaussian={"together": True})
    learned.finescale("dvcfile")
    learned.finescale("stage", "downscale-gaussian")
    assert load_file(weights)["cross"].shape == (5, 12, 12)

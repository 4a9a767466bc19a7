"""Latent priors through the door: three trainings, two diffusions that share parts, draws, guidance, scores."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
import yaml

from finescale.pipeline.ledger import ledger
from finescale.pipeline.store import path_of
from finescale.settings import load_settings

from .conftest import Project

NETWORK = {"channels": [8, 8], "blocks": [1, 1], "attention": 0, "embedding": 16}
TRAINING = {
    "steps": 12,
    "batch": 4,
    "warmup": 3,
    "checkpoint_every": 5,
    "validate_every": 0,
    "drop_context": 0.0,
    "validation_windows": 8,
}
LATENT = {
    "kind": "latent",
    "window": 2,
    "context": ["height", "land", "zenith", "year", "day"],
    "mean": {"network": NETWORK, "training": TRAINING},
    "autoencoder": {"width": 16, "blocks": 1, "training": TRAINING},
    "network": NETWORK,
    "training": TRAINING,
    "physics": {"transport": 0},
}
SAMPLER = {"steps": 3, "start": "zero"}
METHODS = {
    "unet": {"prior": "latent", "answer": "mean"},
    "ldm": {"prior": "latent", "sampler": SAMPLER, "guidance": {"name": "none"}},
    "pde-ldm": {
        "prior": "latent-pde",
        "sampler": {**SAMPLER, "solver": "euler"},
        "guidance": {"name": "sda", "gamma": 0.1, "gradient": "exact", "physics": 0.1},
    },
}


@pytest.fixture(scope="module")
def latent(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("latent") / "a project"
    shutil.copytree(finished.root, root, ignore=shutil.ignore_patterns("mlruns", ".prefect"), symlinks=True)
    path = root / "params.yaml"
    body = yaml.safe_load(path.read_text(encoding="utf-8"))
    pde = {**LATENT, "parts": "latent", "physics": {"rho": 0.1, "transport": 0}}
    body["priors"] = {"latent": LATENT, "latent-pde": pde}
    body["downscale"] |= {"methods": ["bilinear", "bcsd", *METHODS], **METHODS}
    path.write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
    project = Project(root)
    project.finescale("run")
    return project


@pytest.mark.slow
def test_methods_of_one_variable_stand_beside_those_of_all(latent: Project) -> None:
    scores = pd.read_csv(latent.root / path_of("scorecard"))
    assert {*METHODS, "bilinear", "bcsd"} <= set(scores["method"])
    own = scores[scores["method"] == "pde-ldm"]
    assert set(own["variable"]) <= {"tas", "all"}
    flux = scores.query("metric == 'flux_ratio' and hours == 'all' and case == 'perfect'")
    assert set(METHODS) <= set(flux["method"])
    assert (flux["value"] > 0).all()
    for method, members in (("unet", 1), ("ldm", 2), ("pde-ldm", 2)):
        ensemble = xr.open_zarr(latent.root / path_of(f"ensemble-{method}-perfect"), consolidated=False)
        assert (set(ensemble.data_vars), ensemble.sizes["member"]) == ({"tas"}, members)
        assert 230 < float(ensemble["tas"].min()) < float(ensemble["tas"].max()) < 330
    page = (latent.root / path_of("page")).read_text(encoding="utf-8")
    assert "pde-ldm" in page


@pytest.mark.slow
def test_the_two_diffusions_share_their_parts(latent: Project) -> None:
    names = [stage.name for stage in ledger(load_settings(latent.root / "params.yaml"))]
    assert [n for n in names if n.startswith("train-")] == [
        "train-latent-mean",
        "train-latent-autoencoder",
        "train-latent",
        "train-latent-pde",
    ]
    assert "fit-climate" not in names
    cards = [
        json.loads((latent.root / path_of(f"prior-{n}") / "card.json").read_text())
        for n in ("latent", "latent-pde")
    ]
    assert cards[0]["scores"]["mean"] == cards[1]["scores"]["mean"]
    assert cards[0]["scores"]["diffusion"] != cards[1]["scores"]["diffusion"]


@pytest.mark.slow
def test_a_guidance_for_linear_operators_refuses_by_name(latent: Project, tmp_path: Path) -> None:
    root = tmp_path / "a project"
    shutil.copytree(latent.root, root, ignore=shutil.ignore_patterns("mlruns", ".prefect"), symlinks=True)
    project = Project(root)
    project.set(**{"downscale__pde-ldm__guidance": {"name": "gaussian-cov"}})
    done = project.finescale("stage", "downscale-pde-ldm", check=False)
    assert done.returncode == 2
    assert "gaussian-cov needs an observation that is linear in the state" in done.stderr
    assert "Traceback" not in done.stderr

"""DVC for a team: what one has pushed, another pulls and need not run; experiments side by side."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import ROOT, Project, environment
from .test_learned import PRIOR

pytestmark = pytest.mark.slow  # minutes of registrations and clones


def git(root: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture(scope="module")
def shared(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The finished project under git, with a remote beside it as the committed settings say, pushed."""
    root = tmp_path_factory.mktemp("team") / "first"
    skipped = shutil.ignore_patterns("mlruns", ".prefect", "config.local", "__pycache__")
    shutil.copytree(finished.root, root, ignore=skipped)
    shutil.copy(ROOT / ".gitignore", root / ".gitignore")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "A project")
    project = Project(root)
    project.dvc("push")
    return project


def test_a_clone_pulls_and_has_nothing_to_run(shared: Project) -> None:
    assert (shared.root.parent / "finescale-remote").is_dir()
    other = shared.root.parent / "second"
    git(shared.root.parent, "clone", "-q", str(shared.root), str(other))
    clone = Project(other)
    assert not (other / "data").exists()
    clone.dvc("pull")
    done = clone.dvc("repro")
    assert "Running stage" not in done.stdout
    assert "up to date" in done.stdout
    assert clone.locked() == shared.locked()


def test_a_checkpoint_by_its_name_and_version(shared: Project, tmp_path: Path) -> None:
    """A tag of git names the version; whoever fetches it needs neither a clone nor the project's settings."""
    refused = shared.call(
        sys.executable, "-m", "dvc", "artifacts", "get", ".", "model-bilinear", "-o", "none", check=False
    )
    assert refused.returncode != 0
    git(shared.root, "tag", "-a", "model-bcsd@v1.0.0", "-m", "The first")
    for words in ((), ("--rev", "v1.0.0")):
        out = tmp_path / "-".join(("fetched", *words))
        address = (str(shared.root), "model-bcsd", *words, "-o", str(out))
        subprocess.run(
            [sys.executable, "-m", "dvc", "artifacts", "get", *address],
            cwd=tmp_path,
            env=environment(tmp_path),
            check=True,
            capture_output=True,
        )
        kept = shared.root / "models" / "bcsd"
        assert {p.name: p.read_bytes() for p in out.iterdir()} == {
            p.name: p.read_bytes() for p in kept.iterdir()
        }


def test_an_experiment_stands_beside_the_workspace(shared: Project) -> None:
    before = shared.locked()
    shared.dvc("exp", "run", "--name", "flat", "-S", "downscale.bcsd.harmonics=0")
    rows = experiments(shared)
    crps = {name: score(row, "bcsd") for name, row in rows.items()}
    harmonics = {
        n: d["params"]["params.yaml"]["data"]["downscale"]["bcsd"]["harmonics"] for n, d in rows.items()
    }
    assert harmonics == {"base": 1, "flat": 0}
    written = json.loads((shared.root / "reports" / "metrics.json").read_text())
    assert crps["flat"] == written["perfect"]["bcsd"]["tas"]["crps"]
    assert crps["flat"] != crps["base"]
    page = shared.dvc("plots", "diff", "HEAD", "-o", "diff").stdout
    assert (shared.root / "diff" / "index.html").is_file(), page
    assert shared.locked() != before
    body = yaml.safe_load((shared.root / "params.yaml").read_text())
    assert body["downscale"]["bcsd"]["harmonics"] == 0


def test_a_longer_walk_of_the_sampler_is_an_experiment(shared: Project, tmp_path: Path) -> None:
    root = tmp_path / "learned"
    git(tmp_path, "clone", "-q", str(shared.root), str(root))
    project = Project(root)
    project.dvc("remote", "modify", "team", "url", str(shared.root.parent / "finescale-remote"))
    project.dvc("pull")
    project.set(
        climate={"modes": 24, "order": 4, "joint": 12, "sketch_every": 1},
        priors={"tiny": PRIOR},
        downscale__methods=["bilinear", "finescale"],
        downscale__finescale={"prior": "tiny", "sampler": {"steps": 4}},
        registry__method="finescale",
    )
    project.finescale("dvcfile")
    project.dvc("repro")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "A method that learns")
    ran = project.dvc("exp", "run", "--name", "longer", "-S", "downscale.finescale.sampler.steps=16").stdout
    assert "Running stage 'downscale-finescale'" in ran
    assert "Running stage 'train-tiny'" not in ran
    rows = experiments(project)
    chosen = {n: r["params"]["params.yaml"]["data"]["downscale"]["finescale"] for n, r in rows.items()}
    assert {n: c["sampler"]["steps"] for n, c in chosen.items()} == {"base": 4, "longer": 16}
    crps = {n: score(r, "finescale") for n, r in rows.items()}
    assert crps["longer"] != crps["base"]


def experiments(project: Project) -> dict[str, Any]:
    """The rows of `dvc exp show`: the commit below, called base, and what was tried."""
    (table,) = json.loads(project.dvc("exp", "show", "--json", "--num", "1").stdout)[1:]
    tried = {entry["name"]: entry["revs"][0]["data"] for entry in table["experiments"]}
    return {"base": table["data"], **tried}


def score(row: dict[str, Any], method: str) -> float:
    """The CRPS of a row for tas on held-out days."""
    return row["metrics"]["reports/metrics.json"]["data"]["perfect"][method]["tas"]["crps"]

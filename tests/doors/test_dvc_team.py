"""DVC for a team: what one has pushed, another pulls and need not run; experiments side by side."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT, Project

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
    # A checkpoint by its name, without the project's history of files.
    clone.dvc("artifacts", "get", ".", "model-bcsd", "-o", "fetched")
    assert {p.name for p in (other / "fetched").iterdir()} == {
        p.name for p in (other / "models/bcsd").iterdir()
    }


def test_an_experiment_stands_beside_the_workspace(shared: Project) -> None:
    before = shared.locked()
    shared.dvc("exp", "run", "--name", "flat", "-S", "downscale.bcsd.harmonics=0")
    (table,) = json.loads(shared.dvc("exp", "show", "--json", "--num", "1").stdout)[1:] or [None]
    assert table is not None
    rows = {"base": table["data"], "flat": table["experiments"][0]["revs"][0]["data"]}
    crps = {
        name: data["metrics"]["reports/metrics.json"]["data"]["perfect"]["bcsd"]["tas"]["crps"]
        for name, data in rows.items()
    }
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

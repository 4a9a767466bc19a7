"""kill -9 in the middle of any stage, then the same command: the same hashes as an undisturbed run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finescale.pipeline.ledger import ledger
from finescale.pipeline.store import path_of, remove
from finescale.settings import Settings, load_settings

from .conftest import Project, environment, tiny_settings

STAGES = [s.name for s in ledger(Settings.model_validate(tiny_settings()))]


def start(project: Project, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "finescale", "stage", name],
        cwd=project.root,
        env=environment(project.root),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for_draft(project: Project, name: str, process: subprocess.Popen[bytes]) -> Path:
    """Wait until the stage has begun to write (or has ended)."""
    drafts = project.root / "data" / f".{name}.draft"
    while process.poll() is None and not (drafts.is_dir() and any(drafts.iterdir())):
        time.sleep(0.005)
    return drafts


@pytest.fixture(scope="module")
def victim(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One copy of the finished project for all the murders: each stage is brought back before the next."""
    import shutil

    root = tmp_path_factory.mktemp("victim") / "a project"
    shutil.copytree(finished.root, root, ignore=shutil.ignore_patterns("mlruns", ".prefect", "cache"))
    return Project(root)


@pytest.mark.parametrize("name", STAGES)
def test_killed_and_run_again(victim: Project, name: str) -> None:
    stage = next(s for s in ledger(load_settings(victim.root / "params.yaml")) if s.name == name)
    before = victim.locked()
    paths = [victim.root / path_of(name) for name in stage.writes]
    for path in paths:
        remove(path)
    process = start(victim, stage.name)
    drafts = wait_for_draft(victim, stage.name, process)
    assert process.poll() is None, "the stage ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert drafts.is_dir(), "killed while writing"
    assert not any(path.exists() for path in paths), "half an artefact was taken for whole"
    victim.finescale("stage", stage.name)
    assert not drafts.exists()
    victim.dvc("commit", "--force", stage.name)
    after = victim.locked()
    assert {path: after[path] for path in map(path_of, stage.writes)} == {
        path: before[path] for path in map(path_of, stage.writes)
    }

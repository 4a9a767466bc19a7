"""A small project of its own: a tiny world, a copy of the sources for DVC to hash, no git."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TINY = {
    "world": {
        "seed": 1,
        "cells": 16,
        "factor": 4,
        "reference_start": "2001-01-01",
        "reference_end": "2001-04-10",
        "historical_start": "2001-01-01",
        "historical_end": "2001-04-10",
        "scenario_start": "2015-01-01",
        "scenario_end": "2015-02-10",
        "truth_start": "2015-01-10",
        "truth_end": "2015-01-17",
        "storm": "2001-03-23T12:00",
    },
    "split": {
        "train": ["2001-01-01", "2001-02-28"],
        "validation": ["2001-03-05", "2001-03-12"],
        "test": ["2001-03-20", "2001-03-26"],
    },
    "coarse": {"factor": 4, "every": 6, "how": "instant"},
    "correct": {
        "method": "eqm",
        "season": "year",
        "calibration": ["2001-01-01", "2001-04-10"],
        "quantiles": 20,
    },
    "score": {"resamples": 20},
}


class Project:
    """A project folder and the three doors into it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def set(self, **changes: object) -> None:
        """Change settings, each named by its dotted path with double underscores for dots."""
        path = self.root / "params.yaml"
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
        for name, value in changes.items():
            *parts, last = name.split("__")
            place = body
            for part in parts:
                place = place[part]
            place[last] = value
        path.write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")

    def call(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in the project's folder."""
        done = subprocess.run(
            command, cwd=self.root, env=environment(self.root), capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise AssertionError(
                f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
            )
        return done

    def finescale(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The command-line door."""
        return self.call(sys.executable, "-m", "finescale", *arguments, check=check)

    def dvc(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """DVC's door."""
        return self.call(sys.executable, "-m", "dvc", *arguments, check=check)

    def flow(self) -> subprocess.CompletedProcess[str]:
        """Prefect's door."""
        return self.call(sys.executable, "-m", "flows.build")

    def locked(self) -> dict[str, str]:
        """Content hash of every output that dvc.lock records."""
        lock = yaml.safe_load((self.root / "dvc.lock").read_text(encoding="utf-8"))
        return {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage["outs"]}


def environment(home: Path) -> dict[str, str]:
    """What the Makefile exports, with every server's files inside the project."""
    return {
        **os.environ,
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
        "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT))),
        "DO_NOT_TRACK": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "240",
        "PREFECT_HOME": str(home / ".prefect"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DVC_NO_ANALYTICS": "1",
    }


def tiny_settings() -> dict[str, Any]:
    """The settings of the tiny project: the demo's, smaller."""
    body: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")) | TINY
    # Only what needs no training: the methods that learn have tests of their own.
    body["downscale"] = {
        "methods": ["bilinear", "bcsd"],
        "members": 2,
        "period": ["2015-01-10", "2015-01-16"],
        "bcsd": {"harmonics": 1},
    }
    body["registry"]["method"] = "bcsd"
    del body["priors"]
    body["data"]["variables"] = ["psl", "tas"]
    del body["data"]["gcms"]["standard"]
    return body


def make_project(root: Path) -> Project:
    """Lay a tiny project out: settings, sources, DVC's folder; nothing run yet."""
    root.mkdir(parents=True)
    body = tiny_settings()
    (root / "params.yaml").write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (root / ".dvc").mkdir()
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, root / name)
    return Project(root)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A tiny project after its first run from the command line; not to be changed."""
    project = make_project(tmp_path_factory.mktemp("finished") / "a project")
    project.finescale("run")
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Iterator[Project]:
    """A copy of the finished project, to do things to."""
    root = tmp_path / "a project"
    shutil.copytree(finished.root, root, ignore=shutil.ignore_patterns("mlruns", ".prefect"), symlinks=True)
    yield Project(root)
    shutil.rmtree(root, ignore_errors=True)

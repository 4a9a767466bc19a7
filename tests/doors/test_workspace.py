"""Runs with a preset: in a folder of their own, with what the default run has made."""

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml
from dvc.config import Config

from finescale.errors import FinescaleError
from finescale.pipeline.store import path_of
from finescale.pipeline.workspace import presets, workspace

from .conftest import ROOT, Project, make_project
from .test_three_doors import completed

PRESET = "downscale:\n  members: 3\n  methods: [bcsd, bilinear]\n"


def with_preset(project: Project) -> Project:
    (project.root / "presets").mkdir()
    (project.root / "presets" / "three.yaml").write_text(PRESET, encoding="utf-8")
    return project


@pytest.fixture
def layered(tmp_path: Path) -> Project:
    """A project with one preset in which nothing has run."""
    return with_preset(make_project(tmp_path / "a project"))


def test_what_the_default_run_has_made_is_restored(project: Project) -> None:
    layered = with_preset(project)
    before = {name: (layered.root / name).read_bytes() for name in ("params.yaml", "dvc.yaml", "dvc.lock")}
    log = layered.finescale("run", "--preset", "three").stdout
    assert completed(log) == {"downscale-bcsd", "downscale-bilinear", "score", "report"}
    assert "Skipped    world" in log or "Restored   world" in log
    there = layered.root / ".workspaces" / "three"
    assert len(pd.read_csv(there / path_of("scorecard"))) > 0
    shown = layered.finescale("show", "--preset", "three").stdout
    assert "stale" not in shown
    assert str(there / "reports") in layered.finescale("report", "--preset", "three").stdout
    again = layered.finescale("run", "--preset", "three").stdout
    assert completed(again) == set()
    assert "holds this checkpoint already" in again  # one registry for all
    assert {name: (layered.root / name).read_bytes() for name in before} == before
    assert completed(layered.finescale("run").stdout) == set()
    assert layered.dvc("status").stdout.strip() == "Data and pipelines are up to date."


def test_the_tree_stays_clean(layered: Project) -> None:
    """Git sees nothing of a workspace."""
    ignore = (ROOT / ".gitignore").read_text(encoding="utf-8")
    (layered.root / ".gitignore").write_text(ignore, encoding="utf-8")
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=layered.root, check=True)
    folder = workspace(layered.root, "three")
    assert folder.is_dir()
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=layered.root, check=True, capture_output=True, text=True
    )
    assert ".workspaces" not in status.stdout
    assert not any(line.startswith((" M", "??")) for line in status.stdout.splitlines())


def test_changes_alone_make_a_workspace(layered: Project) -> None:
    folder = workspace(layered.root, changes={"downscale": {"members": 4}})
    merged = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    below = yaml.safe_load((layered.root / "params.yaml").read_text(encoding="utf-8"))
    assert merged["downscale"].pop("members") == 4
    assert below["downscale"].pop("members") == 2
    assert merged == below
    assert workspace(layered.root, changes={"downscale": {"members": 5}}) != folder
    assert workspace(folder, changes={"downscale": {"members": 4}}) == folder
    assert workspace(layered.root) == layered.root
    assert (folder / "src").samefile(layered.root / "src")


def test_faults_name_the_preset_and_its_line(layered: Project) -> None:
    path = layered.root / "presets" / "three.yaml"
    path.write_text(PRESET + "coarse:\n  facter: 4\n", encoding="utf-8")
    with pytest.raises(
        FinescaleError, match=r"presets/three.yaml, line 5: unknown key coarse.facter; did you"
    ):
        workspace(layered.root, "three")
    assert not (layered.root / ".workspaces").exists()
    with pytest.raises(FinescaleError, match=r"changes, line 2: downscale.members: .*, not 0"):
        workspace(layered.root, changes={"downscale": {"members": 0}})
    with pytest.raises(FinescaleError, match=r"no four.yaml; there are: three"):
        workspace(layered.root, "four")


def test_null_takes_a_key_away(layered: Project) -> None:
    changes = {"data": {"gcms": {"360day": None}}, "world": None}
    merged = yaml.safe_load((workspace(layered.root, changes=changes) / "params.yaml").read_text("utf-8"))
    assert "world" not in merged
    assert merged["data"]["gcms"] == {}


@pytest.mark.parametrize("name", presets(ROOT))
def test_every_preset_of_the_repository_is_valid(name: str) -> None:
    from finescale.pipeline.workspace import read_preset
    from finescale.settings.reading import check, compose, merge

    below = compose("params.yaml", (ROOT / "params.yaml").read_text(encoding="utf-8"))
    check(merge(below, read_preset(ROOT, name)))


def test_the_latent_preset_of_the_month_has_the_data_of_the_other() -> None:
    one, two = (
        yaml.safe_load((ROOT / "presets" / f"{name}.yaml").read_text(encoding="utf-8"))
        for name in ("era5-uk", "era5-uk-latent")
    )
    assert one["data"] == two["data"]
    assert one["split"]["test"] == two["split"]["test"]


@pytest.mark.parametrize("name", ["a #1", "a, b", "ü"])
def test_a_workspace_finds_the_cache_of_a_project_of_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name / ".dvc").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", tmp_path / name)
    folder = workspace(tmp_path / name, changes={"seed": 1})
    assert Config(str(folder / ".dvc"))["cache"]["dir"] == str(tmp_path / name / ".dvc" / "cache")

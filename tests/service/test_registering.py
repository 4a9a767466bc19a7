"""A registration that was cut off is judged by the next one; a model is known by what lies there."""

from pathlib import Path

import pytest
import yaml

from finescale.pipeline import store
from finescale.pipeline.project import Project
from finescale.service import registering

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that has a model, recorded by DVC as it lies there."""
    body = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    body["registry"]["method"] = "bcsd"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(body), encoding="utf-8")
    folder = tmp_path / "models" / "bcsd"
    (folder / "inner").mkdir(parents=True)
    (folder / "method.json").write_text("{}", encoding="utf-8")
    (folder / "inner" / "table").write_text("1", encoding="utf-8")
    # `dvc add` of this very folder says so.
    out = {"path": "models/bcsd", "md5": "196627064a95879cf452cbdc10d33f04.dir"}
    lock = {"schema": "2.0", "stages": {"downscale-bcsd": {"cmd": "x", "outs": [out]}}}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")
    return Project(tmp_path)


def test_a_model_is_known_by_what_lies_there(project: Project) -> None:
    name = "model-bcsd"
    assert store.tracked(project.root, name) == store.digest(project.root, name) is not None
    (project.root / "models" / "bcsd" / "inner" / "table").write_text("2", encoding="utf-8")
    assert store.tracked(project.root, name) is None
    assert store.digest(project.root, name) is not None


@pytest.mark.parametrize(("tags", "said"), [({}, "judged 3"), ({"decision": "x"}, "holds this checkpoint")])
def test_a_version_that_was_not_judged_is_judged(
    project: Project, tags: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = type("Decision", (), {"text": "judged 3"})
    monkeypatch.setattr(registering.model, "known", lambda root, name, checkpoint: "3")
    monkeypatch.setattr(registering.tracking, "tags_of", lambda root, name, version: tags)
    monkeypatch.setattr(registering.promoting, "promote", lambda root, version: judged)
    assert said in registering.register(project)

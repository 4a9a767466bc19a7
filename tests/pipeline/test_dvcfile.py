"""dvc.yaml follows the ledger."""

from pathlib import Path

import pytest
import yaml

from finescale.cli.doors import run_one
from finescale.errors import FinescaleError
from finescale.pipeline import dvcfile, lockfile
from finescale.pipeline.ledger import ledger
from finescale.pipeline.store import path_of
from finescale.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def settings() -> Settings:
    return load_settings(ROOT / "params.yaml")


def test_the_committed_file_is_fresh(settings: Settings) -> None:
    assert (ROOT / "dvc.yaml").read_text(encoding="utf-8") == dvcfile.render(ROOT, ledger(settings), settings)


def test_every_stage_has_its_inputs_outputs_and_settings(settings: Settings) -> None:
    stages = ledger(settings)
    body = yaml.safe_load(dvcfile.render(ROOT, stages, settings))["stages"]
    assert list(body) == [s.name for s in stages]
    for stage in stages:
        entry = body[stage.name]
        outs = entry["outs"] + entry.get("metrics", [])
        assert sorted(outs) == sorted(path_of(name) for name in stage.writes)
        assert [d for d in entry["deps"] if not d.startswith("src/")] == [
            path_of(name) for name in stage.reads
        ]


def test_a_setting_left_to_its_default_is_no_parameter(settings: Settings) -> None:
    bare = settings.model_dump(mode="json", exclude={"score"})
    shorter = Settings.model_validate(bare)
    body = yaml.safe_load(dvcfile.render(ROOT, ledger(shorter), shorter))["stages"]
    assert "score" not in body["score"]["params"]
    assert "seed" in body["score"]["params"]


def test_the_schema_behind_a_stages_settings_is_an_input(settings: Settings) -> None:
    body = yaml.safe_load(dvcfile.render(ROOT, ledger(settings), settings))["stages"]
    schema = {
        name: {d.rpartition("/")[2] for d in entry["deps"] if d.startswith("src/finescale/settings/")}
        for name, entry in body.items()
    }
    assert schema["coarsen"] == schema["world"] == {"data.py"}
    (trained,) = (name for name in schema if name.startswith("train-"))
    assert schema[trained] == {"data.py", "learning.py"}
    assert schema["downscale-bcsd"] == {"data.py", "schema.py"}


def test_a_stale_file_is_refused_and_rewritten(settings: Settings, tmp_path: Path) -> None:
    stages = ledger(settings)
    with pytest.raises(FinescaleError, match="finescale dvcfile"):
        dvcfile.check(tmp_path, stages, settings)
    assert dvcfile.write(tmp_path, stages, settings)
    assert not dvcfile.write(tmp_path, stages, settings)
    dvcfile.check(tmp_path, stages, settings)
    assert [p.name for p in tmp_path.iterdir()] == ["dvc.yaml"]


def test_a_setting_that_goes_back_to_its_default_makes_its_stages_stale(
    settings: Settings, tmp_path: Path
) -> None:
    stages = ledger(settings)
    dvcfile.write(tmp_path, stages, settings)
    rendered = yaml.safe_load((tmp_path / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    lock = {
        name: {"cmd": entry["cmd"], "params": {"params.yaml": dict.fromkeys(entry.get("params", []), 1)}}
        for name, entry in rendered.items()
    }
    text = yaml.safe_dump({"schema": "2.0", "stages": lock})
    (tmp_path / "dvc.lock").write_text(text, encoding="utf-8")
    dvcfile.write(tmp_path, stages, settings)
    assert (tmp_path / "dvc.lock").read_text(encoding="utf-8") == text
    shorter = Settings.model_validate(settings.model_dump(mode="json", exclude={"score"}))
    assert dvcfile.write(tmp_path, ledger(shorter), shorter)
    assert lock.keys() - lockfile.recorded(tmp_path).keys() == {"score"}


def test_a_stage_is_refused_under_settings_that_dvc_does_not_know(settings: Settings, tmp_path: Path) -> None:
    dvcfile.check_settings(tmp_path, ledger(settings), settings)  # no DVC, nothing to contradict
    shorter = Settings.model_validate(settings.model_dump(mode="json", exclude={"score"}))
    dvcfile.write(tmp_path, ledger(shorter), shorter)
    dvcfile.check_settings(tmp_path, ledger(shorter), shorter)
    (tmp_path / "params.yaml").write_text(
        (ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    with pytest.raises(FinescaleError, match=r"dvc\.yaml must follow params\.yaml.*finescale dvcfile"):
        run_one(tmp_path, "world")


def test_the_users_own_files_are_inputs(settings: Settings, tmp_path: Path) -> None:
    body = settings.model_dump(mode="json", exclude={"world"})
    away, root = tmp_path / "away.nc", tmp_path / "project"
    (root / "archive").mkdir(parents=True)
    (root / "archive" / "catalogue.json").write_text('{"catalog_file": "rows.csv"}', encoding="utf-8")
    for path in (away, root / "b.nc", root / "a.nc", root / "archive" / "rows.csv"):
        path.touch()
    body["data"]["catalogue"] = "archive/catalogue.json"
    body["data"]["reference"] |= {
        "facets": {},
        "files": [str(away), "*.nc", "missing.nc", "s3://bucket/c.nc"],
    }
    mine = Settings.model_validate(body)
    rendered = yaml.safe_load(dvcfile.render(root, ledger(mine), mine))["stages"]

    def data(stage: str) -> list[str]:
        return [dep for dep in rendered[stage]["deps"] if not dep.startswith("src/")]

    table = ["archive/catalogue.json", "archive/rows.csv"]
    # The static fields come from the catalogue.
    assert sorted(data("ingest-reference")) == sorted([*table, str(away), "a.nc", "b.nc"])
    assert data(f"ingest-{next(iter(mine.data.gcms))}") == table
    lock = {
        "ingest-reference": {"deps": [{"path": "gone.nc"}]},
        "coarsen": {"deps": [{"path": "src/finescale/a.py"}]},
    }
    (root / "dvc.lock").write_text(yaml.safe_dump({"stages": lock}), encoding="utf-8")
    dvcfile.write(root, ledger(mine), mine)
    assert list(lockfile.recorded(root)) == ["coarsen"]

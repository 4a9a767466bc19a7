"""dvc.yaml follows the ledger."""

from pathlib import Path

import pytest
import yaml

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
    assert (ROOT / "dvc.yaml").read_text(encoding="utf-8") == dvcfile.render(ledger(settings), settings)


def test_every_stage_has_its_inputs_outputs_and_settings(settings: Settings) -> None:
    stages = ledger(settings)
    body = yaml.safe_load(dvcfile.render(stages, settings))["stages"]
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
    body = yaml.safe_load(dvcfile.render(ledger(shorter), shorter))["stages"]
    assert "score" not in body["score"]["params"]
    assert "seed" in body["score"]["params"]


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

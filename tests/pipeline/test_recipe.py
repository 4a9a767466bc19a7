"""The digests of settings and code follow the stages behind an artefact, and no others."""

import copy

import pytest
import yaml

from finescale.pipeline.recipe import recipe
from finescale.pipeline.store import path_of


def stage(reads, writes, code, **params):
    deps = [{"path": path_of(name), "md5": "0"} for name in reads] + [
        {"path": f"src/finescale/{name}", "md5": md5} for name, md5 in code.items()
    ]
    return {"deps": deps, "params": {"params.yaml": params}, "outs": [{"path": path_of(w)} for w in writes]}


LOCK = {
    "stages": {
        "ingest": stage([], ["raw-reference"], {"climate": "c1"}, region=[1, 2]),
        "harmonise": stage(["raw-reference"], ["reference"], {"grid": "g1"}, factor=4),
        "elsewhere": stage(["raw-reference"], ["scorecard"], {"scores": "s1"}, resamples=200),
    }
}


@pytest.fixture
def digests(tmp_path):
    def of(change=lambda stages: None):
        lock = copy.deepcopy(LOCK)
        change(lock["stages"])
        (tmp_path / "dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")
        return recipe(tmp_path, ("reference",))

    return of


def test_a_setting_far_behind_changes_the_digest_of_settings_alone(digests):
    before = digests()
    after = digests(lambda s: s["ingest"]["params"]["params.yaml"].update(region=[1, 3]))
    assert before["settings digest"] != after["settings digest"]
    assert before["code digest"] == after["code digest"]


def test_code_far_behind_changes_the_digest_of_code_alone(digests):
    before, after = digests(), digests(lambda s: s["ingest"]["deps"][0].update(md5="c2"))
    assert before["settings digest"] == after["settings digest"]
    assert before["code digest"] != after["code digest"]


def test_data_and_stages_that_are_not_behind_change_nothing(digests):
    def change(stages):
        stages["elsewhere"]["params"]["params.yaml"]["resamples"] = 1
        stages["harmonise"]["deps"][0]["md5"] = "1"

    assert digests() == digests(change)


def test_nothing_recorded_is_a_dash(tmp_path):
    assert recipe(tmp_path, ("reference",)) == {"settings digest": "-", "code digest": "-"}

"""Forms, deployments and automations of the service, without a server."""

from pathlib import Path

import pytest
import yaml
from flows.forms import Build, Promote
from flows.pieces import Produce

from finescale.errors import FinescaleError
from finescale.settings import Production

ROOT = Path(__file__).resolve().parents[2]


def test_an_empty_build_lays_nothing_over() -> None:
    assert Build().overlay() == {}
    assert Build().title == "build"


def test_single_values_join_the_other_changes() -> None:
    asked = Build(
        preset="demo-all", members=4, methods=("bcsd",), changes={"seed": 3, "downscale": {"scenario": "x"}}
    )
    assert asked.overlay() == {
        "seed": 3,
        "downscale": {"scenario": "x", "methods": ["bcsd"], "members": 4},
    }
    assert asked.title == "build, demo-all, bcsd, 4 members, seed, downscale"


def test_bounds_and_unknown_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="members"):
        Build(members=-1)
    with pytest.raises(ValueError, match="extra"):
        Build.model_validate({"member": 3})


def test_what_a_production_leaves_empty_is_the_projects() -> None:
    own = Production(members=5, block=2, scenarios=("ssp585",))
    assert Produce().over(own) == own
    asked = Produce(members=3, periods=("2015-01-10:2015-01-16",)).over(own)
    assert (asked.members, asked.block, asked.scenarios) == (3, 2, ("ssp585",))
    assert [str(day) for day in asked.periods[0]] == ["2015-01-10", "2015-01-16"]
    with pytest.raises(ValueError, match="periods"):
        Produce(periods=("January",))


def test_other_days_come_in_pairs() -> None:
    assert Promote().days() is None
    asked = Promote(challenger="4", first="2003-01-05", last="2003-02-03")
    assert [str(day) for day in asked.days()] == ["2003-01-05", "2003-02-03"]
    assert asked.title == "promote 4 on 2003-01-05 to 2003-02-03"
    for wrong in ({"first": "2003-01-05"}, {"first": "2003-02-03", "last": "2003-01-05"}):
        with pytest.raises(ValueError, match="give both or neither"):
            Promote(**wrong)


def test_what_takes_too_long_is_stopped() -> None:
    from flows.watch import Watcher
    from prefect.logging import disable_run_logger

    with disable_run_logger():
        watch, late = Watcher("a store", 1.0), Watcher("a store", 0.0)
    watch.progress("draws", 1, 9)
    with pytest.raises(FinescaleError, match="draws must end within 0 h: a store was at 1 of 9"):
        late.progress("draws", 1, 9)


def test_three_deployments() -> None:
    body = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    assert [deployment["name"] for deployment in body["deployments"]] == ["build", "produce", "promote"]


def test_every_deployment_has_its_flow_and_a_schedule_that_sleeps() -> None:
    body = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    for deployment in body["deployments"]:
        path, name = deployment["entrypoint"].split(":")
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
        assert all(schedule["active"] is False for schedule in deployment["schedules"])
        assert deployment["work_pool"]["name"] == "finescale"


def test_the_example_automations_are_prefects() -> None:
    schemas = pytest.importorskip("prefect.events.schemas.automations")
    body = yaml.safe_load((ROOT / "flows" / "automations.yaml").read_text(encoding="utf-8"))
    names = [schemas.AutomationCore.model_validate(entry).name for entry in body["automations"]]
    assert names == ["three failures pause the pool", "a run that nobody takes up is cancelled"]

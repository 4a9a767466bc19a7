"""The ledger's wiring: what is read is written, once, and nobody waits for himself."""

from pathlib import Path

import pytest

from finescale.pipeline.ledger import cases, ledger
from finescale.pipeline.stage import Stage
from finescale.pipeline.wiring import Agenda, chains, ordered, parents, upstream
from finescale.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]


def stage(name: str, reads: tuple[str, ...] = (), writes: tuple[str, ...] = ()) -> Stage:
    return Stage(name, "world.make", reads, writes)


def test_writers_come_before_readers() -> None:
    found = ordered([stage("c", ("b",)), stage("a", (), ("a",)), stage("b", ("a",), ("b",))])
    assert [s.name for s in found] == ["a", "b", "c"]


def test_an_artefact_that_nobody_writes_is_named() -> None:
    with pytest.raises(LookupError, match="stage c reads b, which nobody writes"):
        ordered([stage("c", ("b",))])


def test_two_writers_are_named() -> None:
    with pytest.raises(LookupError, match="x is written by both a and b"):
        ordered([stage("a", (), ("x",)), stage("b", (), ("x",))])


def test_a_cycle_is_named() -> None:
    with pytest.raises(LookupError, match="wait for each other"):
        ordered([stage("a", ("y",), ("x",)), stage("b", ("x",), ("y",))])


def test_upstream_takes_what_is_needed_and_no_more() -> None:
    stages = ordered(
        [stage("a", (), ("a",)), stage("b", ("a",), ("b",)), stage("c", ("a",), ("c",)), stage("d", ("b",))]
    )
    assert [s.name for s in upstream(stages, ["d"])] == ["a", "b", "d"]


def test_a_stage_is_as_urgent_as_the_longest_chain_that_waits_for_it() -> None:
    stages = ordered(
        [
            stage("a", (), ("a",)),
            stage("b", ("a",), ("b",)),
            stage("c", ("a",), ("c",)),
            stage("d", ("b",), ("d",)),
            stage("e", ("c", "d")),
        ]
    )
    assert chains(stages) == {"a": 3, "b": 2, "c": 1, "d": 1, "e": 0}


def test_the_agenda_gives_the_most_urgent_of_those_that_can_begin() -> None:
    stages = ordered(
        [
            stage("a", (), ("a",)),
            stage("alone"),
            stage("b", ("a",), ("b",)),
            stage("c", ("a",), ("c",)),
            stage("d", ("c",)),
        ]
    )
    agenda = Agenda(stages)
    assert [agenda.next().name, agenda.next().name, agenda.next()] == ["a", "alone", None]
    agenda.done("a")
    assert [agenda.next().name, agenda.next().name, agenda.next()] == ["c", "b", None]
    agenda.done("c")
    assert [agenda.next().name, agenda.next()] == ["d", None]
    for name in ("alone", "b", "d"):
        assert agenda
        agenda.done(name)
    assert not agenda


def test_what_the_default_waits_for_is_more_urgent_than_other_methods() -> None:
    urgency = chains(ledger(load_settings(ROOT / "params.yaml")))
    assert urgency["fit-climate"] > urgency["train-window-plus"] > urgency["downscale-finescale"]
    assert urgency["train-window-plus"] > urgency["downscale-bilinear"]


def test_the_ledger_is_wired_and_every_function_exists() -> None:
    settings = load_settings(ROOT / "params.yaml")
    stages = ledger(settings)
    assert {s.name for s in stages} >= {
        "world",
        "coarsen",
        "correct-standard",
        "downscale-bcsd",
        "score",
        "report",
    }
    assert all(callable(s.function()) for s in stages)
    assert parents(stages)["score"] != ()
    assert set(cases(settings)) == {"perfect", "gcm-standard", "gcm-360day"}


def test_code_dependencies_exist() -> None:
    source = ROOT / "src" / "finescale"
    named = {path for s in ledger(load_settings(ROOT / "params.yaml")) for path in s.code}
    assert [path for path in named if not (source / path).exists()] == []

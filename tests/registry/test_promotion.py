"""Evidence decides who becomes champion."""

from finescale.registry.promotion import judge


def test_the_first_candidate_wins() -> None:
    assert judge({"tas": 1.0}, None).better
    assert judge({"tas": 1.0}, {}).reason == "there was no champion"


def test_better_on_every_variable_wins() -> None:
    assert judge({"tas": 0.9, "psl": 50.0}, {"tas": 1.0, "psl": 50.0}).better


def test_worse_on_one_variable_loses_and_the_reason_names_it() -> None:
    verdict = judge({"tas": 0.5, "psl": 51.0}, {"tas": 1.0, "psl": 50.0})
    assert not verdict.better
    assert verdict.reason == "CRPS worse than the champion's: psl 51 > 50"


def test_other_variables_cannot_be_compared() -> None:
    verdict = judge({"tas": 0.5}, {"tas": 1.0, "psl": 50.0})
    assert not verdict.better
    assert "other variables" in verdict.reason

"""The tables mark the best and what cannot be told from it."""

import numpy as np
import pandas as pd
import pytest

from finescale.report.tables import compact, skill_table
from finescale.scores.table import Score


def lines(metric, **values):
    return [Score(m, "c", "tas", "all", "all", metric, v, v - 0.1, v + 0.1) for m, v in values.items()]


@pytest.mark.parametrize(
    ("metric", "best", "level"),
    [("crps", "a", ["b"]), ("spread_skill", "c", []), ("bias", "d", [])],
)
def test_the_best_by_the_goal_of_the_metric(metric, best, level):
    values = (
        {"a": 0.4, "b": 0.5, "c": 1.05, "d": -0.001} if metric != "crps" else {"a": 0.4, "b": 0.5, "c": 1.05}
    )
    _, rows = skill_table(lines(metric, **values), "c", methods=list("abcd"), metric=metric)
    marks = {method: cells[0].mark for method, cells in rows}
    assert [m for m, mark in marks.items() if mark == "best"] == [best]
    assert [m for m, mark in marks.items() if mark == "level"] == level


def test_errors_of_either_sign_are_level():
    card = [
        Score("a", "c", "tas", "all", "all", "bias", -0.100, -0.14, -0.06),
        Score("b", "c", "tas", "all", "all", "bias", 0.101, 0.06, 0.14),
        Score("d", "c", "tas", "all", "all", "bias", 0.3, 0.2, 0.4),
    ]
    marks = [cells[0].mark for _, cells in skill_table(card, "c", methods=list("abd"), metric="bias")[1]]
    assert marks == ["best", "level", ""]


def test_who_is_behind_the_default_is_not_best():
    card = [
        Score("b", "c", "tas", "all", "all", "crps_behind", 0.3, 0.2, 0.4),
        Score("d", "c", "tas", "all", "all", "crps_behind", 0.1, -0.1, 0.3),
        Score("e", "c", "psl", "all", "all", "crps_behind", -0.3, -0.4, -0.2),
    ]
    found = dict(skill_table(card, "c", methods=list("bde"), metric="crps_behind")[1])
    assert [found[m][1].mark for m in "bd"] == ["", "level"] and found["e"][0].mark == "best"


def test_the_noise_floor_never_wins_and_missing_values_are_dashes():
    rows = lines("crps", a=0.4, **{"noise-floor": 0.1})
    rows.append(Score("b", "c", "tas", "all", "all", "crps", np.nan, np.nan, np.nan))
    _, found = skill_table(rows, "c", methods=["a", "b", "absent", "noise-floor"])
    assert [method for method, _ in found] == ["a", "b", "noise-floor"]
    assert found[0][1][0].mark == "best" and found[0][1][0].interval == "0.300 to 0.500"
    assert found[1][1][0].text == "–" and found[2][1][0].mark == ""


def test_the_packed_card_holds_every_line():
    card = lines("crps", a=0.4, b=0.51234)
    card += [Score("a", "c", "tas", "all", "all", "annual_rmse", np.nan, np.nan, np.nan)]
    packed = compact(pd.DataFrame(card))
    words = packed["words"]
    for line, row in zip(card, packed["rows"], strict=True):
        assert [words[n][i] for n, i in zip(Score._fields[:6], row[:6], strict=True)] == list(line[:6])
        assert row[6] is None if np.isnan(line.value) else row[6] == pytest.approx(line.value, rel=1e-3)
    assert packed["reasons"] == {"a|c|annual_rmse": "it needs every month of a year"}

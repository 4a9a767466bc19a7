"""The verdict says what the numbers say."""

import numpy as np
import pandas as pd
import pytest

from finescale.report.verdict import judge
from finescale.scores.table import COLUMNS


def card(*rows):
    """Rows of method, metric, value, low, high and further columns by name."""
    full = []
    for method, metric, value, low, high, *rest in rows:
        given = {"case": "perfect", "variable": "tas", "region": "all", "hours": "all"} | (
            rest[0] if rest else {}
        )
        full.append({"method": method, "metric": metric, "value": value, "low": low, "high": high} | given)
    return pd.DataFrame(full)[COLUMNS]


def test_intervals_apart_is_a_win_and_overlap_is_not():
    won = judge(card(("a", "crps", 1, 0.9, 1.1), ("b", "crps", 2, 1.8, 2.2)), default="a", baselines=["b"])
    assert won.won and won.answer.startswith("Yes") and won.duels[0].better == ("tas",)
    assert won.duels[0].gain == pytest.approx(0.5)
    assert "lower CRPS than b in all 1 comparisons" in won.answer
    others = [(name, "crps", 2, 1.8, 2.2) for name in "bcd"]
    level = judge(card(("a", "crps", 1, 0.5, 1.9), *others), default="a", baselines=["b", "c", "d"])
    assert not level.won and level.duels[0].level == ("tas",)
    assert "lower CRPS than b, c and d in 0 of 3 comparisons, a higher one in none" in level.answer


def test_the_difference_on_the_same_days_decides_where_it_is_known():
    rows = [("a", "crps", 1, 0.5, 1.9), ("b", "crps", 2, 1.8, 2.2)]
    for low, high, side in ((0.6, 1.4, "better"), (-0.1, 2.1, "level"), (-1.4, -0.6, "worse")):
        found = judge(
            card(*rows, ("b", "crps_behind", (low + high) / 2, low, high)), default="a", baselines=["b"]
        )
        assert getattr(found.duels[0], side) == ("tas",)
        assert found.won == (side == "better")
    short = judge(card(*rows, ("b", "crps_behind", 1.0, np.nan, np.nan)), default="a", baselines=["b"])
    assert short.duels[0].level == ("tas",)


def test_a_loss_is_named_with_its_worst_place():
    lost = judge(
        card(
            ("a", "crps", 1, 0.9, 1.1),
            ("b", "crps", 2, 1.8, 2.2),
            ("a", "p99_rmse", 3.0, 2.9, 3.1, {"region": "coast"}),
            ("b", "p99_rmse", 1.0, 0.9, 1.1, {"region": "coast"}),
            ("a", "p99_rmse", 1.5, 1.4, 1.6),
            ("b", "p99_rmse", 1.0, 0.9, 1.1),
        ),
        default="a",
        baselines=["b", "absent"],
    )
    assert lost.failures == (
        "perfect, p99_rmse: b is better for tas (coast, everywhere; all hours); at worst 3.00 against 1.00 "
        "(tas, coast, all hours)",
    )


def test_spread_misfit_spectra_and_blindness_are_cautions():
    found = judge(
        card(
            ("a", "spread_skill", 0.5, 0.4, 0.6),
            ("a", "coarse_misfit", 0.3, 0.2, 0.4, {"hours": "observed"}),
            ("a", "melr", 0.4, 0.3, 0.5),
            ("noise-floor", "melr", 0.1, 0.05, 0.2),
            ("a", "crps", 2.0, 1.9, 2.1),
            ("noise-floor", "crps", 1.9, 1.8, 2.0),
        ),
        default="a",
        baselines=["b"],
    )
    assert "too narrow (0.50 of its error)" in found.cautions[0]
    assert "by 0.30 of its standard deviation" in found.cautions[1]
    assert "no better than the truth of another period" in found.cautions[2]
    assert "spectra of tas are off by 0.40" in found.cautions[3]
    assert found.answer.startswith("Nothing can be said")


@pytest.mark.parametrize(("beside", "said"), [(1.1, 0), (1.6, 1)])
def test_input_in_doubt_may_be_left_by_its_error(beside, said):
    at = {"hours": "observed"}
    found = judge(
        card(
            ("a", "coarse_misfit", 0.3, 0.2, 0.4, at),
            ("a", "misfit_over_error", beside, 0.9, 1.7, at),
            ("b", "coarse_misfit", 0.02, 0.01, 0.03, at),
        ),
        default="a",
        baselines=["b"],
    )
    assert len(found.cautions) == said and len(found.failures) == said


def test_rounding_is_no_failure():
    at = {"hours": "observed"}
    rows = [("b", "coarse_misfit", 0.0, 0.0, 0.0, at)]
    for misfit, lost in ((1e-5, 0), (2e-3, 1)):
        own = ("a", "coarse_misfit", misfit, misfit, misfit, at)
        assert len(judge(card(own, *rows), default="a", baselines=["b"]).failures) == lost


def test_calibrated_and_faithful_gives_no_caution():
    found = judge(
        card(("a", "spread_skill", 1.0, 0.9, 1.1), ("a", "coarse_misfit", 0.01, 0.0, 0.02)),
        default="a",
        baselines=[],
    )
    assert not found.cautions and not found.failures


def test_missing_numbers_are_named_with_the_reason():
    nan = np.nan
    found = judge(
        card(
            ("a", "crps", 1.0, nan, nan), ("a", "spread_skill", nan, nan, nan), ("b", "crps", 2.0, nan, nan)
        ),
        default="a",
        baselines=["b"],
    )
    assert found.won  # without intervals the values decide
    assert any("crps; an interval needs 5 days or more" in c for c in found.cautions)
    assert any("spread_skill; it needs 2 members or more" in c for c in found.cautions)

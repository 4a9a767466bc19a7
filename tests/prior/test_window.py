"""Windows cover every frame once, wherever a series begins."""

import numpy as np
import pytest

from finescale.errors import FinescaleError
from finescale.prior.window import Windows, WindowSpec

RULES = [
    Windows(9, 5), Windows(9, 9, shift=True), Windows(13, 1, "centre"), Windows(9, 3, "centre"), Windows(1, 1),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("first", [0, 7, -4])
@pytest.mark.parametrize("length", [13, 14, 29, 50])
def test_shares_of_a_frame_sum_to_one(rule: Windows, first: int, length: int) -> None:
    for level in range(3):
        starts = rule.starts(first, first + length, level)
        total = np.zeros(length)
        for start, weight in zip(starts, rule.weights(starts), strict=True):
            total[start - first : start - first + rule.size] += weight
        np.testing.assert_allclose(total, 1, atol=1e-6)
        assert starts[0] == first
        assert starts[-1] == first + length - rule.size


def test_the_centre_rule_is_that_of_the_paper() -> None:
    rule = Windows(5, 1, "centre")
    kept = [np.flatnonzero(w).tolist() for w in rule.weights(rule.starts(0, 9))]
    assert kept == [[0, 1, 2], [2], [2], [2], [2, 3, 4]]


def test_windows_lie_on_the_absolute_clock() -> None:
    inner = set(Windows(9, 5).starts(3, 90)[1:-1])
    later = set(Windows(9, 5).starts(31, 90)[1:-1])
    assert later <= inner


def test_shifted_windows_move_from_level_to_level() -> None:
    rule = Windows(9, 9, shift=True)
    inner = {tuple(rule.starts(0, 60, level)[1:-1] % 9) for level in range(6)}
    assert len(inner) > 4
    assert np.array_equal(Windows(9, 9).starts(0, 60, 0), Windows(9, 9).starts(0, 60, 3))


def test_a_specification_knows_the_usual_stride() -> None:
    assert WindowSpec().build(9) == Windows(9, 5)
    assert WindowSpec(blend="centre").build(13) == Windows(13, 1, "centre")


def test_a_series_shorter_than_the_window_is_refused() -> None:
    with pytest.raises(FinescaleError, match="at least as long"):
        Windows(9, 5).starts(0, 8)


def test_windows_that_do_not_touch_are_refused() -> None:
    with pytest.raises(FinescaleError, match="touch"):
        Windows(9, 10)

"""The spread of draws: what held-out days say of it, and what it leaves alone."""

import pytest
import torch

from finescale.guidance.spread import BELIEF, Spread, mended


def test_draws_move_from_the_mean_and_nothing_else_does() -> None:
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(1, 5, 2, 4, 6, generator=generator)
    x = mean + torch.randn(3, 5, 2, 4, 6, generator=generator)
    asked = []

    def mean_of(members: tuple[int, ...], first: int, stop: int) -> torch.Tensor:
        asked.append((members, first, stop))
        return mean

    found = Spread(torch.tensor([1.5, 1.0]), mean_of)(x, 40)
    assert asked == [((0,), 40, 45)]
    torch.testing.assert_close(found[:, :, 0] - mean[:, :, 0], 1.5 * (x - mean)[:, :, 0])
    torch.testing.assert_close(found[:, :, 1], x[:, :, 1])


def test_many_days_are_believed_and_few_are_not() -> None:
    narrow = {"a": 0.8, "b": 1.25}
    assert mended(narrow, 1e6)["a"] == pytest.approx(1 / 0.8, rel=1e-4)
    assert mended(narrow, 1e6)["b"] == pytest.approx(0.8, rel=1e-4)
    assert mended(narrow, BELIEF)["a"] == pytest.approx(0.8**-0.5)
    assert 1 < mended(narrow, 2)["a"] < mended(narrow, 20)["a"] < 1.25


@pytest.mark.parametrize("ratio", [float("nan"), 0.0, float("inf")])
def test_what_has_no_error_or_no_spread_is_left(ratio) -> None:
    assert mended({"a": ratio}, 30) == {"a": 1.0}

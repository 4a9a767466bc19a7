"""What is made once for a key, and what goes when there is no more room."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from finescale.fields.kept import Kept


def test_the_latest_stay() -> None:
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return name * 3

    kept: Kept[str, str] = Kept(6, len)
    for name in ("a", "b", "a", "c"):
        assert kept(name, lambda name=name: make(name)) == name * 3
    assert made == ["a", "b", "c"]
    assert kept("a", lambda: make("a")) == "aaa"
    assert kept("b", lambda: make("b")) == "bbb"
    assert made == ["a", "b", "c", "b"]


def test_what_is_larger_than_the_room_serves_until_the_next() -> None:
    kept: Kept[int, str] = Kept(2, len)
    assert kept(1, lambda: "large") == kept(1, lambda: pytest.fail("made twice")) == "large"
    assert kept(2, lambda: "x") == "x"
    assert kept(1, lambda: "again") == "again"


def test_threads_that_want_the_same_wait_for_one_and_others_do_not() -> None:
    kept: Kept[str, str] = Kept(10)
    begun, go, made = threading.Event(), threading.Event(), []

    def slow() -> str:
        begun.set()
        assert go.wait(10)
        made.append(1)
        return "slow"

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(kept, "slow", slow) for _ in range(2)]
        assert begun.wait(10)
        assert kept("quick", lambda: "quick") == "quick"
        go.set()
        assert [each.result() for each in both] == ["slow", "slow"]
    assert made == [1]


def test_a_failure_is_told_and_not_kept() -> None:
    kept: Kept[str, float] = Kept(10)
    with pytest.raises(ZeroDivisionError):
        kept("a", lambda: 1 / 0)
    assert kept("a", lambda: 1.0) == 1.0

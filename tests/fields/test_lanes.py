"""Groups side by side: how many, in what order, and what an error does to the others."""

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from finescale.fields.lanes import each, lanes, side_by_side


def test_a_group_has_the_cores_that_torch_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finescale.fields.lanes.cores", lambda: 8)
    found = []
    for threads in (1, 2, 3, 16):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        found.append(lanes("cpu", 6))
    assert found == [2, 2, 2, 1]
    assert lanes("cpu", 1) == 1
    assert lanes("cuda", 6) == 1


@pytest.fixture(params=[1, 2])
def count(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("finescale.fields.lanes.lanes", lambda device, jobs: request.param)
    return int(request.param)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finescale.fields.lanes.lanes", lambda device, jobs: 2)


def test_every_step_is_taken(count: int) -> None:
    taken: list[tuple[int, int]] = []

    def group(number: int) -> Iterator[None]:
        for step in range(3):
            taken.append((number, step))
            yield

    side_by_side([group(n) for n in range(5)], "cpu")
    assert sorted(taken) == [(n, step) for n in range(5) for step in range(3)]
    for n in range(5):
        assert [step for number, step in taken if number == n] == [0, 1, 2]


def test_results_come_in_order(count: int) -> None:
    assert list(each(lambda n: 10 * n, range(7), "cpu")) == [0, 10, 20, 30, 40, 50, 60]
    with pytest.raises(ZeroDivisionError):
        list(each(lambda n: 1 / n, [1, 0, 2], "cpu"))


def test_two_groups_are_under_way_at_once(two: None) -> None:
    meet, met = threading.Barrier(2, timeout=10), []

    def group() -> Iterator[None]:
        met.append(meet.wait())
        yield

    side_by_side([group(), group()], "cpu")
    assert sorted(met) == [0, 1]


def test_an_error_ends_the_others(two: None) -> None:
    begun, steps, most = threading.Event(), [], 500

    def long() -> Iterator[None]:
        for _ in range(most):
            begun.set()
            steps.append(1)
            time.sleep(0.01)
            yield

    def failing() -> Iterator[None]:
        assert begun.wait(10)
        raise ValueError("this one")
        yield

    with pytest.raises(ValueError, match="this one"):
        side_by_side([long(), failing(), long()], "cpu")
    assert 0 < len(steps) < most

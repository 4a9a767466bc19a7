"""What a request will cost, and how far it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True)
class Plan:
    """What a request will cost.

    Attributes:
        evaluations: windows given to the network, forward passes.
        minutes: of wall time, from one batch measured here.
        memory: bytes of state held at once.
        disk: bytes of the ensemble.
    """

    evaluations: int
    minutes: float
    memory: int
    disk: int


class Counter:
    """Adds up evaluations of any threads and passes them on."""

    def __init__(self, total: int, report: Callable[[int, int], None] | None) -> None:
        self.done, self.total, self.report = 0, total, report
        self._lock = Lock()

    def __call__(self, count: int) -> None:
        """Add evaluations that were done."""
        with self._lock:
            self.done += count
            if self.report is not None:
                self.report(min(self.done, self.total), self.total)


def seconds(call: Callable[[], object]) -> float:
    """What the second of two calls takes; the first one warms up."""
    for _ in range(2):
        begin = time.perf_counter()
        call()
        took = time.perf_counter() - begin
    return took

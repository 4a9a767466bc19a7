"""Work side by side in threads that torch leaves free.

Most steps of a network or of a guidance are too small for several threads of torch: two lanes on two cores, a thread
each, draw 1.5 times as fast as one with two, and what a lane makes does not depend on the others, bit by bit. What
threads have freed is handed back when they end, for others would not use it again.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event
from typing import TypeVar

import torch

from finescale.fields.allocator import hand_back
from finescale.fields.cores import cores

# However many cores there are: each lane holds its own state in memory.
MOST = 2
Item = TypeVar("Item")
Result = TypeVar("Result")


def lanes(device: torch.device | str, jobs: int) -> int:
    """Jobs that are done at once: each has as many cores as torch takes threads."""
    if torch.device(device).type != "cpu":
        return 1
    return max(1, min(jobs, MOST, cores() // torch.get_num_threads()))


def each(
    function: Callable[[Item], Result], items: Sequence[Item], device: torch.device | str
) -> Iterator[Result]:
    """Results in order, of a function that keeps to itself; whether gradients are wanted it must say itself."""
    with ThreadPoolExecutor(lanes(device, len(items))) as pool:
        yield from pool.map(function, items)
    hand_back()


def side_by_side(jobs: Sequence[Iterator[None]], device: torch.device | str) -> None:
    """Take every step of every job; the first error ends all at their next step."""
    over = Event()

    def go(job: Iterator[None]) -> None:
        for _ in job:
            if over.is_set():
                return

    with ThreadPoolExecutor(lanes(device, len(jobs))) as pool:
        going = [pool.submit(go, job) for job in jobs]
        try:
            for done in as_completed(going):
                done.result()
        except BaseException:
            over.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    hand_back()

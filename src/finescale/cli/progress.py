"""Progress for people: a bar with the time left on a terminal, a line now and then anywhere else."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PAUSE = 5.0  # seconds between lines where nobody sees a bar


@contextmanager
def reporter(name: str) -> Iterator[Callable[[str, int, int], None]]:
    """A function to tell ``(what, done, total)``; nothing is shown in the first two seconds."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(f"{name}: {{task.description}}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    start = time.monotonic()
    with Progress(*columns, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks and time.monotonic() - start > 2.0:
                tasks[what] = bars.add_task(what, total=total)
            if what in tasks:
                bars.update(tasks[what], completed=done, total=total)

        yield show


def _lines() -> Callable[[str, int, int], None]:
    begun: dict[str, float] = {}
    last = [time.monotonic()]

    def show(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        start = begun.setdefault(what, now)
        if now - last[0] >= PAUSE and 0 < done < total:
            last[0] = now
            left = (now - start) / done * (total - done)
            print(f"progress: {what} {done}/{total}, about {left:.0f} s left", flush=True)

    return show

"""What a running stage or piece says: lines of the task's log, and bars in Prefect's pages."""

import math
import re
import time
from typing import cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from finescale.errors import FinescaleError

PAUSE = 5.0  # seconds between two moves of a bar
PROGRESS = re.compile(r"progress: (?P<what>.+) (?P<done>\d+)/(?P<total>\d+)")


class Watcher:
    """Listens to the lines of a log; the first line of progress of each kind makes a bar."""

    def __init__(self, name: str, hours: float = math.inf) -> None:
        self.name, self.hours = name, hours
        self._log = get_run_logger()
        self._bars: dict[str, UUID] = {}
        self._begun = self._last = time.monotonic()

    def __call__(self, text: str) -> None:
        """Take one line."""
        self._log.info(text)
        if found := PROGRESS.match(text):
            self._show(found["what"], 100 * int(found["done"]) / max(1, int(found["total"])))

    def progress(self, what: str, done: int, total: int) -> None:
        """Take a step of work that is done in this process, in time; steps in quick succession are let pass."""
        if time.monotonic() - self._begun > 3600 * self.hours:
            raise FinescaleError(
                f"{what} must end within {self.hours:g} h: {self.name} was at {done} of {total}; run again with more "
                "hours, it goes on from its notes"
            )
        if time.monotonic() - self._last >= PAUSE:
            self._last = time.monotonic()
            self._show(what, 100 * done / max(1, total))

    def finish(self) -> None:
        """Fill every bar."""
        for what in self._bars:
            self._show(what, 100.0)

    def _show(self, what: str, percent: float) -> None:
        if what in self._bars:
            update_progress_artifact(self._bars[what], percent)
            return
        key = re.sub("[^a-z0-9]+", "-", f"{self.name} {what}".lower()).strip("-")
        bar = create_progress_artifact(percent, key=key, description=f"{self.name}: {what}")
        self._bars[what] = cast(UUID, bar)

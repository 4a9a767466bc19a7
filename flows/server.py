"""Programs that stay up: each has a file with its id, is started once, and is ended by exactly that id."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from finescale.errors import FinescaleError

GRACE = 20.0  # seconds between asking and killing


@dataclass(frozen=True)
class Server:
    """One program: its name, how it is started, and the folder of its id and its log."""

    name: str
    command: Sequence[str]
    folder: Path

    @property
    def _note(self) -> Path:
        return self.folder / f"{self.name}.json"

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def process(self) -> psutil.Process | None:
        """The running program; an id that now belongs to another program is not it."""
        with suppress(FileNotFoundError, psutil.NoSuchProcess):
            note = json.loads(self._note.read_text(encoding="utf-8"))
            found = psutil.Process(note["pid"])
            if found.create_time() == note["since"] and found.status() != psutil.STATUS_ZOMBIE:
                return found
        return None

    def start(self, home: Path, environment: Mapping[str, str]) -> None:
        """Start it, unless it runs."""
        if self.process():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {"cwd": home, "env": dict(environment), "stdin": subprocess.DEVNULL}
        with self._log.open("ab") as log:
            begun = subprocess.Popen(self.command, stdout=log, stderr=log, start_new_session=True, **options)  # noqa: S603
        note = {"pid": begun.pid, "since": psutil.Process(begun.pid).create_time()}
        self._note.write_text(json.dumps(note), encoding="utf-8")

    def check(self) -> None:
        """Raise with the end of its log when it has ended by itself."""
        if self.process() is None:
            said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
            raise FinescaleError(
                f"the {self.name} must stay up: it ended; {self._log} says: {' | '.join(said)}"
            )

    def stop(self) -> bool:
        """End it and all that it started: asked first, killed if it lingers; tells whether it ran."""
        found = self.process()
        if found is not None:
            family = [found, *found.children(recursive=True)]
            for _ in range(2):  # a worker whose server has gone wants to be told twice
                with suppress(ProcessLookupError):
                    os.killpg(found.pid, signal.SIGTERM)
                _, family = psutil.wait_procs(family, timeout=GRACE / 2)
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(family, timeout=GRACE / 2)
        self._note.unlink(missing_ok=True)
        return found is not None

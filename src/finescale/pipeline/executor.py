"""How a stage is run: through DVC, which decides whether it must, or directly without it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from finescale.errors import FinescaleError
from finescale.pipeline.run import run_stage
from finescale.pipeline.stage import Stage
from finescale.settings import Settings

State = Literal["Completed", "Restored", "Skipped"]
Line = Callable[[str], None]

# What DVC says, in order of strength: the strongest word of a stage's log is its state.
WORDS: tuple[tuple[str, State], ...] = (
    ("Running stage", "Completed"),
    ("is cached - skipping run", "Restored"),
)
BUSY = "Unable to acquire lock"
PATIENCE = 600.0  # seconds to wait for another door that is writing dvc.lock


@dataclass(frozen=True)
class Outcome:
    """What became of a stage."""

    stage: str
    state: State
    seconds: float


class StageFailed(FinescaleError):
    """A stage that ended badly; the message is its own last words."""

    def __init__(self, stage: str, message: str, code: int) -> None:
        super().__init__(message)
        self.stage, self.code = stage, code


class StageExecutor(Protocol):
    """Runs one stage whose inputs are there."""

    def run(self, stage: Stage, line: Line) -> Outcome:
        """Run the stage if it must run; every line of its log goes to ``line``."""
        ...


@dataclass(frozen=True)
class DirectExecutor:
    """Calls the stage's function in this process: no DVC, no cache, always runs."""

    root: Path
    settings: Settings

    def run(self, stage: Stage, line: Line) -> Outcome:
        """Run the stage."""
        start = time.monotonic()
        run_stage(self.root, stage, self.settings, lambda what, done, total: line(f"{what} {done}/{total}"))
        return Outcome(stage.name, "Completed", time.monotonic() - start)


@dataclass(frozen=True)
class DvcExecutor:
    """Asks DVC for the stage: it runs, is restored from the cache, or is left alone."""

    root: Path

    def run(self, stage: Stage, line: Line) -> Outcome:
        """Reproduce the stage, waiting while another door holds DVC's lock."""
        start = time.monotonic()
        while True:
            code, log = self._repro(stage.name, line)
            if code == 0:
                return Outcome(stage.name, _state(log), time.monotonic() - start)
            if not any(BUSY in text for text in log) or time.monotonic() - start > PATIENCE:
                raise StageFailed(
                    stage.name, last_words(stage.name, log), 2 if any(_ours(t) for t in log) else 1
                )
            time.sleep(1.0)

    def _repro(self, name: str, line: Line) -> tuple[int, list[str]]:
        command = [sys.executable, "-m", "dvc", "repro", "--single-item", name]
        log: list[str] = []
        with subprocess.Popen(  # noqa: S603 - our own command
            command,
            cwd=self.root,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                for raw in process.stdout:
                    if text := raw.rstrip():
                        log.append(text)
                        if BUSY not in text:
                            line(text)
            except BaseException:
                process.terminate()
                raise
        return process.returncode, log


def environment() -> dict[str, str]:
    """The environment of every process a door starts: this Python's programs first, nobody told of it."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}


def last_words(name: str, log: list[str]) -> str:
    """The stage's own error message, or the end of its log where it had none."""
    ours = [text.removeprefix("error: ") for text in log if _ours(text)]
    return ours[-1] if ours else f"stage {name} failed: " + " | ".join(log[-3:])


def _state(log: list[str]) -> State:
    return next((state for word, state in WORDS if any(word in text for text in log)), "Skipped")


def _ours(text: str) -> bool:
    return text.startswith("error: ")

"""How a stage is run: through DVC, which decides whether it must, or directly without it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
BUSY = "Unable to acquire lock"  # another door is writing dvc.lock
BLOCKED = "is being blocked by"  # another door is at work on a file that the stage reads or writes
PATIENCE = (
    600.0  # seconds to wait where DVC is busy; work on a file may take days, a training's say, and is awaited
)
PAUSES = (1.0, 15.0)  # seconds between two tries, the first and the longest: each try starts DVC
GRACE = 8.0  # seconds that a stopped stage has to tidy up


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

    def stop(self) -> None:
        """End what runs now and begin nothing more; called from another thread."""
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

    def stop(self) -> None:
        """Nothing: the stage runs in this process and ends with it."""


class DvcExecutor:
    """Asks DVC for the stage: it runs, is restored from the cache, or is left alone.

    Args:
        root: The project.
        limit: Seconds after which a stage is stopped; None for never.
    """

    def __init__(self, root: Path, limit: float | None = None) -> None:
        self.root, self.limit = root, limit
        self._stopped = threading.Event()
        self._running: set[subprocess.Popen[str]] = set()

    def run(self, stage: Stage, line: Line) -> Outcome:
        """Reproduce the stage, waiting while another door holds DVC's lock."""
        start = time.monotonic()
        pause, told = PAUSES[0], False
        while not self._stopped.is_set():
            code, log = self._repro(stage.name, line)
            if code == 0:
                return Outcome(stage.name, _state(log), time.monotonic() - start)
            holder = blocked(log)
            if holder and not told:
                line(f"note: {holder}; waiting for it")
                told = True
            waits = holder or (any(BUSY in t for t in log) and time.monotonic() - start <= PATIENCE)
            if not waits:
                raise StageFailed(
                    stage.name, last_words(stage.name, log), 2 if any(_ours(t) for t in log) else 1
                )
            self._stopped.wait(pause)
            pause = min(2 * pause, PAUSES[1])
        raise StageFailed(stage.name, f"stage {stage.name} was stopped; the next run goes on from here", 2)

    def stop(self) -> None:
        """Interrupt the stages that run, as Ctrl-C would; those that do not end soon are killed."""
        self._stopped.set()
        for process in tuple(self._running):
            _signal(process, signal.SIGINT)
        for process in tuple(self._running):
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
            _signal(process, signal.SIGKILL)

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
            start_new_session=True,  # a group of its own, so that all of it can be stopped
        ) as process:
            assert process.stdout is not None
            with self._watched(process) as late:
                for raw in process.stdout:
                    if text := raw.rstrip():
                        log.append(text)
                        if not any(word in part for part in log for word in (BUSY, BLOCKED)):
                            line(text)
        if late.is_set():
            log.append(f"error: a stage ends within {self.limit:.0f} s: {name} did not; allow it more time")
        if self._stopped.is_set():
            log.append(f"error: stage {name} was stopped; the next run goes on from here")
        return process.returncode, log

    @contextmanager
    def _watched(self, process: "subprocess.Popen[str]") -> Iterator[threading.Event]:
        """See to it that a process ends in time, and with this one; tells whether it was late."""
        late = threading.Event()

        def stop() -> None:
            late.set()
            _signal(process, signal.SIGKILL)

        timer = threading.Timer(self.limit or 0.0, stop)
        self._running.add(process)
        try:
            if self.limit:
                timer.start()
            yield late
        except BaseException:
            _signal(process, signal.SIGKILL)
            raise
        finally:
            timer.cancel()
            process.wait()
            self._running.discard(process)


def environment() -> dict[str, str]:
    """The environment of every process a door starts: this Python's programs first, nobody told of it."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}


def blocked(log: list[str]) -> str | None:
    """Which other door DVC says to be at work on a file, as a phrase; None where it says nothing of the kind."""
    where = next((n for n, text in enumerate(log) if BLOCKED in text), None)
    if where is None:
        return None
    who = [text.strip() for text in log[where + 1 :] if text.strip().startswith("(PID ")]
    return f"another door is working here {' '.join(who[:1])}".rstrip()


def _signal(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    """Tell a process and all that it started, some of which may outlive it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def last_words(name: str, log: list[str]) -> str:
    """The stage's own error message, or the end of its log where it had none."""
    ours = [text.removeprefix("error: ") for text in log if _ours(text)]
    return ours[-1] if ours else f"stage {name} failed: " + " | ".join(log[-3:])


def _state(log: list[str]) -> State:
    return next((state for word, state in WORDS if any(word in text for text in log)), "Skipped")


def _ours(text: str) -> bool:
    return text.startswith("error: ")

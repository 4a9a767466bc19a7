"""Walking the ledger: order, side by side, failures, and what DVC's words mean."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from finescale.errors import FinescaleError
from finescale.pipeline import executor
from finescale.pipeline.executor import DvcExecutor, Outcome, StageFailed, last_words
from finescale.pipeline.project import Project
from finescale.pipeline.stage import Stage
from finescale.pipeline.walk import walk


def stage(name: str, reads: tuple[str, ...] = ()) -> Stage:
    return Stage(name, "world.make", reads, (name,))


class Recorder:
    """An executor that notes when each stage begins and ends."""

    def __init__(self, broken: str = "") -> None:
        self.events: list[tuple[str, str]] = []
        self.broken = broken
        self.most = 0
        self.now = 0
        self.lock = threading.Lock()

    def run(self, stage: Stage, line) -> Outcome:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.events.append(("begin", stage.name))
        time.sleep(0.05)
        with self.lock:
            self.now -= 1
            self.events.append(("end", stage.name))
        if stage.name == self.broken:
            raise FinescaleError(f"{stage.name} broke")
        return Outcome(stage.name, "Completed", 0.0)

    def stop(self) -> None:
        self.events.append(("stop", ""))


STAGES = (stage("a"), stage("b", ("a",)), stage("c", ("a",)), stage("d", ("b", "c")))


def test_a_stage_begins_after_those_it_reads_from() -> None:
    recorder = Recorder()
    outcomes = walk(STAGES, recorder, workers=2, tell=lambda *_: None, done=lambda _: None)
    assert {o.stage for o in outcomes} == {"a", "b", "c", "d"}
    place = {event: k for k, event in enumerate(recorder.events)}
    assert place["end", "a"] < place["begin", "b"]
    assert max(place["end", "b"], place["end", "c"]) < place["begin", "d"]
    assert recorder.most == 2


def test_one_worker_runs_one_at_a_time() -> None:
    recorder = Recorder()
    walk(STAGES, recorder, workers=1, tell=lambda *_: None, done=lambda _: None)
    assert recorder.most == 1


def test_a_failure_stops_what_follows() -> None:
    recorder = Recorder(broken="b")
    with pytest.raises(FinescaleError, match="b broke"):
        walk(STAGES, recorder, workers=1, tell=lambda *_: None, done=lambda _: None)
    assert ("begin", "d") not in recorder.events


def test_an_interruption_stops_what_runs() -> None:
    recorder = Recorder()

    def interrupt(_: Outcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        walk(STAGES, recorder, workers=1, tell=lambda *_: None, done=interrupt)
    assert recorder.events == [("begin", "a"), ("end", "a"), ("stop", "")]


def slow(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a shell command stand for DVC."""
    real = executor.subprocess.Popen
    monkeypatch.setattr(
        executor.subprocess, "Popen", lambda _, **options: real(["/bin/sh", "-c", command], **options)
    )


def test_a_stage_that_takes_too_long_is_stopped_with_all_that_it_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow(f"sleep 60 & echo $! > {tmp_path}/pid; wait", monkeypatch)
    start = time.monotonic()
    with pytest.raises(StageFailed, match="a stage ends within 1 s: coarsen did not"):
        DvcExecutor(tmp_path, limit=1.0).run(stage("coarsen"), lambda _: None)
    assert time.monotonic() - start < 10
    assert_gone(int((tmp_path / "pid").read_text()))


def test_stop_ends_what_runs_and_begins_nothing_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow(f"sleep 60 & echo $! > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/pid; wait", monkeypatch)
    dvc = DvcExecutor(tmp_path)
    failed: list[str] = []

    def run() -> None:
        try:
            dvc.run(stage("coarsen"), lambda _: None)
        except StageFailed as error:
            failed.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    while not (tmp_path / "pid").exists():
        time.sleep(0.01)
    dvc.stop()
    thread.join(20)
    assert failed == ["stage coarsen was stopped; the next run goes on from here"]
    assert_gone(int((tmp_path / "pid").read_text()))
    with pytest.raises(StageFailed, match="was stopped"):
        dvc.run(stage("coarsen"), lambda _: None)


def assert_gone(pid: int) -> None:
    """Wait until a process has ended; a zombie has."""
    for _ in range(100):
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().split(")")[1].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} still runs")


def test_inputs_from_outside_count_as_there() -> None:
    recorder = Recorder()
    walk(STAGES[3:], recorder, workers=2, tell=lambda *_: None, done=lambda _: None)
    assert recorder.events == [("begin", "d"), ("end", "d")]


@pytest.mark.parametrize(
    ("log", "state"),
    [
        (["Running stage 'coarsen':", "> finescale stage coarsen"], "Completed"),
        (["Stage 'coarsen' is cached - skipping run, checking out outputs"], "Restored"),
        (["Stage 'coarsen' didn't change, skipping"], "Skipped"),
    ],
)
def test_what_dvc_says_becomes_a_state(log: list[str], state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DvcExecutor, "_repro", lambda self, name, line: (0, log))
    assert DvcExecutor(Path()).run(stage("coarsen"), lambda _: None).state == state


def test_a_held_lock_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(1, ["ERROR: Unable to acquire lock. Most likely another DVC process is running"]), (0, [])]
    monkeypatch.setattr(DvcExecutor, "_repro", lambda self, name, line: answers.pop(0))
    monkeypatch.setattr(executor, "PAUSES", (0.0, 0.0))
    assert DvcExecutor(Path()).run(stage("coarsen"), lambda _: None).state == "Skipped"
    assert answers == []


HELD = [
    "ERROR: failed to reproduce 'coarsen': 'data/reference.zarr' is busy, it is being blocked by:",
    "  (PID 8700): dvc repro --single-item train-pixel",
    "If there are no processes with such PIDs, you can manually remove '.dvc/tmp/rwlock' and try again.",
]


def test_a_door_that_works_for_hours_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, said = [(255, HELD), (255, HELD), (0, [])], []
    monkeypatch.setattr(DvcExecutor, "_repro", lambda self, name, line: answers.pop(0))
    monkeypatch.setattr(executor, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(executor, "PATIENCE", -1.0)
    assert DvcExecutor(Path()).run(stage("coarsen"), said.append).state == "Skipped"
    who = "(PID 8700): dvc repro --single-item train-pixel"
    assert said == [f"note: another door is working here {who}; waiting for it"]


def test_what_dvc_says_of_its_locks_is_not_passed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("\n".join(["Running", *HELD]), encoding="utf-8")
    slow(f"cat {tmp_path}/log; exit 255", monkeypatch)
    said: list[str] = []
    assert DvcExecutor(tmp_path)._repro("coarsen", said.append)[0] == 255
    assert said == ["Running"]


def test_show_says_that_another_door_is_working(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer = subprocess.CompletedProcess([], 255, "", "\n".join(HELD))
    monkeypatch.setattr("finescale.pipeline.project.subprocess.run", lambda *_, **__: answer)
    with pytest.raises(FinescaleError, match=r"another door is working here \(PID 8700\)"):
        Project(tmp_path).stale()


def test_a_failure_carries_the_stages_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    log = [
        "Running stage 'coarsen':",
        "error: the grid does not nest",
        "ERROR: failed to reproduce 'coarsen'",
    ]
    monkeypatch.setattr(DvcExecutor, "_repro", lambda self, name, line: (255, log))
    with pytest.raises(StageFailed) as caught:
        DvcExecutor(Path()).run(stage("coarsen"), lambda _: None)
    assert str(caught.value) == "the grid does not nest"
    assert caught.value.code == 2


def test_a_failure_without_words_shows_the_end_of_the_log() -> None:
    assert last_words("x", ["a", "b", "c", "d"]) == "stage x failed: b | c | d"


def test_other_processes_find_this_python_first() -> None:
    assert executor.environment()["PATH"].split(":")[0] == str(Path(sys.executable).parent)

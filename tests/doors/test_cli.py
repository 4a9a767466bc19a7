"""The command line: quick to help, plain about mistakes, never half a result."""

import errno
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finescale import cli
from finescale.pipeline import store
from finescale.pipeline.desk import Desk

from .conftest import Project, environment

COMMANDS = [
    "run",
    "stage",
    "show",
    "dvcfile",
    "report",
    "register",
    "downscale",
    "produce",
    "publish",
    "promote",
    "rollback",
    "catalogue",
    "registry",
]
HEAVY = {
    "torch",
    "mlflow",
    "prefect",
    "great_expectations",
    "xarray",
    "pandas",
    "numpy",
    "dvc",
    "xsdba",
    "intake_esm",
}


def call(monkeypatch: pytest.MonkeyPatch, root: Path, *arguments: str) -> int:
    """Run the command line in this process, in a folder; gives its exit code."""
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["finescale", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def files(root: Path) -> set[str]:
    skipped = ("cache", "tmp", ".prefect", "__pycache__")
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if not any(s in p.parts for s in skipped)}


def test_help_is_quick_and_imports_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys; sys.argv = ['finescale', '--help']\nfrom finescale.cli import main\n"
    code += "try:\n    main()\nexcept SystemExit:\n    pass\nprint('MODULES', *sys.modules)"
    taken = []
    for _ in range(3):
        start = time.process_time(), time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=environment(tmp_path),
        )
        taken.append(time.monotonic() - start[1])
    shown, _, modules = done.stdout.partition("MODULES")
    assert all(re.search(rf"^\s+{command}\b", shown, re.MULTILINE) for command in COMMANDS)
    assert HEAVY.isdisjoint(modules.split())
    assert min(taken) < 1.0


@pytest.mark.parametrize("command", [*COMMANDS, "catalogue search", "registry relocate"])
def test_every_command_explains_itself(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, tmp_path, *command.split(), "--help") == 0
    assert "Usage: finescale" in capsys.readouterr().out


def test_a_misspelt_parameter(project: Project) -> None:
    text = (project.root / "params.yaml").read_text(encoding="utf-8")
    (project.root / "params.yaml").write_text(text.replace("quantiles:", "quantile:"), encoding="utf-8")
    before = files(project.root)
    for command in (["run"], ["stage", "coarsen"], ["show"], ["dvcfile"]):
        done = project.finescale(*command, check=False)
        assert done.returncode == 2
        expected = (
            r"error: params\.yaml, line \d+: unknown key correct\.quantile; did you mean quantiles\?.*\n"
        )
        assert re.fullmatch(expected, done.stderr)
    assert files(project.root) == before


def test_the_flow_names_a_misspelt_parameter(project: Project) -> None:
    project.set(correct={"method": "eqm", "calibration": ["2001-01-01", "2001-04-10"], "windw": 35})
    code = "import sys; from pathlib import Path; from flows import build, embedded, forms; "
    code += "sys.exit(embedded.run(build.build, forms.Build(root=Path.cwd())))"
    done = project.call(sys.executable, "-c", code, check=False)
    assert done.returncode == 2
    assert [
        line
        for line in done.stderr.splitlines()
        if line.startswith("error: ") and "did you mean window?" in line
    ]
    assert "Traceback" not in done.stderr


def test_an_unknown_stage_lists_the_known_ones(project: Project) -> None:
    done = project.finescale("stage", "downscale", check=False)
    assert done.returncode == 2
    assert "no stage downscale; there are: world, ingest-reference" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_catalogue(project: Project) -> None:
    body = (project.root / "params.yaml").read_text(encoding="utf-8")
    start, end = body.index("world:"), body.index("data:")
    (project.root / "params.yaml").write_text(body[:start] + body[end:], encoding="utf-8")
    project.set(data__catalogue="nowhere/catalogue.json")
    project.finescale("dvcfile")
    for command in (["stage", "ingest-reference"], ["run", "--direct", "ingest-reference"], ["run"]):
        done = project.finescale(*command, check=False)
        assert done.returncode == 2, done.stderr
        assert "nowhere/catalogue.json" in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.count("error:") == 1
    assert not list((project.root / "data").glob(".*.draft"))


def test_a_corrupt_chunk(project: Project) -> None:
    chunk = max(
        (project.root / "data" / "reference.zarr" / "tas" / "c").rglob("*"), key=lambda p: p.stat().st_size
    )
    body = bytearray(chunk.read_bytes())
    body[100:3000] = bytes(2900)
    chunk.write_bytes(body)
    done = project.finescale("stage", "coarsen", check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "data/reference.zarr" in done.stderr
    assert (project.root / "data" / "coarse-reference.zarr").is_dir(), "the old artefact stays"
    # DVC sees that the file is not what it was, and brings the whole one back.
    assert "Restored   harmonise-reference" in project.finescale("run").stdout


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EROFS, "the disk is read-only"), (errno.ENOSPC, "the disk is full")]
)
def test_a_disk_that_cannot_be_written(
    project: Project,
    number: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = project.locked(), files(project.root / "data")
    whole = store.save_dataset

    def fail(ds: object, path: Path) -> None:
        whole(ds, path)  # type: ignore[arg-type]
        raise OSError(number, "no", str(path))

    monkeypatch.setattr(store, "save_dataset", fail)
    assert call(monkeypatch, project.root, "stage", "coarsen") == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: cannot write, {words}")
    assert message.count("\n") == 1
    assert (project.locked(), files(project.root / "data")) == before


def test_a_folder_that_cannot_be_made(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(self: Desk, name: str) -> Path:
        raise PermissionError(errno.EACCES, "no", "data")

    monkeypatch.setattr(Desk, "new", refuse)
    assert call(monkeypatch, project.root, "stage", "coarsen") == 2
    assert "permission denied: data" in capsys.readouterr().err


def test_show_tells_what_is_stale_and_why(project: Project) -> None:
    assert "stages are up to date" in project.finescale("show").stdout
    project.set(correct__quantiles=10)
    shown = project.finescale("show").stdout
    assert "stale correct-360day" in shown
    assert "because setting correct.quantiles: 20 -> 10" in shown
    assert "waits downscale-bcsd" in shown
    assert "after correct-360day" in shown
    assert "fresh coarsen" in shown
    project.set(correct__quantiles=20)
    store.remove(project.root / "data" / "corrected-360day.zarr")
    shown = project.finescale("show").stdout
    assert "because output data/corrected-360day.zarr deleted" in shown
    assert "waits report" in shown or "stale report" in shown


def test_the_verdict_without_a_scorecard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, tmp_path, "report") == 2
    assert "a verdict needs a scorecard" in capsys.readouterr().err


def test_direct_runs_need_no_dvc(project: Project) -> None:
    store.remove(project.root / ".dvc")
    log = project.finescale("run", "--direct", "coarsen").stdout
    assert "Completed  coarsen" in log

"""The produce flow on a cluster of two workers, one killed while it draws: the product is that of a quiet run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import yaml
from distributed import Client

from finescale.service.check import check
from finescale.service.run import produce
from finescale.settings import Production

from .test_production import stores

ROOT = Path(__file__).resolve().parents[2]
PIECES = 2 * 2 * 4  # climate models, scenarios, blocks of two members
READER = """
import json, sys, intake
cat = intake.open_esm_datastore(sys.argv[1])
found = cat.search(table_id="1hr", variable_id="tas").to_dataset_dict(progressbar=False)
shapes = {key: [ds.sizes["member"], ds.sizes["time"]] for key, ds in found.items()}
assert all(bool(ds["tas"].notnull().all()) for ds in found.values())
assert not any(name.startswith("finescale") for name in sys.modules)
print(json.dumps([list(shapes.values()), len(cat.df)]))
"""


@pytest.fixture
def project(built: Path, tmp_path: Path) -> Path:
    """A copy whose settings ask for the whole production on two workers."""
    root = tmp_path / "a project"
    shutil.copytree(built, root)
    body = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    body["production"] = {
        "model": "models/gaussian",
        "scenarios": ["ssp245", "historical"],
        "periods": [["2015-01-10", "2015-01-14"], ["2001-01-12", "2001-01-16"]],
        "members": 8,
        "block": 2,
        "seed": 5,
        "out": "product",
    }
    body["cluster"] = {"workers": 2}
    (root / "params.yaml").write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
    return root


def change(root: Path, **sections: dict[str, object]) -> dict[str, object]:
    """Change sections of a project's settings; gives that of the production."""
    body = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    for name, values in sections.items():
        body[name] = body[name] | values
    (root / "params.yaml").write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
    found: dict[str, object] = body["production"]
    return found


def environment(root: Path) -> dict[str, str]:
    """Of the flow and of workers that do what it asks."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT))),
        "PREFECT_HOME": str(root.parent / "prefect"),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "240",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "true",
    }


def begin(root: Path) -> subprocess.Popen[bytes]:
    """Start the flow, its own server with it, in a session of its own."""
    with (root.parent / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "flows.produce"], cwd=root, env=environment(root), stdout=log, stderr=log
        )


def drawing(flow: psutil.Process, locks: Path) -> psutil.Process | None:
    """A worker of the flow that holds the lock of a piece."""
    for process in flow.children(recursive=True):
        try:
            if any(Path(file.path).is_relative_to(locks) for file in process.open_files()):
                return process
        except psutil.Error:
            continue
    return None


def kill_one(flow: subprocess.Popen[bytes], root: Path) -> int:
    """Wait until some pieces are there and a further one is being drawn, and kill who draws it."""
    family, out = psutil.Process(flow.pid), root / "product"
    while flow.poll() is None:
        victim = drawing(family, out / ".work" / "locks")
        if victim is not None and 3 <= len(list((out / "stores").rglob("members-*.json"))) < PIECES - 3:
            os.kill(victim.pid, signal.SIGKILL)
            return victim.pid
        time.sleep(0.02)
    raise AssertionError((root.parent / "log").read_text())


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(project: Path) -> None:
    flow = begin(project)
    try:
        pid = kill_one(flow, project)
        assert flow.wait(400) == 0, (project.parent / "log").read_text()[-4000:]
    finally:
        flow.kill()
    assert not psutil.pid_exists(pid)
    assert "worker" in (project.parent / "log").read_text().lower()
    out = project / "product"
    body = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    # Each scenario has one of the two periods; the piece of the killed worker was drawn by another, or found whole.
    assert body["counts"]["failed"] == 0
    assert body["counts"]["produced"] + body["counts"]["kept"] == PIECES
    assert body["counts"]["skipped"] == PIECES
    done = [entry for entry in body["pieces"] if entry["state"] in ("produced", "kept")]
    assert {(e["piece"].split("/")[0], e["piece"].split("/")[1]) for e in done} == {
        (gcm, scenario) for gcm in ("alpha", "beta") for scenario in ("ssp245", "historical")
    }

    settings = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    quiet = Production.model_validate(settings["production"] | {"out": "quiet"})
    serial = produce(project, quiet)
    assert stores(project / "quiet") == stores(out)
    bare = [[{k: v for k, v in e.items() if k != "state"} for e in m["pieces"]] for m in (serial.body, body)]
    assert bare[0] == bare[1]
    assert serial.body["summaries"] == body["summaries"]
    assert check(out).startswith(f"product: {PIECES + 8} stores whole")

    env = {"PATH": os.environ["PATH"], "HOME": str(project.parent)}
    read = subprocess.run(
        [sys.executable, "-c", READER, str(out / "catalogue.json")],
        cwd=project.parent,
        env=env,
        capture_output=True,
        text=True,
    )
    assert read.returncode == 0, read.stderr[-2000:]
    shapes, rows = json.loads(read.stdout)
    assert shapes == [[8, 120]] * 4  # the blocks of a run joined to its eight members
    # Two fields in each hourly store; with the least and greatest values six in each summary.
    assert rows == 2 * PIECES + 6 * 8


@pytest.fixture
def standing(project: Path) -> Iterator[str]:
    """The address of a cluster that is there already: a scheduler and one worker, processes of their own."""
    told = project.parent / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    with (project.parent / "cluster").open("wb") as log, ExitStack() as ended:
        for words in (
            ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
            ["worker", "--host", "127.0.0.1", "--nthreads", "1", "--name", "standing", "--no-dashboard"],
        ):
            command = [*dask, *words, "--scheduler-file", str(told)]
            process = subprocess.Popen(command, cwd=project, env=environment(project), stdout=log, stderr=log)
            ended.callback(process.wait)
            ended.callback(process.terminate)
            end = time.monotonic() + 60
            while not told.exists() and time.monotonic() < end:
                time.sleep(0.1)
        yield json.loads(told.read_text(encoding="utf-8"))["address"]


@pytest.mark.slow
def test_a_cluster_that_is_there_draws_the_same(project: Path, standing: str) -> None:
    wanted = change(
        project, cluster={"address": standing}, production={"scenarios": ["ssp245"], "members": 2}
    )
    flow = begin(project)
    try:
        assert flow.wait(400) == 0, (project.parent / "log").read_text()[-4000:]
    finally:
        flow.kill()
    body = json.loads((project / "product" / "manifest.json").read_text(encoding="utf-8"))
    assert body["counts"]["produced"] == 2 and body["counts"]["failed"] == 0
    with Client(standing) as client:
        (done,) = client.run(lambda dask_worker: dask_worker.state.executed_count).values()
    assert done >= 2  # both pieces were drawn there
    produce(project, Production.model_validate(wanted | {"out": "quiet"}))
    assert stores(project / "quiet") == stores(project / "product")

"""The produce flow on a cluster of two workers, one killed while it draws: the product is that of a quiet run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from finescale.service.check import check
from finescale.service.run import produce

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


def begin(root: Path) -> subprocess.Popen[bytes]:
    """Start the flow, its own server with it, in a session of its own."""
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT))),
        "PREFECT_HOME": str(root.parent / "prefect"),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "240",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "true",
    }
    with (root.parent / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "flows.produce"], cwd=root, env=env, stdout=log, stderr=log
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
    from finescale.settings import Production

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

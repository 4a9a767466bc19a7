"""Command line, DVC and Prefect: whatever one door has done, the others find nothing to do."""

import json
import re

import pytest

from .conftest import Project

AFTER_BCSD = {"downscale-bcsd", "score", "report"}


def ran(log: str) -> set[str]:
    """Stages that DVC says it has run."""
    return set(re.findall(r"Running stage '([\w-]+)'", log))


def completed(log: str) -> set[str]:
    """Stages that the command line says have run."""
    return {line.split()[-3] for line in log.splitlines() if " Completed " in line}


def test_after_a_run_every_door_finds_nothing_to_do(project: Project) -> None:
    assert project.dvc("status").stdout.strip() == "Data and pipelines are up to date."
    assert ran(project.dvc("repro").stdout) == set()
    log = project.finescale("run").stdout
    assert completed(log) == set()
    assert log.count(" Skipped ") == len(project.finescale("show").stdout.split(" -> ")) - 1
    assert "holds this checkpoint already" not in log  # the copy has a registry of its own
    assert "holds this checkpoint already" in project.finescale("run").stdout


@pytest.mark.parametrize("door", ["command line", "dvc", "flow"])
def test_a_parameter_of_bcsd_reruns_it_and_what_follows(project: Project, door: str) -> None:
    before = project.locked()
    project.set(downscale__bcsd={"harmonics": 0})
    shown = project.finescale("show").stdout
    assert "because setting downscale.bcsd.harmonics: 1 -> 0" in shown
    if door == "command line":
        assert completed(project.finescale("run").stdout) == AFTER_BCSD
    elif door == "dvc":
        assert ran(project.dvc("repro").stdout) == AFTER_BCSD
    else:
        done = project.flow()
        assert ran(done.stdout + done.stderr) == AFTER_BCSD
    assert project.dvc("status").stdout.strip() == "Data and pipelines are up to date."
    assert completed(project.finescale("run").stdout) == set()
    changed = {path for path, md5 in project.locked().items() if before[path] != md5}
    assert "data/ensemble-bcsd-perfect.zarr" in changed
    assert not any("bilinear" in path or "reference" in path for path in changed)


@pytest.mark.parametrize("door", ["command line", "dvc", "flow"])
def test_a_deleted_output_comes_back_from_the_cache(project: Project, door: str) -> None:
    from finescale.pipeline.store import remove

    before = project.locked()
    lost = ["data/coarse-reference.zarr", "reports/index.html", "models/bcsd"]
    for path in lost:
        remove(project.root / path)
    if door == "command line":
        log = project.finescale("run").stdout
        assert log.count(" Restored ") == 3
        assert completed(log) == set()
    elif door == "dvc":
        assert ran(project.dvc("repro").stdout) == set()
    else:
        log = project.flow()
        assert ran(log.stdout + log.stderr) == set()
        assert "Restored" in log.stdout + log.stderr
    assert all((project.root / path).exists() for path in lost)
    assert project.locked() == before
    assert project.dvc("status").stdout.strip() == "Data and pipelines are up to date."


def test_a_part_of_the_graph(project: Project) -> None:
    from finescale.pipeline.store import remove

    remove(project.root / "data" / "coarse-reference.zarr")
    log = project.finescale("run", "coarsen").stdout
    assert "Restored   coarsen" in log
    assert "score" not in log


def test_dvc_compares_metrics_and_shows_plots_without_the_network(project: Project) -> None:
    (project.root / ".dvc" / "config.local").unlink()  # inside git now
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c")
    project.call("git", "init", "--quiet")
    project.call(
        *git, "add", "dvc.yaml", "dvc.lock", "params.yaml", ".dvc/config", ".dvc/.gitignore", ".dvcignore"
    )
    project.call(*git, "commit", "--quiet", "--message", "first")
    path = project.root / "reports" / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    before = metrics["perfect"]["bcsd"]["tas"]["crps"]
    metrics["perfect"]["bcsd"]["tas"]["crps"] = 2 * before
    path.unlink()  # a link into the cache, perhaps
    path.write_text(json.dumps(metrics), encoding="utf-8")
    shown = json.loads(project.dvc("metrics", "show", "--json").stdout)
    assert shown[""]["data"]["reports/metrics.json"]["data"] == metrics
    found = json.loads(project.dvc("metrics", "diff", "--json").stdout)
    changed = {"perfect.bcsd.tas.crps": {"old": before, "new": 2 * before, "diff": pytest.approx(before)}}
    assert found == {"reports/metrics.json": changed}
    project.dvc("plots", "show", "--out", "plots")
    page = (project.root / "plots" / "index.html").read_text(encoding="utf-8")
    assert all(method in page for method in ("bilinear", "bcsd"))
    pictures = re.findall(r'<img src="([^"]+)"', page)
    assert pictures
    assert all((project.root / "plots" / name).is_file() for name in pictures)

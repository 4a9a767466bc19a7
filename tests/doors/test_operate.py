"""`make up` in a clean clone: a build from its form in a browser, a run cancelled and gone on with, `make down`."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml

from .conftest import ROOT, TINY, Project, environment

pytestmark = [pytest.mark.slow, pytest.mark.browser]


class Service:
    """A clean clone with everything up."""

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.port = root, port

    def operate(self, what: str) -> str:
        env = environment(self.root) | {
            "PYTHONPATH": os.pathsep.join((str(self.root / "src"), str(self.root))),
            "FINESCALE_PORT": str(self.port),
        }
        done = subprocess.run(
            [sys.executable, "-m", "flows.operate", what],
            cwd=self.root,
            env=env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, path: str, body: dict | None = None):
        data = None if body is None else json.dumps(body).encode()
        asked = Request(
            f"http://127.0.0.1:{self.port}/api/{path}", data, {"content-type": "application/json"}
        )
        for pause in (1, 5, 20, 0):
            try:
                with urlopen(asked, timeout=60) as reply:
                    return json.loads(reply.read() or "null")
            except HTTPError as error:
                if error.code != 503 or not pause:  # its database is busy for a moment
                    raise
            time.sleep(pause)
        return None

    def deployment(self, name: str = "build") -> str:
        return self.ask(f"deployments/name/{name}/{name}")["id"]

    def run(self, request: dict, name: str = "build") -> str:
        return self.ask(
            f"deployments/{self.deployment(name)}/create_flow_run", {"parameters": {"request": request}}
        )["id"]

    def finished(self, run: str, patience: float = 900.0) -> dict:
        for _ in range(int(patience)):
            state = self.ask(f"flow_runs/{run}")["state"]
            if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
                return state
            time.sleep(1.0)
        raise AssertionError(f"run {run} did not end: {state}")

    def tasks(self, run: str) -> dict[str, str]:
        found = self.ask("task_runs/filter", {"task_runs": {"flow_run_id": {"any_": [run]}}})
        return {task["name"]: task["state"]["name"] for task in found if task["state"]}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp("clean") / "a clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(root)], check=True)
    body = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8")) | TINY
    body["downscale"] = {
        "methods": ["bilinear", "bcsd"],
        "members": 2,
        "scenario": "ssp245",
        "period": ["2015-01-10", "2015-01-16"],
        "bcsd": {"harmonics": 1},
    }
    body["data"]["variables"] = ["psl", "tas"]
    del body["data"]["gcms"]["standard"]
    body["registry"]["method"] = "bcsd"
    (root / "params.yaml").write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
    (root / "dvc.lock").unlink()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = Service(root, port)
    try:
        made.operate("up")
        yield made
    finally:
        made.operate("down")


def test_a_build_from_the_form(service: Service, tmp_path: Path) -> None:
    path = next((p for p in map(shutil.which, ("chromium", "google-chrome")) if p), None)
    if path is None:
        pytest.skip("no Chromium on this machine: install Debian's package `chromium`")
    from playwright.sync_api import sync_playwright

    shots = Path(os.environ.get("FINESCALE_SCREENSHOTS", tmp_path))
    site = f"http://127.0.0.1:{service.port}"
    asked: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(120_000)
        page.on("request", lambda made: asked.append(made.url) if made.url.startswith("http") else None)
        page.goto(f"{site}/deployments")
        page.get_by_role("link", name="build").first.wait_for()
        page.screenshot(path=shots / "deployments.png")
        page.goto(f"{site}/deployments/deployment/{service.deployment()}/run")
        page.get_by_text("Members (Optional)").wait_for()
        for shown in ("A file of presets/ to lay over params.yaml", "Hours after which a stage is stopped."):
            assert page.get_by_text(shown).count()
        page.screenshot(path=shots / "form.png", full_page=True)
        page.get_by_role("button", name="Submit").click()
        while not (found := service.ask("flow_runs/filter", {})):
            time.sleep(0.5)
        run = found[0]["id"]
        page.goto(f"{site}/runs/flow-run/{run}")
        assert service.finished(run)["type"] == "COMPLETED"
        page.get_by_text("Completed").first.wait_for()
        page.get_by_text("Running stage 'world'").first.wait_for()
        page.screenshot(path=shots / "run.png")
        page.get_by_text("Artifacts", exact=True).click()
        for artifact in ("verdict", "report", "build"):
            page.get_by_role("link", name=artifact, exact=True).first.or_(
                page.get_by_text(artifact, exact=True).first
            ).first.wait_for()
        page.screenshot(path=shots / "artifacts.png")
        browser.close()
    assert {url.split("/")[2] for url in asked} == {f"127.0.0.1:{service.port}"}
    tasks = service.tasks(run)
    assert tasks["world"] == tasks["report"] == "Completed"
    kinds = {a["type"] for a in service.ask("artifacts/filter", {})}
    assert {"table", "markdown", "image"} <= kinds
    with urlopen(f"http://127.0.0.1:{service.port + 1}/index.html") as reply:
        assert reply.status == 200
    assert Project(service.root).dvc("status").stdout.strip() == "Data and pipelines are up to date."


def test_a_cancelled_run_is_gone_on_with(service: Service) -> None:
    changes = {"correct": {"quantiles": 25}}
    run = service.run({"changes": changes})
    while service.tasks(run).get("correct-360day") != "Completed":
        time.sleep(0.5)
    service.ask(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    assert service.finished(run)["type"] == "CANCELLED"
    folder = next((service.root / ".workspaces").iterdir())
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(folder) not in running
    again = service.run({"changes": changes})
    end = service.finished(again)
    assert end["type"] == "COMPLETED", end["message"]
    tasks = service.tasks(again)
    assert tasks["correct-360day"] == "Skipped"
    assert tasks["report"] == "Completed"


def test_a_promotion_shows_its_proof(service: Service) -> None:
    built = service.run({"changes": {"registry": {"method": "bilinear"}}})  # offers a worse one
    assert service.finished(built)["type"] == "COMPLETED"
    asked = service.run({"challenger": "candidate"}, "promote")
    state = service.finished(asked)
    assert state["type"] == "COMPLETED", state
    assert "stays a candidate" in state["message"]
    assert "is worse" in state["message"]
    assert service.ask(f"flow_runs/{asked}")["name"] == "promote candidate"
    found = service.ask("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [asked]}}})
    shown = {
        artifact["key"]: artifact["data"] for artifact in found if artifact["key"]
    }  # not the kept result
    assert set(shown) == {"proof", "decision"}
    assert {row["variable"]: row["difference"] > 0 for row in json.loads(shown["proof"])}["tas"]
    unknown = service.finished(service.run({"challenger": "9"}, "promote"))
    assert unknown["type"] == "FAILED"
    assert "9" in unknown["message"]


def test_down_ends_exactly_these(service: Service) -> None:
    notes = sorted((service.root / ".prefect" / "up").glob("*.json"))
    assert [note.stem for note in notes] == ["pages", "server", "worker"]
    pids = [json.loads(note.read_text(encoding="utf-8"))["pid"] for note in notes]
    said = service.operate("down")
    assert said.splitlines() == ["worker: ended", "pages: ended", "server: ended"]
    assert not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", service.port), timeout=2)
    assert service.operate("down").count("was not up") == 3

"""`make up` beside others: whose a port is, and what stays as an operator has set it. No server of Prefect's runs."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from flows.deploying import restore
from flows.ports import claim, serves
from flows.server import Server
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule

from finescale.cli.service import promote_version
from finescale.errors import FinescaleError

from .conftest import ROOT, environment


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def first(port: int, tmp_path: Path) -> Iterator[Server]:
    """The pages of one clone, up."""
    made = pages(tmp_path / "first", port)
    made.start(tmp_path, {})
    try:
        for _ in range(200):
            if serves(made, port):
                break
            time.sleep(0.05)
        yield made
    finally:
        made.stop()


def pages(folder: Path, port: int) -> Server:
    return Server("pages", (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"), folder)


def test_what_another_clone_has_up_is_not_ours(first: Server, port: int, tmp_path: Path) -> None:
    second = pages(tmp_path / "second", port)
    assert serves(first, port)
    assert not serves(second, port)
    claim(first, port)
    with pytest.raises(FinescaleError, match=f"port {port} must be free for the pages.*FINESCALE_PORT"):
        claim(second, port)
    second.start(tmp_path, {})  # as if the port had been taken after it was looked at
    try:
        time.sleep(0.3)
        assert not serves(second, port)
    finally:
        second.stop()


def test_a_server_that_is_up_keeps_its_port(first: Server, port: int) -> None:
    with pytest.raises(FinescaleError, match="another port than 4311; `make down` ends it"):
        claim(first, 4311)


def schedule(slug: str | None, *, active: bool) -> DeploymentSchedule:
    return DeploymentSchedule(
        id=uuid4(), slug=slug, active=active, schedule=CronSchedule(cron="0 3 * * *"), parameters={"a": 1}
    )


def test_schedules_come_back_as_an_operator_has_set_them() -> None:
    done: list[tuple[object, ...]] = []
    client = SimpleNamespace(
        update_deployment_schedule=lambda which, one, active: done.append((which, one, active)),
        create_deployment_schedules=lambda which, new: done.append((which, *new)),
    )
    asleep, other = schedule("nightly", active=False), schedule("weekly", active=True)
    deployed = SimpleNamespace(id=uuid4(), schedules=[asleep, other])
    own = schedule(None, active=True)
    restore(client, deployed, [schedule("nightly", active=True), schedule("weekly", active=True), own])
    assert done[0] == (deployed.id, asleep.id, True)
    assert (done[1][1].schedule, done[1][1].active, done[1][1].parameters) == (own.schedule, True, {"a": 1})
    assert len(done) == 2
    restore(client, deployed, [asleep, other])
    assert len(done) == 2


@pytest.mark.parametrize("port", ["abc", "65535", "-1"])
def test_a_port_that_is_none_is_one_line(port: str) -> None:
    command = [sys.executable, "-c", "import flows.address"]
    done = subprocess.run(
        command, env=environment(ROOT) | {"FINESCALE_PORT": port}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: FINESCALE_PORT must be a port")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("period", ["2003-13-05:2003-14-01", "2003-02-01:2003-01-01", "2003-01-01"])
def test_a_period_that_is_none_is_one_line(period: str, tmp_path: Path) -> None:
    with pytest.raises(FinescaleError, match="a period"):
        promote_version(tmp_path, "candidate", period)

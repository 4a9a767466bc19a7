"""What `make up` tells the server: pool, limit on trainings, deployments. What an operator has set there stays."""

import subprocess
import sys
from collections.abc import Callable, Iterable

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from finescale.errors import FinescaleError
from flows.address import ENVIRONMENT, HOME, POOL, SITE

PREFECT = (sys.executable, "-m", "prefect")
TRAININGS = ("train", "1")  # tag, and how many tasks of it at a time, over all runs


def deploy() -> None:
    """Make what is missing and deploy prefect.yaml, in which schedules sleep; those switched on stay on."""
    with SyncPrefectClient(f"{SITE}/api") as client:
        if not _there(client.read_work_pool, POOL):
            _prefect("work-pool", "create", POOL, "--type", "process")
        if not _there(client.read_concurrency_limit_by_tag, TRAININGS[0]):
            _prefect("concurrency-limit", "create", *TRAININGS)
        before = {found.id: found.schedules for found in client.read_deployments()}
        try:
            _prefect("--no-prompt", "deploy", "--all")
        finally:
            for found in client.read_deployments():
                restore(client, found, before.get(found.id, ()))


def restore(
    client: SyncPrefectClient, deployment: DeploymentResponse, before: Iterable[DeploymentSchedule]
) -> None:
    """Give a deployment its schedules back as they were: on or off, and those that an operator has added."""
    now = {schedule.slug: schedule for schedule in deployment.schedules if schedule.slug}
    same = {schedule.id for schedule in deployment.schedules}
    for old in before:
        new = now.get(old.slug or "")
        if new is None and old.id not in same:
            kept = old.model_dump(include={"schedule", "active", "parameters", "slug"})
            client.create_deployment_schedules(deployment.id, [DeploymentScheduleCreate.model_validate(kept)])
        elif new is not None and new.active != old.active:
            client.update_deployment_schedule(deployment.id, new.id, active=old.active)


def _there(read: Callable[[str], object], name: str) -> bool:
    try:
        read(name)
    except ObjectNotFound:
        return False
    return True


def _prefect(*arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        (*PREFECT, *arguments), cwd=HOME, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())[-400:]
        raise FinescaleError(
            f"prefect {' '.join(arguments)} must succeed: {said}; `make down` ends what is up"
        )

"""The build flow: walks the ledger, one named task a stage, and shows what came out.

Run it with ``python -m flows.build [PRESET]`` (an embedded server, gone at the end) or from a deployment. DVC decides
whether a stage runs; Prefect's own cache stays off, because two caches can call a run good with a file missing.
"""

import sys
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from finescale.errors import FinescaleError
from finescale.pipeline import registering
from finescale.pipeline.executor import DvcExecutor, StageFailed
from finescale.pipeline.project import Project
from finescale.pipeline.stage import Stage
from finescale.pipeline.wiring import parents
from finescale.pipeline.workspace import workspace
from flows import embedded, showcase

HOME = Path(__file__).resolve().parent.parent
PAUSES = (2.0, 10.0)  # seconds before each further try of a stage that fetches


@task(cache_policy=NO_CACHE)
def bring_up_to_date(stage: Stage, root: Path) -> State[str]:
    """Let DVC run, restore or skip one stage; its log becomes the task's log."""
    log = get_run_logger()
    try:
        outcome = DvcExecutor(root).run(stage, log.info)
    except StageFailed as error:
        if stage.retries and error.code != 2:
            raise  # a remote store may answer the next time
        return Failed(message=str(error))
    showcase.stage_figures(root, stage)
    return Completed(
        name=outcome.state, message=f"{outcome.state} in {outcome.seconds:.1f} s", data=outcome.state
    )


@task(cache_policy=NO_CACHE)
def register(root: Path) -> str:
    """Offer the model to the registry; nothing happens when it is there already."""
    said = registering.register(Project(root))
    get_run_logger().info(said)
    return said


@flow(name="build", task_runner=ThreadPoolTaskRunner(max_workers=2))  # type: ignore[arg-type]
def build(root: Path = HOME, preset: str = "") -> State[dict[str, str]]:
    """Bring a project's whole pipeline up to date, publish the verdict, and tell what became of each stage."""
    try:
        project = Project(root := workspace(root, preset))
        project.prepare()
    except FinescaleError as error:
        return Failed(message=str(error))
    graph, futures = parents(project.stages), dict[str, PrefectFuture[State[str]]]()
    for stage in project.stages:
        pauses = list(PAUSES[: stage.retries])
        named = bring_up_to_date.with_options(
            name=stage.name, retries=len(pauses), retry_delay_seconds=pauses
        )
        needs = [futures[name] for name in graph[stage.name]]
        futures[stage.name] = named.submit(stage=stage, root=root, wait_for=needs, return_state=False)
    for future in futures.values():
        future.wait()
    if broken := [str(future.state.message) for future in futures.values() if future.state.is_failed()]:
        return Failed(message="\n".join(broken))
    states = {name: str(future.state.name) for name, future in futures.items()}
    showcase.verdict(root, states, register(root))
    return Completed(message=", ".join(sorted(set(states.values()))), data=states)


if __name__ == "__main__":
    sys.exit(embedded.run(build, HOME, *sys.argv[1:]))

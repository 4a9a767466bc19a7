"""The build flow: walks the ledger, one named task a stage, and shows what came out.

Run it with ``python -m flows.build`` (an embedded server, gone at the end) or from a deployment. DVC decides whether
a stage runs; Prefect's own cache stays off, because a flow with two caches can succeed with a file missing.
"""

import sys
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.states import Completed, State
from prefect.task_runners import ThreadPoolTaskRunner

from finescale.pipeline.executor import DvcExecutor
from finescale.pipeline.project import Project
from finescale.pipeline.stage import Stage
from finescale.pipeline.wiring import parents
from flows import embedded, showcase

HOME = Path(__file__).resolve().parent.parent


@task(cache_policy=NO_CACHE, retries=0)
def bring_up_to_date(stage: Stage, root: Path) -> State[str]:
    """Let DVC run, restore or skip one stage; its log becomes the task's log."""
    log = get_run_logger()
    outcome = DvcExecutor(root).run(stage, log.info)
    showcase.stage_figures(root, stage)
    return Completed(
        name=outcome.state, message=f"{outcome.state} in {outcome.seconds:.1f} s", data=outcome.state
    )


@task(cache_policy=NO_CACHE, task_run_name="register")
def register(root: Path) -> str:
    """Offer the model to the registry; nothing happens when it is there already."""
    from finescale.pipeline.registering import register as offer

    said = offer(Project(root))
    get_run_logger().info(said)
    return said


@flow(name="build", task_runner=ThreadPoolTaskRunner(max_workers=2))
def build(root: Path = HOME) -> dict[str, str]:
    """Bring the whole pipeline up to date and publish the verdict.

    Args:
        root: The project's folder.

    Returns:
        What became of each stage: Completed, Restored or Skipped.
    """
    project = Project(root)
    if project.prepare():
        get_run_logger().info("dvc.yaml was rendered anew")
    graph, futures = parents(project.stages), dict[str, PrefectFuture[str]]()
    for stage in project.stages:
        named = bring_up_to_date.with_options(
            name=stage.name,
            task_run_name=stage.name,
            retries=stage.retries,
            retry_delay_seconds=[2, 10][: stage.retries],
        )
        futures[stage.name] = named.submit(stage, root, wait_for=[futures[n] for n in graph[stage.name]])
    states = {name: future.result() for name, future in futures.items()}
    said = register(root)
    showcase.verdict(root, states, said)
    return states


if __name__ == "__main__":
    sys.exit(embedded.run(build))

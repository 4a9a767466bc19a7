"""The tasks of the build flow: one stage, and the registration at the end."""

from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from finescale.pipeline.executor import DvcExecutor, StageFailed
from finescale.pipeline.project import Project
from finescale.pipeline.stage import Stage
from finescale.service import registering
from flows import showcase
from flows.watch import Watcher


@task(cache_policy=NO_CACHE, persist_result=True, result_serializer="json")
def bring_up_to_date(stage: Stage, executor: DvcExecutor) -> State[str]:
    """Let DVC run, restore or skip one stage; its log becomes the task's log."""
    watch = Watcher(stage.name)
    try:
        outcome = executor.run(stage, watch)
    except StageFailed as error:
        if stage.retries and error.code != 2:
            raise  # a remote store may answer the next time
        return Failed(message=str(error))
    watch.finish()
    showcase.figures(executor.root, stage)
    said = f"{outcome.state} in {outcome.seconds:.1f} s"
    return Completed(name=outcome.state, message=said, data=outcome.state)


@task(cache_policy=NO_CACHE, persist_result=True, result_serializer="json")
def register(root: Path) -> str:
    """Offer the model to the registry; nothing happens when it is there already."""
    said = registering.register(Project(root))
    get_run_logger().info(said)
    return said

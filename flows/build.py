"""The build flow: walks the ledger, one named task a stage, and shows what came out.

Run it with ``python -m flows.build [PRESET]`` (an embedded server, gone at the end) or from its deployment. DVC
decides whether a stage runs; Prefect's own cache stays off, because two caches can call a run good with a file missing.
"""

import sys

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from finescale.errors import FinescaleError
from finescale.pipeline.executor import DvcExecutor
from finescale.pipeline.project import Project
from finescale.pipeline.threads import AT_ONCE
from finescale.pipeline.workspace import workspace
from flows import embedded, showcase
from flows.forms import Build
from flows.tasks import register
from flows.walking import walk


@flow(
    flow_run_name="{request.title}",
    task_runner=ThreadPoolTaskRunner(max_workers=AT_ONCE),  # type: ignore[arg-type]
    persist_result=True,
    result_serializer="json",
)
def build(request: Build = Build()) -> State[dict[str, str]]:
    """Bring a project's pipeline up to date, publish the verdict, and tell what became of each stage."""
    try:
        project = Project(root := workspace(request.root, request.preset, request.overlay()))
        chosen = project.chosen(request.stages)
        project.prepare()
    except FinescaleError as error:
        return Failed(message=str(error))
    executor = DvcExecutor(root, limit=3600 * request.hours)
    try:
        futures = walk(chosen, executor)
    except BaseException:  # cancelled: what runs is stopped, and the next run goes on from there
        executor.stop()
        raise
    if broken := [str(future.state.message) for future in futures.values() if future.state.is_failed()]:
        return Failed(message="\n".join(broken))
    states = {name: str(future.state.name) for name, future in futures.items()}
    if not request.stages:
        showcase.verdict(root, states, register(root))
    return Completed(message=", ".join(sorted(set(states.values()))), data=states)


if __name__ == "__main__":
    sys.exit(embedded.run(build, Build(preset="".join(sys.argv[1:]))))

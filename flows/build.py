"""The build flow: walks the ledger, one named task a stage, and shows what came out.

Run it with ``python -m flows.build [PRESET]`` (an embedded server, gone at the end) or from its deployment. DVC
decides whether a stage runs; Prefect's own cache stays off, because two caches can call a run good with a file missing.
"""

import sys

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from finescale.errors import FinescaleError
from finescale.pipeline.executor import DvcExecutor
from finescale.pipeline.project import Project
from finescale.pipeline.wiring import parents
from finescale.pipeline.workspace import workspace
from flows import embedded, showcase
from flows.forms import Build
from flows.tasks import bring_up_to_date, register

PAUSES = (
    2.0,
    10.0,
)  # seconds before each further try of a stage that fetches; other failures would come again


@flow(
    flow_run_name="{request.title}",
    task_runner=ThreadPoolTaskRunner(max_workers=2),  # type: ignore[arg-type]
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
    graph, futures = parents(chosen), dict[str, PrefectFuture[State[str]]]()
    try:
        for stage in chosen:
            pauses = list(PAUSES[: stage.retries])
            kind = stage.name.partition("-")[0]  # how many of a kind may run at once is set on the server
            named = bring_up_to_date.with_options(
                name=stage.name,
                task_run_name=stage.name,
                tags=[kind],
                retries=len(pauses),
                retry_delay_seconds=pauses,
            )
            needs = [futures[name] for name in graph[stage.name]]
            futures[stage.name] = named.submit(stage, executor, wait_for=needs, return_state=False)
        for future in futures.values():
            future.wait()
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

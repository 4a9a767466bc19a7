"""The order in which stages run: once all that they read is there, the most urgent first."""

from queue import SimpleQueue

from prefect import Task
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture

from finescale.pipeline.executor import DvcExecutor
from finescale.pipeline.stage import Stage
from finescale.pipeline.threads import AT_ONCE
from finescale.pipeline.wiring import Agenda, parents
from flows.tasks import bring_up_to_date

# Seconds before each further try of a stage that fetches; other failures would come again.
PAUSES = (2.0, 10.0)

Future = PrefectFuture[State[str]]


def walk(stages: tuple[Stage, ...], executor: DvcExecutor) -> dict[str, Future]:
    """Run each stage once all that it reads is there, the most urgent first; none that waits takes a place."""
    graph, agenda = parents(stages), Agenda(stages)
    futures, ended, running = dict[str, Future](), SimpleQueue[str](), 0
    while agenda:
        while running < AT_ONCE and (stage := agenda.next()):
            needs = [futures[name] for name in graph[stage.name]]
            future = named(stage).submit(stage, executor, wait_for=needs, return_state=False)
            future.add_done_callback(lambda _, name=stage.name: ended.put(name))  # type: ignore[misc]
            futures[stage.name], running = future, running + 1
        agenda.done(ended.get())
        running -= 1
    return {stage.name: futures[stage.name] for stage in stages}


def named(stage: Stage) -> Task[[Stage, DvcExecutor], State[str]]:
    """The task of a stage."""
    pauses = list(PAUSES[: stage.retries])
    return bring_up_to_date.with_options(
        name=stage.name,
        task_run_name=stage.name,
        tags=[stage.name.partition("-")[0]],  # how many of a kind may run at once is set on the server
        retries=len(pauses),
        retry_delay_seconds=pauses,
    )

"""Walk the ledger: stages whose inputs are ready run side by side."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial

from finescale.pipeline.executor import Outcome, StageExecutor
from finescale.pipeline.stage import Stage
from finescale.pipeline.wiring import Agenda

Tell = Callable[[str, str], None]


def walk(
    stages: tuple[Stage, ...],
    executor: StageExecutor,
    *,
    workers: int,
    tell: Tell,
    done: Callable[[Outcome], None],
) -> list[Outcome]:
    """Run each stage once its inputs are there, independent ones in parallel.

    Args:
        stages: In the ledger's order; inputs from stages not among them must exist.
        executor: Runs each of them.
        workers: Stages at a time.
        tell: Told ``(stage, line of its log)``.
        done: Told each outcome as it comes.

    Returns:
        The outcomes in the order in which they came. The first failure stops new stages and is raised
        when those under way have ended; an interruption ends these too.
    """
    agenda, outcomes = Agenda(stages), list[Outcome]()
    running: dict[Future[Outcome], str] = {}
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            while agenda:
                while len(running) < workers and (stage := agenda.next()):
                    running[pool.submit(executor.run, stage, partial(tell, stage.name))] = stage.name
                ready, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ready:
                    agenda.done(running.pop(future))
                    outcomes.append(future.result())
                    done(outcomes[-1])
        except (KeyboardInterrupt, SystemExit):
            executor.stop()
            raise
    return outcomes

"""A production without an orchestrator: one piece after another, or in processes side by side."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from finescale.pipeline.desk import Progress, silent
from finescale.service.finish import Manifest, finish
from finescale.service.job import Result
from finescale.service.piece import produce_piece
from finescale.service.plan import plan
from finescale.settings import Production

Done = Callable[[Result], None]


def produce(
    root: Path,
    request: Production,
    *,
    workers: int = 1,
    done: Done | None = None,
    progress: Progress = silent,
) -> Manifest:
    """Plan, produce and finish; the product does not depend on the number of workers.

    Args:
        root: The project.
        request: What is wanted.
        workers: Processes side by side; one works here.
        done: Told of every piece.
        progress: Told of the steps within a piece, with one worker.
    """
    job = plan(root, request)
    results: list[Result] = []

    def keep(result: Result) -> None:
        results.append(result)
        if done is not None:
            done(result)

    if workers == 1:
        for piece in job.pieces:
            keep(produce_piece(job, piece, progress))
        return finish(job, results)
    # A forked process would share the locks and threads of this one.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(produce_piece, job, piece) for piece in job.pieces]
        for future in as_completed(futures):
            try:
                keep(future.result())
            except BrokenProcessPool:
                break
    return finish(job, results)

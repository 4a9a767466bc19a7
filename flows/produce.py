"""The produce flow: one task a store, on a Dask cluster; what came of each is in the manifest and in Prefect's pages.

Run it with ``python -m flows.produce`` or from its deployment. A worker that dies is replaced and its piece drawn again
from its notes; a piece that fails spoils no other.
"""

import sys

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from finescale.errors import FinescaleError
from finescale.pipeline.project import Project
from finescale.service.finish import finish
from finescale.service.job import Result
from finescale.service.plan import plan
from flows import embedded, showcase
from flows.pieces import Produce, draw, fleet

PAUSES = [10.0, 60.0]  # seconds before each further try of a piece whose failure may pass


@flow(flow_run_name="{request.title}", persist_result=True, result_serializer="json")
def produce(request: Produce = Produce()) -> State[dict[str, int]]:
    """Produce what is asked for and not there yet, publish it, and tell what became of each piece."""
    try:
        project = Project(request.root.resolve())
        job = plan(project.root, request.over(project.settings.production))
        cluster = project.settings.cluster
    except (FinescaleError, ValueError) as error:
        return Failed(message=str(error))
    with fleet(cluster) as workers:
        futures = {}
        for piece in job.pieces:
            named = draw.with_options(task_run_name=piece.name, retries=2, retry_delay_seconds=PAUSES)
            wanted = {"job": job, "piece": piece, "hours": request.hours}
            futures[piece.name] = workers.submit(named, wanted)
        for future in futures.values():
            future.wait()
        states = {name: future.state for name, future in futures.items()}
    results = [
        Result(**state.result()) if state.is_completed() else Result(name, "failed", str(state.message))
        for name, state in states.items()
    ]
    manifest = finish(job, results)
    showcase.product(manifest)
    said = ", ".join(f"{number} {what}" for what, number in manifest.counts.items() if number)
    broken = manifest.counts["failed"]
    return Failed(message=said) if broken else Completed(message=said, data=manifest.counts)


if __name__ == "__main__":
    sys.exit(embedded.run(produce))

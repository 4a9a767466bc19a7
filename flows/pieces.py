"""A production in Prefect's terms: its form, the task that draws one piece, the cluster that runs many."""

from dataclasses import asdict
from typing import Annotated, Any

import dask
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect_dask.task_runners import DaskTaskRunner
from pydantic import Field

from finescale.errors import FinescaleError
from finescale.service.job import Job, Piece
from finescale.service.piece import produce_piece
from finescale.settings import Production
from finescale.settings.cluster import Cluster
from flows.forms import Form
from flows.watch import Watcher


class Produce(Form):
    """Draw ensembles with a model: a store for each climate model, scenario, period and block of members.

    What is left empty is as params.yaml's section `production` has it; what is there already is kept.
    """

    model: str = Field(
        "", description="A registered model, models:/finescale@champion, or a method's folder."
    )
    gcms: tuple[str, ...] = Field((), description="Climate models by their names in params.yaml.")
    scenarios: tuple[str, ...] = Field((), description="Experiments of the catalogue.")
    periods: tuple[Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d:\d{4}-\d\d-\d\d$")], ...] = Field(
        (), description="First and last days, each 2016-01-05:2016-01-19."
    )
    members: int = Field(0, ge=0, le=1000, description="Members for each climate model and scenario.")
    block: int = Field(0, ge=0, le=1000, description="Members in one store.")
    out: str = Field("", description="Folder of the product, seen from the project's.")
    hours: float = Field(
        24.0, gt=0, le=720, description="Hours after which the drawing of a store is stopped."
    )

    def over(self, production: Production) -> Production:
        """The project's section with what this request says in its place."""
        said = {key: value for key, value in self.model_dump(exclude={"root", "hours"}).items() if value}
        if self.periods:
            said["periods"] = [period.split(":") for period in self.periods]
        return Production.model_validate(production.model_dump() | said)

    @property
    def title(self) -> str:
        """What a run of this request is called."""
        said = [self.model, *self.gcms, *self.scenarios, f"{self.members} members" if self.members else ""]
        return ", ".join(["produce", *filter(None, said), *self.periods])


@task(cache_policy=NO_CACHE, persist_result=True, result_serializer="json", tags=["piece"])
def draw(job: Job, piece: Piece, hours: float) -> State[dict[str, Any]]:
    """Draw one piece, or find it there; only a failure that may pass is tried again."""
    watch = Watcher(piece.name, hours)
    # A lazy array that is computed in a worker would otherwise queue behind the very tasks that wait for it.
    with dask.config.set(scheduler="threads"):
        result = produce_piece(job, piece, watch.progress)
    watch.finish()
    if result.state != "failed":
        return Completed(name=result.state.capitalize(), message=result.reason or None, data=asdict(result))
    if result.transient:
        raise FinescaleError(result.reason)
    return Failed(message=result.reason)


def fleet(cluster: Cluster) -> DaskTaskRunner:
    """The cluster that the settings name, or one on this machine for as long as the flow runs."""
    if cluster.address:
        return DaskTaskRunner(address=cluster.address)
    here = {"n_workers": cluster.workers, "threads_per_worker": cluster.threads, "host": "127.0.0.1"}
    return DaskTaskRunner(cluster_kwargs={**here, "dashboard_address": None})

"""The section on where a production's pieces are drawn."""

from pydantic import Field

from finescale.settings.section import Section


class Cluster(Section):
    """A Dask cluster: one on this machine for the time of the run, or one that is there."""

    address: str | None = Field(
        None, description="A scheduler's address, tcp://host:8786; its workers must see the project's folder."
    )
    workers: int = Field(2, ge=1, le=256, description="Processes of the cluster on this machine.")
    threads: int = Field(1, ge=1, le=64, description="Pieces side by side in one process.")

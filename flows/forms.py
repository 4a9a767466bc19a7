"""What the deployments ask for: each form in Prefect's pages is one of these models, and the server checks it."""

from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finescale.pipeline.workspace import presets
from flows.address import HOME


class Form(BaseModel):
    """A request; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: Path = Field(Path(), description="The project's folder; leave the dot for the deployed one.")


class Build(Form):
    """Bring the pipeline up to date, under params.yaml or with something laid over it.

    Whatever is laid over it runs in a workspace of its own: params.yaml and its artefacts stay as they are.
    """

    preset: str = Field(
        "",
        description="A file of presets/ to lay over params.yaml; none when empty.",
        json_schema_extra={"enum": ["", *presets(HOME)]},
    )
    stages: tuple[str, ...] = Field((), description="Stages to bring up to date, with what they need.")
    methods: tuple[str, ...] = Field((), description="Methods to run instead of downscale.methods.")
    members: int = Field(0, ge=0, le=1000, description="Members instead of downscale.members, if any.")
    changes: dict[str, Any] = Field(
        {}, description='Other settings, nested as in params.yaml: {"coarse": {"every": 3}}.'
    )
    hours: float = Field(24.0, gt=0, le=720, description="Hours after which a stage is stopped.")

    def overlay(self) -> dict[str, Any]:
        """What is to be laid over the preset."""
        own = (("methods", list(self.methods)), ("members", self.members))
        chosen = {key: value for key, value in own if value}
        if not chosen:
            return self.changes
        return self.changes | {"downscale": {**self.changes.get("downscale", {}), **chosen}}

    @property
    def title(self) -> str:
        """What a run of this request is called."""
        laid = [self.preset, *self.methods, f"{self.members} members" if self.members else "", *self.changes]
        return ", ".join(["build", *filter(None, laid), *self.stages])


class Promote(Form):
    """Put a registered version against the champion."""

    challenger: str = Field("candidate", min_length=1, description="Alias or number of the version.")
    first: date | None = Field(None, description="First of other days than the test block, if wished.")
    last: date | None = Field(None, description="Last of them.")

    @model_validator(mode="after")
    def _both_or_none(self) -> "Promote":
        given = [day for day in (self.first, self.last) if day]
        if len(given) == 1 or given != sorted(given):
            raise ValueError("other days need a first and a later last day: give both or neither")
        return self

    def days(self) -> tuple[date, date] | None:
        """The other days, if any."""
        return (self.first, self.last) if self.first and self.last else None

    @property
    def title(self) -> str:
        """What a run of this request is called."""
        return f"promote {self.challenger}" + (f" on {self.first} to {self.last}" if self.first else "")

"""What the deployments ask for: each form in Prefect's pages is one of these models, and the server checks it."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

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
    stages: tuple[str, ...] = Field(
        (), description="Stages to bring up to date, with what they need; all when empty."
    )
    methods: tuple[str, ...] = Field(
        (), description="Methods to run instead of downscale.methods; as they are when empty."
    )
    members: int = Field(
        0, ge=0, le=1000, description="Members instead of downscale.members; 0 leaves it as it is."
    )
    changes: dict[str, Any] = Field(
        {}, description='Other settings, nested as in params.yaml: {"coarse": {"every": 3}}.'
    )
    hours: float = Field(24.0, gt=0, le=720, description="Hours after which a stage is stopped.")

    def overlay(self) -> dict[str, Any]:
        """What is to be laid over the preset."""
        own = {"methods": list(self.methods), "members": self.members}
        chosen = {key: value for key, value in own.items() if value}
        if not chosen:
            return self.changes
        return self.changes | {"downscale": {**self.changes.get("downscale", {}), **chosen}}

    @property
    def title(self) -> str:
        """What a run of this request is called."""
        laid = [self.preset, *self.methods, f"{self.members} members" if self.members else "", *self.changes]
        return ", ".join(["build", *filter(None, laid), *self.stages])

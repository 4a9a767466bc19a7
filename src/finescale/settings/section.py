"""What all sections of params.yaml share: immutable, and no key beyond those declared."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Period = tuple[date, date]


class Section(BaseModel):
    """A part of params.yaml: immutable, no key beyond those declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

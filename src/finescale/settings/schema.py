"""All of params.yaml, and the sections on methods, scores, gates and the registry."""

from typing import Literal

from pydantic import Field, model_validator

from finescale.settings.data import Coarse, Correct, Data, Split, World
from finescale.settings.learning import Climate, Generative, Prior
from finescale.settings.section import Name, Period, Section

Method = Literal["bilinear", "bcsd", "gaussian", "sda", "finescale"]
GENERATIVE = ("sda", "finescale")


class Bcsd(Section):
    """Bias-corrected spatial disaggregation."""

    harmonics: int = Field(2, ge=0, le=6, description="Harmonics of the year in the climatologies.")


class Downscale(Section):
    """How each method is run; one section a method."""

    methods: tuple[Method, ...] = Field(("bilinear", "bcsd"), min_length=1)
    members: int = Field(16, ge=1, le=1000)
    scenario: str = Field("ssp245", description="Experiment of the climate models that is downscaled.")
    period: Period = Field(description="Days of the climate models to downscale.")
    bcsd: Bcsd = Bcsd()
    sda: Generative | None = None
    finescale: Generative | None = None

    def generative(self, method: str) -> Generative | None:
        """The section of a generative method."""
        found = getattr(self, method)
        return found if isinstance(found, Generative) else None


class Score(Section):
    """How the ensembles are judged."""

    resamples: int = Field(200, ge=20, le=10_000, description="Draws of days behind the 95 % intervals.")


class Waiver(Section):
    """A failing check that somebody accepted, and why."""

    gate: str
    variable: str
    rule: str
    reason: str = Field(min_length=8)


class Gates(Section):
    """What may pass although a limit says no; shown in the report."""

    waivers: tuple[Waiver, ...] = ()


class Registry(Section):
    """What goes into the model registry."""

    name: Name = "finescale"
    method: Name = "bcsd"


class Settings(Section):
    """All of params.yaml."""

    seed: int = Field(0, ge=0, description="The one seed of every random draw.")
    world: World | None = None
    data: Data
    split: Split
    coarse: Coarse = Coarse()
    correct: Correct
    climate: Climate = Climate()
    priors: dict[Name, Prior] = Field(default_factory=dict)
    downscale: Downscale
    score: Score = Score()
    gates: Gates = Gates()
    registry: Registry = Registry()

    @model_validator(mode="after")
    def _methods_have_their_priors(self) -> "Settings":
        for method in self.downscale.methods:
            if method not in GENERATIVE:
                continue
            wanted = self.downscale.generative(method)
            if wanted is None:
                raise ValueError(
                    f"downscale.methods names {method}: add a section downscale.{method} with its prior"
                )
            if wanted.prior not in self.priors:
                raise ValueError(
                    f"downscale.{method}.prior is {wanted.prior}: priors holds {list(self.priors)}"
                )
        return self

    @model_validator(mode="after")
    def _registered_method_runs(self) -> "Settings":
        if self.registry.method not in self.downscale.methods:
            raise ValueError(
                f"registry.method must be one of downscale.methods: {self.registry.method} is not in "
                f"{list(self.downscale.methods)}"
            )
        return self

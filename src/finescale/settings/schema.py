"""All of params.yaml, and the sections on methods, scores, gates and the registry."""

import math
from collections.abc import Mapping
from difflib import get_close_matches

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from finescale.settings.cluster import Cluster
from finescale.settings.data import Coarse, Correct, Data, Split, World
from finescale.settings.latent import AnyPrior, LatentPrior
from finescale.settings.learning import Climate, Generative
from finescale.settings.operation import Production, Promotion
from finescale.settings.section import Name, Period, Section

BUILT_IN = ("bilinear", "bcsd", "gaussian")  # methods that need no section of their own


class Bcsd(Section):
    """Bias-corrected spatial disaggregation."""

    harmonics: int = Field(2, ge=0, le=6, description="Harmonics of the year in the climatologies.")


class Gaussian(Section):
    """Conditional simulation of the fitted climate."""

    error_scale: float = Field(
        1.0,
        ge=0,
        description="Factor on the estimated standard error of the coarse data (R); 0 takes them as exact.",
    )
    together: bool = Field(
        False,
        description="Draw the leading EOFs with what they know of one another's past, as generative methods do.",
    )


class Downscale(Section):
    """How each method is run; every further section is a generative method by its own name."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Generative] = Field(init=False)

    methods: tuple[Name, ...] = Field(("bilinear", "bcsd"), min_length=1)
    members: int = Field(16, ge=1, le=1000)
    scenario: str = Field("ssp245", description="Experiment of the climate models that is downscaled.")
    period: Period | None = Field(None, description="Days of the climate models to downscale.")
    bcsd: Bcsd = Bcsd()
    gaussian: Gaussian = Gaussian()

    @property
    def sections(self) -> Mapping[str, Generative]:
        """The generative methods that are described, whether or not they are run."""
        return self.__pydantic_extra__

    @model_validator(mode="before")
    @classmethod
    def _sections_describe_methods(cls, given: object) -> object:
        """A key that holds nothing of a method's section is a misspelt one."""
        if isinstance(given, Mapping):
            wrong = [
                InitErrorDetails(type="extra_forbidden", loc=(str(key),), input=value)
                for key, value in given.items()
                if key not in cls.model_fields
                and not (isinstance(value, Mapping) and set(value) & set(Generative.model_fields))
            ]
            if wrong:
                raise ValidationError.from_exception_data("downscale", wrong)
        return given

    @model_validator(mode="after")
    def _methods_exist(self) -> "Downscale":
        known = (*BUILT_IN, *self.sections)
        if len({*self.methods}) < len(self.methods):
            raise ValueError(f"methods must name each once: {', '.join(self.methods)}; leave one out")
        for method in self.methods:
            if method not in known:
                near = get_close_matches(method, known, n=1)
                hint = f"did you mean {near[0]}? " if near else ""
                raise ValueError(
                    f"methods names {method}: {hint}there are {', '.join(known)}; "
                    f"or add a section downscale.{method} with its prior"
                )
        return self


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
    correct: Correct | None = Field(None, description="Needed as soon as there is a climate model.")
    climate: Climate = Climate()
    priors: dict[Name, AnyPrior] = Field(default_factory=dict)
    downscale: Downscale
    score: Score = Score()
    gates: Gates = Gates()
    registry: Registry = Registry()
    production: Production = Production()
    cluster: Cluster = Cluster()
    promotion: Promotion = Promotion()

    @model_validator(mode="after")
    def _sources_can_be_found(self) -> "Settings":
        series = [
            self.data.reference,
            *([self.data.static] if self.data.static else []),
            *self.data.gcms.values(),
        ]
        if self.data.catalogue is None and any(source.facets for source in series):
            raise ValueError(
                "data.catalogue is missing: a source is named by facets; name a catalogue or files"
            )
        return self

    @model_validator(mode="after")
    def _models_are_corrected(self) -> "Settings":
        if self.data.gcms:
            for name, value in (("correct", self.correct), ("downscale.period", self.downscale.period)):
                if value is None:
                    raise ValueError(f"{name} is missing: data.gcms names climate models; add it")
        return self

    @model_validator(mode="after")
    def _methods_have_their_priors(self) -> "Settings":
        there = ", ".join(self.priors) or "nothing"
        for method, wanted in self.downscale.sections.items():
            if wanted.prior not in self.priors:
                wrong = PydanticCustomError("prior", "no such prior: priors holds {there}", {"there": there})
                where = ("downscale", method, "prior")
                raise ValidationError.from_exception_data(
                    "settings", [InitErrorDetails(type=wrong, loc=where, input=wanted.prior)]
                )
        return self

    @model_validator(mode="after")
    def _windows_fit_into_the_gaps(self) -> "Settings":
        for name, prior in self.priors.items():
            if prior.window > self.split.gap:
                raise ValueError(
                    f"split.gap is {self.split.gap} h: the windows of priors.{name} reach over {prior.window} h; "
                    "widen the gap, so that no window reaches from one block into another"
                )
        return self

    @model_validator(mode="after")
    def _latent_priors_fit(self) -> "Settings":
        for name, prior in self.priors.items():
            if not isinstance(prior, LatentPrior):
                continue
            told = prior.predictors or self.data.variables
            unknown = {*prior.variables, *told} - {*self.data.variables}
            if unknown:
                raise ValueError(
                    f"priors.{name} names {', '.join(sorted(unknown))}: data.variables holds "
                    f"{', '.join(self.data.variables)}"
                )
            other = self.priors.get(prior.parts or name)
            if not isinstance(other, LatentPrior) or other.parts not in (None, prior.parts):
                raise ValueError(
                    f"priors.{name}.parts is {prior.parts}: name a latent prior with parts of its own"
                )
            for key in ("variables", "predictors", "context", "scaling", "crop"):
                if getattr(prior, key) != getattr(other, key):
                    raise ValueError(
                        f"priors.{name}.{key} must be that of {prior.parts}, whose parts it takes"
                    )
        for method, section in self.downscale.sections.items():
            if section.answer == "mean" and not isinstance(self.priors[section.prior], LatentPrior):
                raise ValueError(
                    f"downscale.{method}.answer is mean: {section.prior} is no latent prior and has no mean network"
                )
        return self

    @model_validator(mode="after")
    def _crops_fit(self) -> "Settings":
        """Said here, because the last stage of a latent prior would find out only when two are trained."""
        for name, prior in self.priors.items():
            if prior.crop is None:
                continue
            if isinstance(prior, LatentPrior):
                cells = prior.autoencoder.factor
                wanted = math.lcm(
                    self.coarse.factor, cells * prior.network.divisor, prior.mean.network.divisor
                )
                least = self.coarse.factor * (prior.physics.block + 2)
                if prior.physics.rho and prior.physics.flux and prior.crop < least:
                    raise ValueError(
                        f"priors.{name}.crop is {prior.crop}: the flux balance needs a block of "
                        f"{prior.physics.block} coarse cells with one more all around; choose {least} or more, a "
                        "smaller physics.block, or set physics.flux to 0"
                    )
            else:
                wanted = math.lcm(self.coarse.factor, prior.network.divisor)
                if prior.objective == "denoise" and prior.preconditioning == "wiener":
                    raise ValueError(
                        f"priors.{name}.crop is {prior.crop}: preconditioning wiener corrects a climate of the whole "
                        "domain, which says nothing of a crop; choose preconditioning edm or leave crop out"
                    )
            if prior.crop % wanted:
                raise ValueError(
                    f"priors.{name}.crop is {prior.crop}: coarse cells, network and latents divide it into {wanted} "
                    f"cells; choose a multiple of {wanted}"
                )
        for method, section in self.downscale.sections.items():
            if section.overlap is not None and self.priors[section.prior].crop is None:
                raise ValueError(
                    f"downscale.{method}.overlap is {section.overlap}: priors.{section.prior} is trained on its whole "
                    "domain and draws without tiles; leave overlap out or give the prior a crop"
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

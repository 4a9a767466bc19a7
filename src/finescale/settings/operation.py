"""Sections on what happens to a model after it is built: production of ensembles, promotion in the registry."""

from itertools import pairwise

from pydantic import Field, model_validator

from finescale.settings.section import Name, Period, Section


class Production(Section):
    """What is produced with a model: climate models x scenarios x periods x blocks of members."""

    model: str = Field(
        "models:/finescale@champion", description="A registered model, or the folder of a method."
    )
    gcms: tuple[Name, ...] = Field((), description="Climate models of `data.gcms`; all of them when empty.")
    scenarios: tuple[str, ...] = Field(("ssp245",), min_length=1, description="Experiments of the catalogue.")
    periods: tuple[Period, ...] = Field(
        (), description="First and last days, a store each; `downscale.period` when empty."
    )
    members: int = Field(8, ge=1, le=1000, description="Members for each climate model and scenario.")
    block: int = Field(4, ge=1, le=1000, description="Members in one store.")
    seed: int = Field(0, ge=0, description="Decides every draw.")
    margin: int | None = Field(
        None,
        ge=0,
        le=60,
        description="Days drawn beyond each end of a period and cut off; as many as the method remembers when null, "
        "so that periods join.",
    )
    out: str = Field(
        "products/default", min_length=1, description="Folder of the product, seen from the project's."
    )

    @model_validator(mode="after")
    def _periods_run_forwards(self) -> "Production":
        for first, last in self.periods:
            if last < first:
                raise ValueError(f"a period must not end before it begins: {first} .. {last}")
        for (first, last), (other, end) in pairwise(sorted(self.periods)):
            if other <= last:
                raise ValueError(
                    f"periods must not share days, which summaries would count twice: {first} .. {last} and "
                    f"{other} .. {end}; name each day once"
                )
        return self

    @model_validator(mode="after")
    def _each_is_named_once(self) -> "Production":
        for key, names in (("gcms", self.gcms), ("scenarios", self.scenarios)):
            if len({*names}) < len(names):
                raise ValueError(f"{key} must name each once: {', '.join(names)}; leave one out")
        return self


class Promotion(Section):
    """When a challenger takes the champion's place."""

    gain: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the champion's CRPS to be gained on every variable, beyond noise.",
    )
    calibration: float = Field(
        0.05,
        ge=0,
        description="How much farther than the champion's the spread may be from the error (1 is right).",
    )
    reliability: float = Field(
        0.05, ge=0, description="How much more uneven than the champion's the histogram of ranks may be."
    )
    waived: bool = Field(False, description="Whether a model may be promoted whose gates were waived.")
    resamples: int = Field(1000, ge=100, le=10_000, description="Draws of days behind the 95 % intervals.")

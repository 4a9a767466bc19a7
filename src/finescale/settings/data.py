"""Sections on data: the invented world, the catalogue, the blocks of days, H, and the bias correction."""

from datetime import date, datetime
from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from finescale.settings.section import Name, Period, Section


class World(Section):
    """The invented world of the demo; leave the section out to use your own catalogue."""

    seed: int = Field(0, ge=0, description="Seed of land and weather.")
    cells: int = Field(48, ge=16, description="Fine cells along each side of the reference domain.")
    factor: int = Field(8, ge=2, description="Fine cells along each side of a model's cell.")
    reference_start: date = date(2001, 1, 1)
    reference_end: date = date(2003, 2, 15)
    historical_start: date = date(2001, 1, 1)
    historical_end: date = date(2004, 12, 30)
    scenario_start: date = date(2015, 1, 1)
    scenario_end: date = date(2018, 12, 30)
    truth_start: date = Field(date(2016, 1, 5), description="First day whose fine hourly truth is kept.")
    truth_end: date = Field(date(2016, 2, 4), description="The day after the last one.")
    storm: datetime = Field(datetime(2003, 1, 18, 12), description="When the severe storm crosses.")


Facets = dict[str, str | list[str]]


class Series(Section):
    """One source: rows of the catalogue, or files of its own."""

    facets: Facets = Field(
        default_factory=dict, description="Columns of the catalogue and their wanted values."
    )
    each: dict[str, Facets] = Field(
        default_factory=dict,
        description="Facets of single variables over the common ones: {tas: {table_id: 3hr}}.",
    )
    historical: Period | None = Field(
        None, description="First and last day of a model's historical run to read; all when left out."
    )
    join: bool = Field(
        False, description="Whether the scenario goes on where the historical run ends inside `historical`."
    )
    files: tuple[str, ...] = Field((), description="Files, stores or patterns instead of the catalogue.")
    preset: Literal["cf", "era5", "cosmo-rea6", "cerra", "e-obs"] = Field(
        "cf", description="What the product leaves unsaid; for `files`."
    )
    truth: Facets | None = Field(
        None, description="Facets of the fine truth behind an invented model; none for a real one."
    )
    period: Period | None = Field(
        None, description="First and last day to read (of a model: of its scenario); all when left out."
    )
    calendar: tuple[str, Literal["same-date", "nearest-day"]] | None = Field(
        None, description="Calendar to convert to and the policy; the source's own is kept when left out."
    )
    same_days: bool = Field(
        False,
        description="Whether a coarse product has the weather of the reference's own days (an analysis).",
    )
    gaps: Literal["refuse", "allow"] = Field(
        "refuse", description="Whether jumps in time (winters only) are meant."
    )
    step: tuple[float, float] | None = Field(
        None,
        description="Degrees of latitude and longitude of the regular grid over `data.region` that a rotated or "
        "projected reference is brought to.",
    )
    winds: Literal["earth", "grid"] | None = Field(
        None, description="What uas and vas follow on a rotated grid; their standard names when left out."
    )
    accumulation_hours: float | None = Field(
        None, gt=0, description="Hours behind amounts (mm, m of water) whose bounds do not say."
    )

    @model_validator(mode="after")
    def _one_door(self) -> "Series":
        if bool(self.facets) == bool(self.files):
            raise ValueError("a source has either facets (of the catalogue) or files")
        if self.join and self.historical is None:
            raise ValueError("a joined run needs `historical`: the days to read over the seam")
        return self


class Data(Section):
    """Where the climate comes from."""

    catalogue: str | None = Field(
        None, description="Path or URL of an intake-esm catalogue; not needed where sources name files."
    )
    variables: tuple[Name, ...] = Field(min_length=1, description="CF short names, the same in every source.")
    region: tuple[float, float, float, float] | None = Field(
        None, description="South, north, west, east in degrees; cut out before data moves."
    )
    margin: int = Field(2, ge=0, description="Cells of a climate model to keep beyond the region.")
    reference: Series
    static: Series | None = Field(
        None, description="Orography and land fraction on the reference's grid, if there are any."
    )
    gcms: dict[Name, Series] = Field(default_factory=dict, description="Climate models by a short name.")

    @model_validator(mode="after")
    def _grid_has_a_place(self) -> "Data":
        if self.reference.step is not None and self.region is None:
            raise ValueError("reference.step makes a grid over data.region: name the region")
        return self


class Shares(Section):
    """Parts of the reference, in order of time."""

    train: float = Field(0.8, gt=0, lt=1)
    validation: float = Field(0.1, gt=0, lt=1)
    test: float = Field(0.1, gt=0, lt=1)

    @model_validator(mode="after")
    def _whole(self) -> "Shares":
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise ValueError(f"shares must sum to one: {self.train} + {self.validation} + {self.test}")
        return self


class Split(Section):
    """Blocks of days to learn from, to watch the learning with, and to judge on: stated, or cut by shares."""

    train: Period | None = None
    validation: Period | None = None
    test: Period | None = None
    shares: Shares | None = Field(
        None, description="Instead of days: consecutive shares of a reference that is short."
    )
    gap: int = Field(24, ge=0, description="Free hours between two blocks; at least the longest window.")

    @model_validator(mode="after")
    def _apart(self) -> "Split":
        given = {"train": self.train, "validation": self.validation, "test": self.test}
        stated = {name: block for name, block in given.items() if block is not None}
        if self.shares is not None:
            if stated:
                raise ValueError(
                    f"a split has either days or shares: {', '.join(stated)} stand beside shares"
                )
            return self
        if missing := sorted(given.keys() - stated.keys()):
            raise ValueError(
                f"a split has train, validation and test, or shares: {', '.join(missing)} is missing"
            )
        blocks = sorted(stated.items(), key=lambda b: b[1])
        for _, (first, last) in blocks:
            if last < first:
                raise ValueError(f"a block must not end before it begins: {first} .. {last}")
        for (name, (_, last)), (other, (first, _)) in pairwise(blocks):
            if ((first - last).days - 1) * 24 < self.gap:
                raise ValueError(
                    f"{name} and {other} must lie {self.gap} free hours apart: {last} and {first}; "
                    "shorten one of them"
                )
        return self

    def words(self, block: str) -> str:
        """A block as people read it."""
        stated = getattr(self, block)
        if stated is None:
            return f"{getattr(self.shares, block):.0%} of the reference"
        return f"{stated[0]} to {stated[1]}"


class Coarse(Section):
    """The observation operator H: how coarse the conditioning data is."""

    factor: int = Field(8, ge=2, description="Fine cells to a coarse cell along each axis.")
    every: Literal[1, 2, 3, 4, 6, 8, 12, 24] = Field(6, description="Hours between coarse times (UTC clock).")
    how: Literal["instant", "mean"] = Field(
        "instant", description="Value at the hour, or mean over the hours."
    )


class Correct(Section):
    """Bias correction of the climate models."""

    method: Literal["identity", "scaling", "eqm", "dqm", "qdm", "mbcn"] = "eqm"
    calibration: Period = Field(description="Years in which the model is mapped onto the reference.")
    quantiles: int = Field(50, ge=5, le=1000)
    season: Literal["year", "season", "month", "dayofyear"] = Field(
        "dayofyear",
        description="What shares a map: all of the year, a season, a month, or days around each day.",
    )
    window: int = Field(35, ge=5, le=365, description="Days pooled around each five days; for `dayofyear`.")
    hours: bool = Field(True, description="Whether each hour of the day has maps of its own.")
    tails: Literal["constant", "pareto"] = Field("constant", description="Beyond the outermost quantiles.")

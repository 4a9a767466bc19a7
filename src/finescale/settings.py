"""The one schema of params.yaml: frozen, checked once, every unknown key an error that names its line."""

import difflib
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from finescale.errors import FinescaleError

Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Period = tuple[date, date]


class Section(BaseModel):
    """A part of params.yaml: immutable, no key beyond those declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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


class Series(Section):
    """One source in the catalogue: the facets that select it."""

    facets: dict[str, str | list[str]] = Field(
        description="Columns of the catalogue and their wanted values."
    )
    truth: dict[str, str | list[str]] | None = Field(
        None, description="Facets of the fine truth behind an invented model; none for a real one."
    )
    period: Period | None = Field(None, description="First and last day to read; all of it when left out.")


class Data(Section):
    """Where the climate comes from."""

    catalogue: str = Field(description="Path or URL of an intake-esm catalogue.")
    variables: tuple[Name, ...] = Field(min_length=1, description="CF short names, the same in every source.")
    reference: Series
    static: dict[str, str | list[str]] = Field(description="Facets of the orography and land fraction.")
    gcms: dict[Name, Series] = Field(default_factory=dict, description="Climate models by a short name.")


class Split(Section):
    """Blocks of days; the gaps between them must be longer than any window."""

    train: Period
    validation: Period
    test: Period

    @model_validator(mode="after")
    def _apart(self) -> "Split":
        blocks = sorted(
            [("train", self.train), ("validation", self.validation), ("test", self.test)], key=lambda b: b[1]
        )
        for _, (first, last) in blocks:
            if last < first:
                raise ValueError(f"a block must not end before it begins: {first} .. {last}")
        for (name, (_, last)), (other, (first, _)) in pairwise(blocks):
            if (first - last).days < 2:
                raise ValueError(f"{name} and {other} must lie at least two days apart: {last} and {first}")
        return self


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
    window: int = Field(31, ge=1, le=365, description="Days of year pooled around each day.")


class Bcsd(Section):
    """Bias-corrected spatial disaggregation."""

    harmonics: int = Field(2, ge=1, le=6, description="Harmonics of the year in the climatologies.")


class Downscale(Section):
    """How each method is run; one section a method."""

    methods: tuple[Literal["bilinear", "bcsd"], ...] = Field(("bilinear", "bcsd"), min_length=1)
    members: int = Field(16, ge=1, le=1000)
    scenario: str = Field("ssp245", description="Experiment of the climate models that is downscaled.")
    period: Period = Field(description="Days of the climate models to downscale.")
    bcsd: Bcsd = Bcsd()


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
    downscale: Downscale
    score: Score = Score()
    gates: Gates = Gates()
    registry: Registry = Registry()

    @model_validator(mode="after")
    def _registered_method_runs(self) -> "Settings":
        if self.registry.method not in self.downscale.methods:
            raise ValueError(
                f"registry.method must be one of downscale.methods: {self.registry.method} is not in "
                f"{list(self.downscale.methods)}"
            )
        return self


def load_settings(path: Path) -> Settings:
    """Read and check params.yaml.

    Args:
        path: The YAML file.

    Raises:
        FinescaleError: The file is missing, is no YAML, or breaks the schema; the message names each line.
    """
    if not path.is_file():
        raise FinescaleError(
            f"settings must exist: no file {path.name} in this folder; run from the project's folder"
        )
    text = path.read_text(encoding="utf-8")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FinescaleError(f"{path.name} must be YAML: {' '.join(str(error).split())}") from error
    _check_quotes(path.name, root)
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        found = [_explain(path.name, root, detail) for detail in error.errors()]
        raise FinescaleError("\n".join(found)) from error


def _check_quotes(file: str, node: yaml.Node | None) -> None:
    """Dates must be texts: DVC, which reads the same file, knows no dates."""
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":timestamp"):
        raise FinescaleError(
            f'{file}, line {node.start_mark.line + 1}: dates must stand in quotes: {node.value}; write "{node.value}"'
        )
    if isinstance(node, yaml.MappingNode | yaml.SequenceNode):
        for child in node.value:
            for part in child if isinstance(child, tuple) else (child,):
                _check_quotes(file, part)


def given(settings: Settings, name: str) -> bool:
    """Whether params.yaml itself holds a dotted name, or a default stands in for it."""
    value: Any = settings
    for part in name.split("."):
        if isinstance(value, BaseModel):
            if part not in value.model_fields_set:
                return False
            value = getattr(value, part)
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return False
    return True


def _explain(file: str, root: yaml.Node | None, detail: ErrorDetails) -> str:
    """Turn one finding of the schema into a line: where, what, what is allowed."""
    loc = detail["loc"]
    where = ".".join(str(part) for part in loc) or "the file"
    line = _line(root, loc)
    if detail["type"] == "extra_forbidden":
        allowed = _allowed(loc[:-1])
        near = difflib.get_close_matches(str(loc[-1]), allowed, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{file}, line {line}: unknown key {where}; {hint}allowed: {', '.join(allowed)}"
    if detail["type"] == "missing":
        return f"{file}, line {line}: missing key {where}"
    message = detail["msg"].removeprefix("Value error, ")
    given = "" if isinstance(detail["input"], dict) else f", not {detail['input']!r}"
    return f"{file}, line {line}: {where}: {message}{given}"


def _line(node: yaml.Node | None, loc: tuple[int | str, ...]) -> int:
    """Line of the deepest part of ``loc`` that the file holds."""
    line = 1 if node is None else node.start_mark.line + 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if pair is None:
                return line
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _allowed(loc: tuple[int | str, ...]) -> list[str]:
    """Keys that the section at ``loc`` declares."""
    kind: Any = Settings
    for part in loc:
        if isinstance(kind, type) and issubclass(kind, Section):
            kind = kind.model_fields[str(part)].annotation if str(part) in kind.model_fields else kind
        kind = next((a for a in _unfold(kind) if isinstance(a, type) and issubclass(a, Section)), kind)
    return sorted(kind.model_fields) if isinstance(kind, type) and issubclass(kind, Section) else []


def _unfold(kind: Any) -> tuple[Any, ...]:  # noqa: ANN401 - annotations have no common type
    """The types inside an annotation: unions, containers, and the annotation itself."""
    inner = tuple(found for arg in get_args(kind) for found in _unfold(arg))
    return (kind, *inner) if isinstance(kind, type) else inner

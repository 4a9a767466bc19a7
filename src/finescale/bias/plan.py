"""Everything a fitted correction was told, as plain values that JSON can carry."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from finescale.bias.grouping import Grouping
from finescale.bias.sample import Rule
from finescale.bias.tails import TAIL_SHARES
from finescale.climate.variables import VARIABLES
from finescale.errors import FinescaleError

METHODS = ("identity", "scaling", "eqm", "dqm", "qdm", "mbcn")
WET_THRESHOLD = 0.1 / 86400.0
"""kg m-2 s-1: a tenth of a millimetre a day, the least that gauges report."""


@dataclass(frozen=True)
class Options:
    """How quantiles are taken and used.

    Attributes:
        quantiles: their number (spread evenly, at the middles of as many equal bins) or the probabilities themselves.
        interpolation: between quantiles ``linear``, or the ``nearest`` one.
        tails: beyond the outer quantiles the outermost shift (``constant``), or quantiles of a generalised Pareto law
            (``pareto``) up to its own outermost one.
        tail_edge: probability beyond which the Pareto law holds (and its mirror image for the lower tail).
        wet_thresholds: variables whose dry frequency is adapted, with the greatest dry amount in canonical units.
        rank_window: ``qdm`` ranks values within the window; else within the slot alone.
        kinds: errors that multiply (``ratio``) or add (``interval``), where the variable's own kind will not do.
        missing: ``refuse`` any missing value, or ``mask``: cells without any value stay without, gaps of the
            calibration are
            left out of the quantiles, gaps of a run stay gaps.
        iterations: rotations of ``mbcn``.
        joint_grouping: pools in which ``mbcn`` mends the dependence between variables.
        seed: of the rotations and of the amounts that the frequency adaptation gives.
        keep_structure: ``qdm`` keeps the order of the values of each group, and a map that shuffles values or loses the
            model's mean change is refused. False lets settings pass that do so, such as ranks among the few values of
            single days, to compare them with others.
    """

    quantiles: int | tuple[float, ...] = 50
    interpolation: Literal["linear", "nearest"] = "linear"
    tails: Literal["constant", "pareto"] = "constant"
    tail_edge: float = 0.95
    wet_thresholds: Mapping[str, float] | None = None
    rank_window: bool = True
    kinds: Mapping[str, Literal["interval", "ratio"]] | None = None
    missing: Literal["refuse", "mask"] = "refuse"
    iterations: int = 20
    joint_grouping: Grouping = field(default_factory=lambda: Grouping("season"))
    seed: int = 0
    keep_structure: bool = True

    def probabilities(self) -> tuple[float, ...]:
        """Probabilities of the quantiles, tails included."""
        if isinstance(self.quantiles, int):
            half = 0.5 / self.quantiles
            nodes = np.linspace(half, 1.0 - half, self.quantiles)
        else:
            nodes = np.asarray(self.quantiles, dtype=np.float64)
        if nodes.size < 1 or nodes[0] < 0.0 or nodes[-1] > 1.0 or (np.diff(nodes) <= 0.0).any():
            raise FinescaleError(
                f"probabilities of quantiles rise within [0, 1]: {self.quantiles}; "
                "give a number such as 50 or a rising list"
            )
        if self.tails == "pareto":
            edge = self.tail_edge
            nodes = nodes[(nodes >= 1.0 - edge) & (nodes <= edge)]
            tail = 1.0 - (1.0 - edge) * np.asarray(TAIL_SHARES)
            nodes = np.concatenate([1.0 - tail[::-1], [1.0 - edge], nodes, [edge], tail])
        return tuple(float(p) for p in np.unique(np.round(nodes, 12)))


@dataclass(frozen=True)
class Plan:
    """What was fitted: the rule of each variable and the groups they share.

    Attributes:
        rules: one for each variable.
        units: of each variable, the same on both sides.
        grouping: of the univariate maps.
        joint_grouping: of the dependence (``mbcn``).
        hours: minutes of the day with maps of their own; (-1,) for all together.
        missing: what happens to missing values.
        space: dimensions of the grid.
        sizes: of each of them.
        reference_period: first and last day of the calibration, reference.
        historical_period: first and last day of the calibration, model.
        reference_calendar: calendar of the reference.
        historical_calendar: calendar of the model.
    """

    rules: tuple[Rule, ...]
    units: Mapping[str, str]
    grouping: Grouping
    joint_grouping: Grouping
    hours: tuple[int, ...]
    missing: str
    space: tuple[str, ...]
    sizes: tuple[int, ...]
    reference_period: tuple[str, str]
    historical_period: tuple[str, str]
    reference_calendar: str
    historical_calendar: str

    def to_json(self) -> str:
        """The plan as JSON text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """The plan that ``to_json`` wrote."""
        raw: dict[str, Any] = json.loads(text)
        tuples = ("hours", "space", "sizes", "reference_period", "historical_period")
        rules = tuple(Rule(**(r | {"probabilities": tuple(r["probabilities"])})) for r in raw["rules"])
        groupings = {name: Grouping(**raw[name]) for name in ("grouping", "joint_grouping")}
        return cls(**(raw | {name: tuple(raw[name]) for name in tuples} | groupings | {"rules": rules}))


def make_rule(name: str, methods: str | Mapping[str, str], options: Options) -> Rule:
    """The rule of one variable, from one method for all or a method for each."""
    method = methods if isinstance(methods, str) else methods.get(name)
    if method is None:
        raise FinescaleError(
            f"every variable that is corrected has a method: {name} has none; name one, 'identity' keeps it as it is"
        )
    if method not in METHODS:
        raise FinescaleError(
            f"a bias correction has one of the known names: {method!r} for {name}; choose from {', '.join(METHODS)}"
        )
    known = VARIABLES.get(name)
    kind = (options.kinds or {}).get(name) or (known.kind if known else "interval")
    thresholds = {"pr": WET_THRESHOLD} if options.wet_thresholds is None else options.wet_thresholds
    return Rule(
        name=name,
        method=method,
        kind=kind,
        probabilities=options.probabilities(),
        interpolation=options.interpolation,
        tail=options.tail_edge if options.tails == "pareto" else 1.0,
        wet_threshold=thresholds.get(name),
        rank_window=options.rank_window,
        seed=options.seed,
        keep_structure=options.keep_structure,
    )

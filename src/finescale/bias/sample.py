"""One variable over one block of cells, as plain arrays: what the methods work on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from finescale.bias.compiled import Floats
from finescale.bias.grouping import Index

Tables = dict[str, Floats]


@dataclass(frozen=True)
class Sample:
    """Values of one variable in a block of cells.

    Attributes:
        values: canonical units [cell, time].
        index: the groups of the time steps.
        days: time in days since the first step [time].
        stamps: a whole number for each instant, the same in every run [time].
        cells: number of each cell in its grid, the same whatever the blocks [cell].
    """

    values: Floats
    index: Index
    days: Floats
    stamps: NDArray[np.int64]
    cells: NDArray[np.int64]


@dataclass(frozen=True)
class Rule:
    """How one variable is mapped.

    Attributes:
        name: the variable.
        method: name of the method.
        kind: errors add (``interval``) or multiply (``ratio``).
        probabilities: of the quantiles [quantile].
        interpolation: between quantiles ``linear``, or the ``nearest`` one.
        tail: probability beyond which quantiles come from a generalised Pareto law; 1 for none.
        wet_threshold: amounts up to this are dry and their frequency is adapted; None for none. Canonical units.
        rank_window: quantile delta mapping ranks values within the window (else within the slot alone).
        seed: of the amounts given to dry steps by the frequency adaptation.
        keep_structure: refuse to shuffle values or to lose the mean change.
    """

    name: str
    method: str
    kind: Literal["interval", "ratio"]
    probabilities: tuple[float, ...]
    interpolation: Literal["linear", "nearest"] = "linear"
    tail: float = 1.0
    wet_threshold: float | None = None
    rank_window: bool = True
    seed: int = 0
    keep_structure: bool = True

    @property
    def nodes(self) -> Floats:
        """Probabilities as an array [quantile]."""
        return np.asarray(self.probabilities)

    @property
    def ratio(self) -> bool:
        """True when errors multiply."""
        return self.kind == "ratio"

    @property
    def nearest(self) -> bool:
        """True when the nearest quantile is taken."""
        return self.interpolation == "nearest"


class Univariate(Protocol):
    """A method that maps one variable."""

    @property
    def tables(self) -> Mapping[str, tuple[str, ...]]:
        """Dimensions of each fitted array after the cell."""

    def fit(self, reference: Sample, historical: Sample, rule: Rule) -> Tables:
        """Fit the map from the historical run to the reference; arrays [cell, *dimensions]."""

    def apply(self, tables: Tables, simulation: Sample, rule: Rule) -> Floats:
        """Map a run of the same model [cell, time]."""

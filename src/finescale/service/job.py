"""A production in nouns: the model, the pieces, what became of each; small, frozen, fit to travel to other machines."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from finescale.settings import Production

State = Literal["produced", "kept", "failed", "skipped"]


@dataclass(frozen=True)
class Model:
    """The one model of a production, its folder copied so that a promotion meanwhile changes nothing.

    Attributes:
        uri: As it was asked for.
        version: Name and number in the registry, or the folder's name.
        digest: Hash of its files.
        method: Kind of the method.
        draws: Whether members differ; a deterministic method has one.
    """

    uri: str
    version: str
    digest: str
    method: str
    draws: bool


@dataclass(frozen=True)
class Piece:
    """One store: some members of one climate model under one scenario over one period.

    Attributes:
        gcm: Short name of the climate model.
        scenario: Experiment.
        period: First and last day.
        first: Number of its first member.
        count: Members.
    """

    gcm: str
    scenario: str
    period: tuple[date, date]
    first: int
    count: int

    @property
    def span(self) -> str:
        """The period as a word."""
        return "-".join(day.strftime("%Y%m%d") for day in self.period)

    @property
    def block(self) -> str:
        """The members as a word."""
        return f"{self.first:03d}-{self.first + self.count - 1:03d}"

    @property
    def name(self) -> str:
        """What it is called in manifests and logs, and where it lies below ``stores``."""
        return f"{self.gcm}/{self.scenario}/{self.span}/members-{self.block}"


@dataclass(frozen=True)
class Result:
    """What became of a piece.

    Attributes:
        piece: Its name.
        state: Produced now, kept from before, failed, or skipped because there is nothing to produce.
        reason: Why it failed or was skipped.
        transient: Whether another try may help: a remote store, a full disk.
    """

    piece: str
    state: State
    reason: str = ""
    transient: bool = False


@dataclass(frozen=True)
class Job:
    """A production, planned.

    Attributes:
        root: The project.
        out: Folder of the product.
        request: What was asked.
        model: With what.
        pieces: What is to be produced, in order.
        skipped: What was asked and is not to be had.
    """

    root: Path
    out: Path
    request: Production
    model: Model
    pieces: tuple[Piece, ...]
    skipped: tuple[Result, ...] = ()

    def store(self, piece: Piece) -> Path:
        """The Zarr store of a piece."""
        return self.out / "stores" / f"{piece.name}.zarr"

    def sums(self, piece: Piece) -> Path:
        """What its monthly and annual summaries are made of."""
        return self.out / "sums" / f"{piece.name}.zarr"

    def receipt(self, piece: Piece) -> Path:
        """The file that says that a piece is whole."""
        return self.out / "stores" / f"{piece.name}.json"

    @property
    def work(self) -> Path:
        """Folder of what is needed on the way: the model's copy, corrected coarse data, notes to resume from."""
        return self.out / ".work"

    @property
    def folder(self) -> Path:
        """The model's copy."""
        return self.work / f"model-{self.model.digest[:16]}"

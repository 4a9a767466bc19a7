"""The card of a saved method: what it is, the grids it maps between, its fields and their units."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finescale.errors import FinescaleError
from finescale.grid.grid import Grid
from finescale.methods.downscaler import How

FILE = "card.json"


@dataclass(frozen=True)
class Card:
    """What a method's folder says of itself.

    Attributes:
        how: whether coarse values are instants or means up to their stamps; instants where the folder does not say.
        masked: share of the cells of each field that have no values, as in the reference; none where it is not said.
    """

    method: str
    fine: Grid
    coarse: Grid
    variables: dict[str, str]
    how: How = "instant"
    masked: dict[str, float] = field(default_factory=dict)


def save(folder: Path, method: str, fine: Grid, coarse: Grid, variables: dict[str, str]) -> None:
    """Write the card into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    body = {
        "method": method,
        "fine": {"lat": fine.lat, "lon": fine.lon},
        "coarse": {"lat": coarse.lat, "lon": coarse.lon},
        "variables": variables,
    }
    (folder / FILE).write_text(json.dumps(body, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def add(folder: Path, entries: dict[str, Any]) -> None:
    """Add what is known besides to the card of a saved method."""
    body = json.loads((folder / FILE).read_text(encoding="utf-8")) | entries
    (folder / FILE).write_text(json.dumps(body, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load(folder: Path, method: str | None = None) -> Card:
    """Read a card, and refuse a folder that holds none or one of another method."""
    path = folder / FILE
    if not path.is_file():
        raise FinescaleError(
            f"a model's folder must hold {FILE}: {folder.name} has none; choose another folder"
        )
    body = json.loads(path.read_text(encoding="utf-8"))
    if method is not None and body["method"] != method:
        raise FinescaleError(
            f"{folder.name} holds the method {body['method']}, not {method}; load it by its own name"
        )
    grids = {
        which: Grid(tuple(body[which]["lat"]), tuple(body[which]["lon"])) for which in ("fine", "coarse")
    }
    known = body.get("how", "instant"), body.get("masked", {})
    return Card(body["method"], grids["fine"], grids["coarse"], dict(body["variables"]), *known)

"""Hand a finished stage to MLflow."""

import json
from pathlib import Path

from finescale.pipeline import store
from finescale.pipeline.costs import Cost
from finescale.pipeline.desk import Desk
from finescale.registry import tracking
from finescale.registry.tracking import Source


def record(desk: Desk, cost: Cost) -> None:
    """Log the stage's run: its settings, metrics, pages and priors, what it took, and the hashes of what it read."""
    files: dict[str, Path] = {}
    metrics = {"wall_s": cost.wall_s, "cpu_s": cost.cpu_s, "peak_mib": cost.peak_mib}
    for name in desk.stage.writes:
        path = desk.root / store.path_of(name)
        if name == "metrics":
            found = flat(json.loads(path.read_text(encoding="utf-8")))
            metrics |= {key: float(str(value)) for key, value in found.items()}
        if store.path_of(name).startswith(("reports/", "models/priors/")):
            files[name] = path
    tracking.record(
        desk.root,
        name=desk.stage.name,
        params=settings(desk),
        metrics=metrics,
        history=desk.history,
        files=files,
        sources=sources(desk.root, desk.stage.reads),
        tags={"stage": desk.stage.name},
    )


def settings(desk: Desk) -> dict[str, object]:
    """The stage's settings by dotted name."""
    found: dict[str, object] = {}
    for name in desk.stage.settings:
        value = desk.setting(name)
        body = value.model_dump(mode="json") if hasattr(value, "model_dump") else value
        found |= flat({name: body}) if isinstance(body, dict) else {name: body}
    return found


def sources(root: Path, names: tuple[str, ...]) -> tuple[Source, ...]:
    """Artefacts with the hashes that dvc.lock records for them."""
    return tuple(
        Source(name, store.path_of(name), digest)
        for name in names
        if (digest := store.digest(root, name)) is not None
    )


def flat(body: dict[str, object], prefix: str = "") -> dict[str, object]:
    """A nested dict as one level of dotted names."""
    found: dict[str, object] = {}
    for key, value in body.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return found

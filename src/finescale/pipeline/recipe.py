"""What artefacts were made with: the settings and the code of every stage behind them, as dvc.lock records both."""

import json
from pathlib import Path
from typing import Any

from finescale.pipeline import store
from finescale.pipeline.lockfile import recorded


def recipe(root: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Hashes of all settings and of all code behind some artefacts; dashes where nothing is recorded."""
    stages = _behind(recorded(root), {store.path_of(name) for name in names})
    settings = {stage: entry.get("params", {}) for stage, entry in stages.items()}
    code = {
        d["path"]: d["md5"] for entry in stages.values() for d in entry.get("deps", []) if _is_code(d["path"])
    }
    return {"settings digest": _hash(settings), "code digest": _hash(code)}


def _behind(stages: dict[str, Any], paths: set[str]) -> dict[str, Any]:
    """The recorded stages that wrote some paths, and those that wrote what these read."""
    writer = {out["path"]: name for name, entry in stages.items() for out in entry.get("outs", [])}
    found: dict[str, Any] = {}
    todo = list(paths)
    while todo:
        name = writer.get(todo.pop())
        if name is not None and name not in found:
            found[name] = stages[name]
            todo += [dep["path"] for dep in stages[name].get("deps", [])]
    return found


def _is_code(path: str) -> bool:
    return path.startswith("src/")


def _hash(what: dict[str, Any]) -> str:
    return store.fingerprint(json.dumps(what, sort_keys=True)) if what else "-"

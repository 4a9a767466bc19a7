"""A run with other settings than params.yaml's, in a folder of its own: the project's tree stays as it is.

A workspace holds its own params.yaml (the project's, with a preset and single values laid over it), dvc.yaml,
dvc.lock and artefacts. Sources and the model registry are links to the project's, and DVC's cache is shared, so that
what either has made the other restores.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from dvc.config import Config

from finescale.errors import FinescaleError
from finescale.pipeline import store
from finescale.settings.reading import check, compose, merge

LINKED = ("src", "mlruns", ".dvcignore")
# Outputs are links into the cache where the disk allows: a stage never writes into one, it renames a new one over it.
DVC = """\
[core]
    analytics = false
    check_update = false
    autostage = false
    no_scm = true
[cache]
    dir = "{cache}"
    type = "reflink,hardlink,copy"
"""


def workspace(root: Path, preset: str = "", changes: Mapping[str, Any] | None = None) -> Path:
    """Lay a workspace out, or bring it up to date; give its folder.

    Args:
        root: The project.
        preset: Name of a file in presets/, without its ending; none when empty.
        changes: Settings to lay over that, nested as in params.yaml.

    Returns:
        The project's own folder when nothing is laid over its settings.

    Raises:
        FinescaleError: The merged settings break the schema; the message names the file and line of each fault.
    """
    root = store.home(root.resolve())
    if not preset and not changes:
        return root
    overlays = [read_preset(root, preset)] if preset else []
    if changes:
        overlays.append(compose("changes", yaml.safe_dump(dict(changes), sort_keys=False)))
    merged = compose("params.yaml", (root / "params.yaml").read_bytes())
    for overlay in overlays:
        merged = merge(merged, overlay)
    check(merged)
    folder = root / store.WORKSPACES / name_of(preset, changes)
    (folder / ".dvc").mkdir(parents=True, exist_ok=True)
    _link(root, folder)
    _write(folder / ".dvc" / "config", DVC.format(cache=_cache(root)))
    _write(folder / "params.yaml", yaml.serialize(merged, Dumper=yaml.SafeDumper))
    if not (folder / "dvc.lock").exists() and (root / "dvc.lock").is_file():
        _write(folder / "dvc.lock", (root / "dvc.lock").read_text(encoding="utf-8"))
    return folder


def name_of(preset: str, changes: Mapping[str, Any] | None) -> str:
    """The folder's name: the preset's, and a short key of what else is changed."""
    key = store.fingerprint(json.dumps(changes, sort_keys=True, default=str))[:8] if changes else ""
    return "-".join(part for part in (preset or "changed", key) if part)


def read_preset(root: Path, name: str) -> yaml.MappingNode:
    """The tree of one preset."""
    path = root / "presets" / f"{name}.yaml"
    if not path.is_file():
        there = ", ".join(presets(root)) or "none"
        raise FinescaleError(f"a preset is a file in presets/: no {name}.yaml; there are: {there}")
    return compose(f"presets/{name}.yaml", path.read_bytes())


def presets(root: Path) -> list[str]:
    """Names of the project's presets."""
    return sorted(path.stem for path in (root / "presets").glob("*.yaml"))


def _link(root: Path, folder: Path) -> None:
    (root / "mlruns").mkdir(exist_ok=True)
    for name in LINKED:
        if (root / name).exists() and not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..", "..", name))
    shown = root / "reports" / folder.name  # so that all pages are found in one place
    if not shown.is_symlink():
        shown.parent.mkdir(exist_ok=True)
        shown.symlink_to(Path("..", store.WORKSPACES, folder.name, "reports"))


def _cache(root: Path) -> Path:
    """Where the project keeps DVC's cache."""
    if not (root / ".dvc").is_dir():
        raise FinescaleError("the project's folder must hold .dvc: it is missing; copy the whole project")
    settings = Config(str(root / ".dvc"))
    return Path(settings["cache"].get("dir") or root / ".dvc" / "cache").resolve()


def _write(path: Path, text: str) -> None:
    """Write a small file in one rename, unless it holds that text already."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)

"""What stages read that no stage has written: the user's own files, and a catalogue on this disk with its table."""

import json
import os
from glob import glob
from pathlib import Path

from finescale.pipeline import store
from finescale.pipeline.stage import Stage


def address(root: Path, where: str) -> str:
    """A path or URL from the settings as something to open: relative paths start from the project's folder."""
    return where if "://" in where else str(store.home(root.absolute()) / where)


def addresses(root: Path, where: str) -> list[str]:
    """What a path, URL or pattern from the settings names, in order of the names."""
    if "*" not in where or "://" in where:
        return [address(root, where)]
    home = store.home(root.absolute())
    found = glob(where, root_dir=home, recursive=True)  # noqa: PTH207 - a pattern may be absolute
    return [str(home / path) for path in sorted(found)]


def local(root: Path, stage: Stage) -> list[Path]:
    """The files and stores on this disk that a stage's sources name now; one that is missing is the stage's to tell."""
    named = [Path(found) for where in stage.sources if "://" not in where for found in addresses(root, where)]
    tables = [path.parent / table for path in named if path.suffix == ".json" and (table := _table(path))]
    return [path for path in dict.fromkeys((*named, *tables)) if path.exists()]


def inside(root: Path, path: Path) -> str:
    """A path as dvc.yaml names it: from the folder where it lies in the project, in full outside."""
    home, here = store.home(root.absolute()), root.absolute()
    return Path(os.path.relpath(path, here)).as_posix() if path.is_relative_to(home) else path.as_posix()


def state(path: Path) -> str:
    """What tells a file from one that has replaced it."""
    found = path.stat()
    return f"{path}:{found.st_size}:{found.st_mtime_ns}"


def _table(catalogue: Path) -> str:
    """Where a catalogue's description has its table; a broken one is the stage's to tell."""
    try:
        body = json.loads(catalogue.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    table = str(body.get("catalog_file") or "") if isinstance(body, dict) else ""
    return "" if "://" in table else table

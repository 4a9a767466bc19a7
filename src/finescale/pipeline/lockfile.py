"""`dvc.lock`: what DVC recorded of every stage.

DVC writes the file in place, and stages run side by side: one that reads while another's record is being written
would see half of it.
"""

import time
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

# Seconds without a change after which the file counts as whole, and those after which it is read as it is.
QUIET, PATIENCE = 0.5, 30.0
PARAMS = "params.yaml"


def recorded(root: Path) -> dict[str, Any]:
    """The stages by name; none before the first run."""
    lock = root / "dvc.lock"
    end = time.monotonic() + PATIENCE
    while lock.is_file():
        before = lock.stat().st_mtime_ns
        if abs(time.time() - before / 1e9) > QUIET or time.monotonic() > end:
            text = lock.read_text(encoding="utf-8")
            if lock.stat().st_mtime_ns == before or time.monotonic() > end:
                return _parsed(text)
        time.sleep(QUIET / 10)
    return {}


@lru_cache(maxsize=1)
def _parsed(text: str) -> dict[str, Any]:
    """The stages, not to be changed; every input of a stage is asked for, and the demo's file takes .2 s to parse."""
    return dict((yaml.safe_load(text) or {}).get("stages", {}))


def forget(root: Path, stages: Collection[str]) -> None:
    """Take stages out of the record, in the way in which DVC changes it: they count as never run."""
    if not stages:
        return
    from dvc.utils.serialize import modify_yaml  # brings much of DVC

    with modify_yaml(str(root / "dvc.lock")) as body:
        for name in stages:
            del body["stages"][name]

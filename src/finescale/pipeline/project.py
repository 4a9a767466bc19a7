"""A project's folder: its settings, its stages, and DVC made ready in it."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from finescale.errors import FinescaleError
from finescale.pipeline import dvcfile
from finescale.pipeline.executor import blocked, environment
from finescale.pipeline.ledger import ledger
from finescale.pipeline.lockfile import PARAMS, recorded
from finescale.pipeline.stage import Stage
from finescale.pipeline.wiring import upstream
from finescale.settings import Settings, load_settings

NO_SCM = "[core]\n    no_scm = true\n"


@dataclass(frozen=True)
class Project:
    """The folder that holds params.yaml."""

    root: Path

    @cached_property
    def settings(self) -> Settings:
        """What params.yaml says."""
        return load_settings(self.root / PARAMS)

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The ledger under these settings."""
        return ledger(self.settings)

    def stage(self, name: str) -> Stage:
        """One stage by its name."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise FinescaleError(f"no stage {name}; there are: {', '.join(s.name for s in self.stages)}")

    def chosen(self, names: Sequence[str]) -> tuple[Stage, ...]:
        """The named stages and all that they need, in the ledger's order; all stages when none is named."""
        return upstream(self.stages, [self.stage(name).name for name in names]) if names else self.stages

    def prepare(self) -> bool:
        """Make the folder ready for DVC; tells whether dvc.yaml had to be rendered anew.

        A copy of the project without git (an archive, an image) works too: DVC is told so in its local settings.
        """
        local = self.root / ".dvc" / "config.local"
        inside_git = any((folder / ".git").exists() for folder in (self.root, *self.root.parents))
        if not (self.root / ".dvc").is_dir():
            raise FinescaleError("the project's folder must hold .dvc: it is missing; copy the whole project")
        if not inside_git and not local.is_file():
            local.write_text(NO_SCM, encoding="utf-8")
        return dvcfile.write(self.root, self.stages, self.settings)

    def stale(self, names: Sequence[str] = ()) -> dict[str, list[str]]:
        """Stages that DVC would not leave alone, with the reasons, as DVC sees them now.

        Args:
            names: Ask of these, and of what they need; of all when none is named.
        """
        asked = [stage.name for stage in self.chosen(names)] if names else []
        found = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "dvc", "status", "--json", *asked],
            cwd=self.root,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if found.returncode:
            if holder := blocked(found.stderr.splitlines()):
                raise FinescaleError(f"what is stale is known when nobody works: {holder}; let it end")
            raise FinescaleError(f"DVC could not tell what is stale: {found.stderr.strip().splitlines()[-1]}")
        status: dict[str, list[Any]] = json.loads(found.stdout or "{}")
        locked = recorded(self.root)
        raw = yaml.safe_load((self.root / PARAMS).read_text(encoding="utf-8"))
        return {
            stage: [why for entry in entries for why in _reasons(entry, locked[stage], raw)]
            if stage in locked
            else ["no run of it is recorded"]
            for stage, entries in status.items()
        }


def _reasons(
    entry: dict[str, dict[str, Any]] | str, locked: dict[str, Any], raw: dict[str, Any]
) -> list[str]:
    """DVC's finding as a phrase for each file or setting."""
    if isinstance(entry, str):
        return [entry]
    reasons: list[str] = []
    before = locked.get("params", {}).get(PARAMS, {})
    for what, found in entry.items():
        kind = "output" if what == "changed outs" else "input"
        for path, how in found.items():
            if isinstance(how, dict):
                reasons += [why for key in how for why in _changes(key, before.get(key), _pick(raw, key))]
            else:
                reasons.append(f"{kind} {path} {how}")
    return reasons


def _changes(name: str, before: object, now: object) -> list[str]:
    """Which values differ inside a setting, by their full names."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = dict.fromkeys((*before, *now))
        return [why for key in names for why in _changes(f"{name}.{key}", before.get(key), now.get(key))]
    return [] if before == now else [f"setting {name}: {_shown(before)} -> {_shown(now)}"]


def _shown(value: object) -> str:
    return "(default)" if value is None else str(value)


def _pick(raw: dict[str, Any], name: str) -> object:
    value: Any = raw
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value

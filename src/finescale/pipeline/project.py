"""A project's folder: its settings, its stages, and DVC made ready in it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from finescale.errors import FinescaleError
from finescale.pipeline import dvcfile
from finescale.pipeline.executor import environment
from finescale.pipeline.ledger import ledger
from finescale.pipeline.stage import Stage
from finescale.settings import Settings, load_settings

NO_SCM = "[core]\n    no_scm = true\n"


@dataclass(frozen=True)
class Project:
    """The folder that holds params.yaml."""

    root: Path

    @cached_property
    def settings(self) -> Settings:
        """What params.yaml says."""
        return load_settings(self.root / "params.yaml")

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

    def stale(self) -> dict[str, list[str]]:
        """Stages that DVC would not leave alone, with the reasons, as DVC sees them now."""
        found = subprocess.run(
            [sys.executable, "-m", "dvc", "status", "--json"],
            cwd=self.root,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if found.returncode:
            raise FinescaleError(f"DVC could not tell what is stale: {found.stderr.strip().splitlines()[-1]}")
        status: dict[str, list[Any]] = json.loads(found.stdout or "{}")
        return {
            stage: [why for entry in entries for why in _reasons(entry)] for stage, entries in status.items()
        }


def _reasons(entry: dict[str, dict[str, Any]] | str) -> list[str]:
    """DVC's finding as a phrase for each file or parameter."""
    if isinstance(entry, str):
        return [entry]
    reasons: list[str] = []
    for what, found in entry.items():
        kind = what.removeprefix("changed ").rstrip("s")
        for path, how in found.items():
            if isinstance(how, dict):
                reasons += [f"setting {key} {state}" for key, state in how.items()]
            else:
                reasons.append(f"{'output' if kind == 'out' else 'input'} {path} {how}")
    return reasons

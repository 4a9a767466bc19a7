"""What a stage works at: its inputs, its settings, a place for its outputs, and nothing else."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from finescale.errors import FinescaleError
from finescale.pipeline import sources, store
from finescale.pipeline.recipe import recipe
from finescale.settings import Settings

if TYPE_CHECKING:
    from finescale.pipeline.stage import Stage

Progress = Callable[[str, int, int], None]


def silent(_what: str, _done: int, _total: int) -> None:
    """Report progress to nobody."""


class Desk:
    """A stage's only view of the project.

    Outputs are written beside their places and moved there together when the stage has finished, so that a
    stage killed at any moment leaves either the old artefact or the new one.
    """

    def __init__(self, root: Path, stage: "Stage", settings: Settings, progress: Progress = silent) -> None:
        self.root = root
        self.stage = stage
        self.progress = progress
        self.history: list[tuple[int, dict[str, float]]] = []
        self._settings = settings
        self._drafts = root / "data" / f".{stage.name}.draft"

    def setting(self, name: str) -> Any:  # noqa: ANN401 - each section has its own type
        """A section or value of params.yaml that the stage declares, by its dotted name."""
        if not any(name == s or name.startswith(f"{s}.") for s in self.stage.settings):
            raise LookupError(f"stage {self.stage.name} does not declare the setting {name}")
        value: Any = self._settings
        for part in name.split("."):
            value = value[part] if isinstance(value, dict) else getattr(value, part)
        return value

    def open(self, name: str, *, slices: bool = False) -> xr.Dataset:
        """A dataset that the stage declares to read, lazily; for readers of short stretches in small chunks."""
        self.path(name)
        return store.open_dataset(self.root, name, slices=slices)

    def optional(self, name: str) -> xr.Dataset | None:
        """A dataset that some projects have, lazily; None where the stage does not read it."""
        return self.open(name) if name in self.stage.reads else None

    def path(self, name: str) -> Path:
        """The file or folder of an artefact that the stage declares to read."""
        if name not in self.stage.reads:
            raise LookupError(f"stage {self.stage.name} does not declare to read {name}")
        return self.root / store.path_of(name)

    def source(self, where: str) -> str:
        """A path or URL from the settings as something to open: relative paths start from the project's folder."""
        return sources.address(self.root, where)

    def files(self, stated: Iterable[str]) -> list[str]:
        """The files and stores that paths, URLs and patterns from the settings name."""
        found = [path for where in stated for path in sources.addresses(self.root, where)]
        if not found:
            raise FinescaleError(
                f"a source has files: nothing matches {', '.join(stated)}; check its pattern"
            )
        return found

    def new(self, name: str) -> Path:
        """Where to write an artefact that the stage declares; its folder exists, itself not."""
        if name not in self.stage.writes:
            raise LookupError(f"stage {self.stage.name} does not declare to write {name}")
        self._drafts.mkdir(parents=True, exist_ok=True)
        return self._drafts / name

    def save(self, name: str, ds: xr.Dataset) -> None:
        """Write a dataset artefact; lazy data streams."""
        store.save_dataset(ds, self.new(name))

    def written(self, name: str) -> xr.Dataset:
        """A dataset that this stage has just saved, read back."""
        return store.open_path(self.new(name))

    def adopt(self, name: str, path: Path) -> None:
        """Take a finished file or folder of the scratch as an output."""
        store.put(path, self.new(name))

    def scratch(self) -> Path:
        """A folder that outlives a killed run of the same inputs and settings, for what can be resumed."""
        folder = self.root / ".cache" / "scratch" / f"{self.stage.name}-{self._key()}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def digest(self, name: str) -> str:
        """The recorded content hash of an artefact that the stage reads; a dash where there is none."""
        self.path(name)
        return store.digest(self.root, name) or "-"

    def recipe(self) -> dict[str, str]:
        """Hashes of all settings and of all code behind what the stage reads."""
        return recipe(self.root, self.stage.reads)

    def note(self, text: str) -> None:
        """Say something to whoever watches the stage."""
        sys.stdout.write(f"note: {text}\n")
        sys.stdout.flush()

    def log(self, step: int, figures: dict[str, float]) -> None:
        """Keep figures of a long stage by step; a tracked stage hands them to MLflow."""
        self.history.append((step, dict(figures)))

    def refuse(self, folder: Path) -> Path:
        """Keep a failed gate's pages where people can read them; gives the folder."""
        kept = self.root / "reports" / "refused" / self.stage.name
        store.put(folder, kept)
        return kept.relative_to(self.root)

    def finish(self) -> None:
        """Move every output to its place."""
        missing = [name for name in self.stage.writes if not (self._drafts / name).exists()]
        if missing:
            raise LookupError(f"stage {self.stage.name} did not write {', '.join(missing)}")
        for name in self.stage.writes:
            store.put(self._drafts / name, self.root / store.path_of(name))
        self.clear()
        store.remove(self.scratch())

    def clear(self) -> None:
        """Throw unfinished outputs away."""
        store.remove(self._drafts)

    def _key(self) -> str:
        parts: Iterable[str] = (f"{name}={self.setting(name)!r}" for name in self.stage.settings)
        inputs = (f"{name}:{store.digest(self.root, name)}" for name in self.stage.reads)
        own = (sources.state(path) for path in sources.local(self.root, self.stage))
        source = Path(__file__).parents[1]
        code = (
            path
            for name in self.stage.code
            for path in sorted({source / name, *(source / name).rglob("*.py")})
        )
        texts = (path.read_text(encoding="utf-8") for path in code if path.is_file())
        return store.fingerprint(*parts, *inputs, *own, *texts)

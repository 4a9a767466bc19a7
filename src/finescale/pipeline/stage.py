"""A stage: a function, and the names of what it reads, writes and may see."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module


@dataclass(frozen=True)
class Stage:
    """One step of the flow.

    Attributes:
        name: The name at every door, ``downscale-bcsd``.
        run: ``module.function`` below `finescale.pipeline.stages`; imported only when the stage runs, because
            the libraries behind some stages take seconds to load.
        reads: Artefacts it may open.
        writes: Artefacts it must leave.
        settings: Dotted sections of params.yaml it may see.
        sources: Files, patterns and catalogues of the user that it opens, as the settings name them.
        code: Rooms or files below ``src/finescale`` whose change makes the result stale.
        options: Arguments of the function beside its desk: which climate model, which method.
        tracked: Whether a finished run is recorded in MLflow.
        retries: How often a failure that may pass (a remote store) is worth another try.
    """

    name: str
    run: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    settings: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    tracked: bool = False
    retries: int = 0

    def function(self) -> Callable[..., None]:
        """The function that does the work: ``(desk, **options)``."""
        module, _, name = self.run.partition(".")
        found: Callable[..., None] = getattr(import_module(f"finescale.pipeline.stages.{module}"), name)
        return found

"""What the command line does, apart from reading arguments and printing help."""

import sys
import time
from pathlib import Path

from finescale.cli.progress import reporter
from finescale.errors import FinescaleError
from finescale.fields.allocator import keep_freed_memory
from finescale.pipeline import dvcfile
from finescale.pipeline.executor import DirectExecutor, DvcExecutor, Outcome
from finescale.pipeline.project import Project
from finescale.pipeline.run import run_stage
from finescale.pipeline.walk import walk


def run_pipeline(root: Path, names: list[str], *, direct: bool, workers: int) -> None:
    """Bring some stages (or all) and what they need up to date, and register the model at the end."""
    project = Project(root.resolve())
    chosen = project.chosen(names)
    if direct:
        executor: DirectExecutor | DvcExecutor = DirectExecutor(project.root, project.settings)
        workers = 1
    else:
        if project.prepare():
            print("dvc.yaml was rendered anew")
        executor = DvcExecutor(project.root)
    count = len(chosen)
    seen: list[Outcome] = []

    def done(outcome: Outcome) -> None:
        seen.append(outcome)
        print(
            f"[{len(seen):>2}/{count}] {outcome.state:10} {outcome.stage:28} {outcome.seconds:6.1f} s",
            flush=True,
        )

    start = time.monotonic()
    walk(chosen, executor, workers=workers, tell=_tell, done=done)
    ran = sum(outcome.state == "Completed" for outcome in seen)
    print(f"{ran} of {count} stages ran, {time.monotonic() - start:.0f} s")
    if not names:
        print(register_model(project.root))


def run_one(root: Path, name: str) -> None:
    """Run one stage in this process, with a progress bar where somebody looks."""
    project = Project(root.resolve())
    dvcfile.check_settings(project.root, project.stages, project.settings)
    keep_freed_memory()
    with reporter(name) as progress:
        run_stage(project.root, project.stage(name), project.settings, progress)


def register_model(root: Path) -> str:
    """Register the model that the settings name; gives a line that says what became of it."""
    from finescale.service.registering import register  # MLflow takes seconds to import

    return register(Project(root.resolve()))


def search_catalogue(catalogue: str, facets: list[str]) -> str:
    """The rows of a catalogue that match ``column=value`` facets, as a table."""
    from finescale.climate.catalogue import search

    wanted: dict[str, list[str]] = {}
    for facet in facets:
        column, sign, value = facet.partition("=")
        if not sign:
            raise FinescaleError(
                f"a facet is column=value: {facet!r} has no =; write source_id=MPI-ESM1-2-HR"
            )
        wanted.setdefault(column, []).append(value)
    found = search(catalogue, **{k: v if len(v) > 1 else v[0] for k, v in wanted.items()})
    return str(found.to_string(index=False, max_rows=60)) + f"\n{len(found)} rows"


def _tell(stage: str, text: str) -> None:
    """Pass on a stage's own words; DVC's are told as outcomes."""
    if text.startswith(("progress: ", "note: ")):
        print(f"        {stage}: {text.partition(': ')[2]}", file=sys.stderr, flush=True)

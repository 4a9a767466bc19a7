"""Run one stage in this process: the only thing that `dvc.yaml` asks for."""

from pathlib import Path

from finescale.errors import FinescaleError
from finescale.pipeline import store
from finescale.pipeline.costs import measured
from finescale.pipeline.desk import Desk, Progress, silent
from finescale.pipeline.stage import Stage
from finescale.settings import Settings


def run_stage(root: Path, stage: Stage, settings: Settings, progress: Progress = silent) -> None:
    """Run a stage to its end, or leave everything as it was.

    Args:
        root: The project's folder.
        stage: What to run.
        settings: All of params.yaml; the stage sees its sections.
        progress: Told ``(what, done, total)`` now and then.
    """
    desk = Desk(root, stage, settings, progress)
    desk.clear()
    try:
        with measured(root, stage.name) as cost:
            stage.function()(desk, **stage.options)
            desk.finish()
    except (RuntimeError, ValueError) as error:
        desk.clear()
        if (damaged := store.damaged(root, stage.reads)) is None:
            raise
        raise FinescaleError(
            f"every chunk of an input must be readable: {damaged} is damaged; `finescale run` brings it back"
        ) from error
    except BaseException:
        desk.clear()
        raise
    if stage.tracked:
        from finescale.pipeline.tracking import record  # MLflow takes seconds to import

        record(desk, cost)

"""The verdict of the last scorecard, for terminals and artifacts."""

from pathlib import Path

import pandas as pd

from finescale.errors import FinescaleError
from finescale.pipeline import store
from finescale.pipeline.store import path_of


def verdict(root: Path) -> str:
    """The skill table, what it says, and where to look further."""
    table = skill_table(root)
    shown = table.to_string(float_format=lambda value: f"{value:.4g}")
    return "\n".join(["", "CRPS on held-out hours (lower is better)", shown, "", *where(root)])


def skill_table(root: Path) -> pd.DataFrame:
    """CRPS by case and method (rows) and variable (columns), over all hours and cells."""
    path = root / path_of("scorecard")
    if not path.is_file():
        raise FinescaleError(f"a verdict needs a scorecard: no {path_of('scorecard')}; run `finescale run`")
    scores = pd.read_csv(path)
    chosen = scores[(scores.metric == "crps") & (scores.hours == "all") & (scores.region == "all")]
    return chosen.pivot_table(index=["case", "method"], columns="variable", values="value")


def where(root: Path) -> list[str]:
    """Where the report and the user interfaces are, a line each."""
    here = root.resolve()
    home = store.home(here)
    return [
        f"report:  {here / path_of('page')}",
        f"scores:  {here / path_of('scorecard')}",
        f'MLflow:  mlflow ui --backend-store-uri "sqlite:///{home}/mlruns/mlflow.db" --host 127.0.0.1',
        f'Prefect: PREFECT_HOME="{home}/.prefect" prefect server start   (then http://127.0.0.1:4200)',
    ]

"""MLflow's records: one SQLite file and one folder, both inside mlruns/."""

import os
import shutil
import sqlite3
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

# Both are read when mlflow is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
import yaml
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset

from finescale.errors import FinescaleError

EXPERIMENT = "finescale"
# Columns that hold absolute paths of artefacts.
LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


@dataclass(frozen=True)
class Source:
    """A dataset that went into a run.

    Attributes:
        name: The artefact's name.
        path: Where it lies, relative to the project.
        digest: DVC's content hash.
    """

    name: str
    path: str
    digest: str


def connect(root: Path) -> str:
    """Point MLflow at a project's mlruns/ and give the experiment's id; makes both on first use."""
    folder = (root / "mlruns").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    # In such an address a per cent sign may begin a code, and a question mark the options. Quoted only where it must
    # be: beside a folder that is, MLflow leaves an empty one under the quoted name.
    place = str(folder)
    if "?" in place or unquote(place) != place:
        place = place.replace("%", "%25").replace("?", "%3F")
    mlflow.set_tracking_uri(f"sqlite:///{place}/mlflow.db")
    found = mlflow.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    return str(
        mlflow.create_experiment(EXPERIMENT, artifact_location=(folder / "artifacts" / EXPERIMENT).as_uri())
    )


def record(
    root: Path,
    *,
    name: str,
    params: Mapping[str, object],
    metrics: Mapping[str, float],
    files: Mapping[str, Path],
    sources: Iterable[Source],
    tags: Mapping[str, str],
    history: Iterable[tuple[int, Mapping[str, float]]] = (),
) -> str:
    """Log one finished run: what went in, what came out, and figures by step; gives its id."""
    experiment = connect(root)
    with mlflow.start_run(experiment_id=experiment, run_name=name, tags=dict(tags)) as run:
        for step, figures in history:
            mlflow.log_metrics(dict(figures), step=step)
        log(params=params, metrics=metrics, files=files, sources=sources)
    return str(run.info.run_id)


def log(
    *,
    params: Mapping[str, object],
    metrics: Mapping[str, float],
    files: Mapping[str, Path],
    sources: Iterable[Source],
) -> None:
    """Log into the run that is open."""
    mlflow.log_params({key: str(value)[:6000] for key, value in params.items()})
    mlflow.log_metrics(dict(metrics))
    for source in sources:
        origin = quietly(resolve_dataset_source, raw_source=source.path)
        dataset = MetaDataset(source=origin, name=source.name, digest=source.digest[:36])  # type: ignore[abstract]
        mlflow.log_input(dataset, context="input")
    for place, path in files.items():
        if path.is_dir():
            mlflow.log_artifacts(str(path), place)
        else:
            mlflow.log_artifact(str(path), place)


def quietly(call: Callable[..., Any], **arguments: object) -> Any:  # noqa: ANN401
    """Call MLflow without its advice: a Dataset fits none of its schemas, a folder several of its sources."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return call(**arguments)


def load(root: Path, uri: str) -> Any:  # noqa: ANN401 - MLflow's wrapper
    """Load a registered model; refuses pickled ones."""
    if not (root / "mlruns").is_dir():
        raise FinescaleError(
            f"a registered model lies in a project: no mlruns/ in {root.resolve().name}; name the project with --root"
        )
    connect(root)
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    try:
        return quietly(mlflow.pyfunc.load_model, model_uri=uri)
    except mlflow.exceptions.MlflowException as error:
        raise FinescaleError(
            f"the model must be registered: {uri} is not; run the pipeline or name another"
        ) from error


def fetch(root: Path, uri: str, target: Path) -> str:
    """Copy the method's folder out of a registered model; gives its name and version.

    Args:
        root: The project, whose mlruns/ holds the registry.
        uri: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
        target: A folder that does not exist.
    """
    connect(root)
    found = version_of(uri)
    source = quietly(
        mlflow.artifacts.download_artifacts, artifact_uri=f"models:/{found.name}/{found.version}"
    )
    described = yaml.safe_load((Path(source) / "MLmodel").read_text(encoding="utf-8"))
    inside = described["flavors"]["python_function"]["artifacts"]["model"]["path"]
    shutil.copytree(Path(source) / inside, target)
    return f"{found.name} v{found.version}"


def version_of(uri: str) -> Any:  # noqa: ANN401 - MLflow's own record
    """The registered version that a URI means at this moment."""
    name, _, number = uri.removeprefix("models:/").partition("/")
    client = mlflow.MlflowClient()
    try:
        if number:
            return client.get_model_version(name, number)
        name, _, alias = name.partition("@")
        return client.get_model_version_by_alias(name, alias)
    except mlflow.exceptions.MlflowException as error:
        raise FinescaleError(
            f"the model must be registered: {uri} is not; run the pipeline or name another"
        ) from error


def tags_of(root: Path, name: str, version: str) -> dict[str, str]:
    """Tags of a registered version."""
    connect(root)
    return dict(mlflow.MlflowClient().get_model_version(name, version).tags)


def add_file(root: Path, name: str, version: str, path: Path, place: str) -> None:
    """Put a file into the run that a registered version came from."""
    connect(root)
    client = mlflow.MlflowClient()
    client.log_artifact(str(client.get_model_version(name, version).run_id), str(path), place)


def read_file(root: Path, name: str, version: str, place: str) -> Path | None:
    """A file of the run that a registered version came from; None where it has none of that name."""
    connect(root)
    client = mlflow.MlflowClient()
    run = str(client.get_model_version(name, version).run_id)
    if place not in {found.path for found in client.list_artifacts(run, place.rpartition("/")[0])}:
        return None
    return Path(client.download_artifacts(run, place))


def relocate(folder: Path) -> str:
    """Mend the absolute paths in mlflow.db after mlruns/ has been moved or copied.

    MLflow stores where each artefact lies with its full path; the part up to ``/mlruns/`` is replaced by
    where the folder is now.
    """
    database = folder.resolve() / "mlflow.db"
    if not database.is_file():
        raise FinescaleError(f"mlruns/ must hold mlflow.db: none in {folder.name}; run the pipeline once")
    home = f"file://{quote(str(folder.resolve()))}/"
    mended = 0
    with sqlite3.connect(database) as db:
        for table, column in LOCATIONS:
            found = f"select distinct {column} from {table} where {column} like '%/mlruns/%'"  # noqa: S608
            mend = f"update {table} set {column} = ? where {column} = ?"  # noqa: S608 - names from the list above
            for (old,) in db.execute(found).fetchall():
                new = home + old.partition("/mlruns/")[2]
                if old != new:
                    mended += db.execute(mend, (new, old)).rowcount
    db.close()
    return f"{mended} paths mended"

"""Put a method's folder into the registry, once: a version is keyed by the hash of its checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.models import ModelSignature
from mlflow.types import ParamSchema, ParamSpec

from finescale.methods.recipes import needs
from finescale.registry import served_path, tracking

# What a consumer's environment needs; finescale itself travels with the model.
RUNTIME = ("numpy", "scipy", "pandas", "xarray", "dask", "zarr", "h5netcdf", "h5py", "cftime")
PARAMS = ParamSchema(
    [
        ParamSpec("members", "integer", 1),
        ParamSpec("seed", "integer", 0),
        ParamSpec("start", "string", ""),
        ParamSpec("end", "string", ""),
        ParamSpec("method", "string", ""),
        ParamSpec("out", "string", ""),
    ]
)


@dataclass(frozen=True)
class Candidate:
    """A model and its evidence.

    Attributes:
        name: The registered model.
        folder: The method's folder.
        beside: Folders of other methods that travel with it, to be compared with: name to folder.
        checkpoint: DVC's hash of the folder, or of its contents where DVC is not in use.
        params: Settings to log.
        metrics: Scores to log.
        files: Report, scorecard and figures to log.
        sources: Datasets behind it.
        lineage: What it was made of: hashes of data, commit, ids of catalogue rows.
        card: Text for people: what it is, what it was judged on, its limits.
        example: A small request in the form of lists.
    """

    name: str
    folder: Path
    beside: Mapping[str, Path]
    checkpoint: str
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    files: Mapping[str, Path]
    sources: tuple[tracking.Source, ...]
    lineage: Mapping[str, str]
    card: str
    example: Mapping[str, object]


def known(root: Path, name: str, checkpoint: str) -> str | None:
    """The version that holds a checkpoint already; None where none does."""
    tracking.connect(root)
    query = f"name = '{name}' and tags.checkpoint = '{checkpoint}'"
    found = MlflowClient().search_model_versions(query)
    return str(found[0].version) if found else None


def register(root: Path, candidate: Candidate) -> str:
    """Register a candidate with its evidence; gives its version."""
    experiment = tracking.connect(root)
    client = MlflowClient()
    with mlflow.start_run(experiment_id=experiment, run_name=f"register {candidate.name}"):
        tracking.log(
            params=candidate.params,
            metrics=candidate.metrics,
            files=candidate.files,
            sources=candidate.sources,
        )
        mlflow.set_tags({"stage": "register", "checkpoint": candidate.checkpoint, **candidate.lineage})
        logged = tracking.quietly(
            mlflow.pyfunc.log_model,
            name="model",
            python_model=str(served_path()),
            artifacts={"model": str(candidate.folder)}
            | {f"beside-{name}": str(folder) for name, folder in candidate.beside.items()},
            code_paths=[str(served_path().parent.parent)],
            pip_requirements=[_pinned(package) for package in ("mlflow", *RUNTIME, *needs(candidate.folder))],
            signature=ModelSignature(params=PARAMS),
            input_example=(dict(candidate.example), {"members": 1, "seed": 0}),
            metadata={"card": candidate.card},
        )
        made = mlflow.register_model(
            logged.model_uri,
            candidate.name,
            tags={"checkpoint": candidate.checkpoint, **candidate.lineage},
        )
    client.update_model_version(candidate.name, made.version, description=candidate.card)
    client.set_registered_model_alias(candidate.name, "candidate", made.version)
    return str(made.version)


def _pinned(package: str) -> str:
    """The version in use, without the name of one build (torch's +cpu)."""
    return f"{package}=={version(package).partition('+')[0]}"

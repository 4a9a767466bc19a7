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
from finescale.registry.promotion import Verdict, judge

# What a consumer's environment needs; finescale itself travels with the model.
RUNTIME = ("numpy", "scipy", "pandas", "xarray", "dask", "zarr", "h5netcdf", "h5py", "cftime")
PARAMS = ParamSchema([ParamSpec("members", "integer", 1), ParamSpec("seed", "integer", 0)])


@dataclass(frozen=True)
class Candidate:
    """A model and its evidence.

    Attributes:
        name: The registered model.
        folder: The method's folder.
        checkpoint: DVC's hash of the folder, or of its contents where DVC is not in use.
        params: Settings to log.
        crps: CRPS of each variable on the held-out truth.
        files: Report, scorecard and figures to log.
        sources: Datasets behind it.
        card: Text for people: what it is, what it was judged on, its limits.
    """

    name: str
    folder: Path
    checkpoint: str
    params: Mapping[str, object]
    crps: Mapping[str, float]
    files: Mapping[str, Path]
    sources: tuple[tracking.Source, ...]
    card: str


def register(root: Path, candidate: Candidate) -> str:
    """Register a candidate and let the evidence decide about the champion; says what became of it."""
    experiment = tracking.connect(root)
    client = MlflowClient()
    known = client.search_model_versions(
        f"name = '{candidate.name}' and tags.checkpoint = '{candidate.checkpoint}'"
    )
    if known:
        return f"models:/{candidate.name} version {known[0].version} holds this checkpoint already"
    champion = _champion(client, candidate.name)
    verdict = judge(candidate.crps, champion)
    with mlflow.start_run(experiment_id=experiment, run_name=f"register {candidate.name}"):
        metrics = {f"crps.{variable}": value for variable, value in candidate.crps.items()}
        tracking.log(
            params=candidate.params, metrics=metrics, files=candidate.files, sources=candidate.sources
        )
        mlflow.set_tags({"stage": "register", "checkpoint": candidate.checkpoint, "verdict": verdict.reason})
        logged = tracking.quietly(
            mlflow.pyfunc.log_model,
            name="model",
            python_model=str(served_path()),
            artifacts={"model": str(candidate.folder)},
            code_paths=[str(served_path().parent.parent)],
            pip_requirements=[
                f"{package}=={version(package).partition(chr(43))[0]}"
                for package in ("mlflow", *RUNTIME, *needs(candidate.folder))
            ],
            signature=ModelSignature(params=PARAMS),
            metadata={"card": candidate.card},
        )
        made = mlflow.register_model(
            logged.model_uri, candidate.name, tags={"checkpoint": candidate.checkpoint}
        )
    client.update_model_version(candidate.name, made.version, description=candidate.card)
    client.set_registered_model_alias(candidate.name, "candidate", made.version)
    return f"models:/{candidate.name} version {made.version}: {_promote(client, candidate.name, made.version, verdict)}"


def _pinned(package: str) -> str:
    """The version in use, without the name of one build (torch's +cpu)."""
    return f"{package}=={version(package).partition('+')[0]}"


def _champion(client: MlflowClient, name: str) -> dict[str, float] | None:
    """CRPS of the present champion, by variable."""
    try:
        found = client.get_model_version_by_alias(name, "champion")
    except mlflow.exceptions.MlflowException:
        return None
    metrics = client.get_run(str(found.run_id)).data.metrics
    return {key.removeprefix("crps."): value for key, value in metrics.items() if key.startswith("crps.")}


def _promote(client: MlflowClient, name: str, number: str, verdict: Verdict) -> str:
    if verdict.better:
        client.set_registered_model_alias(name, "champion", number)
    return f"{'champion' if verdict.better else 'stays a candidate'}, {verdict.reason}"

"""The registered model as MLflow loads it: this file is stored with the model and run when it is loaded."""

from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel

from finescale.errors import FinescaleError
from finescale.methods import recipes
from finescale.methods.downscaler import Downscaler
from finescale.registry import exchange


class Refused(MlflowException, FinescaleError):
    """A request that cannot be answered: ours to whoever calls, and 400 with one line to whoever asks by REST."""

    def __init__(self, message: str) -> None:
        super().__init__(message, error_code=INVALID_PARAMETER_VALUE)


class ServedDownscaler(PythonModel):
    """A downscaler behind ``predict(coarse, params={"members": 8, "seed": 0, "start": ..., "end": ...})``."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401 - MLflow's own
        """Load the method's folder, and remember where the others are that travel with it."""
        self.folders = {name: Path(path) for name, path in context.artifacts.items()}
        self.downscaler = recipes.load(self.folders["model"])

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:  # noqa: ANN401
        """Downscale a Dataset, the path of one, or its tensor form (a dict of lists, as REST sends it).

        Args:
            context: MLflow's.
            model_input: Coarse data.
            params: ``members``, ``seed``; ``start`` and ``end``, days of the coarse data to use; ``method``, a
                baseline instead of the model's own; ``out``, where to write the ensemble (.zarr or .nc).

        Returns:
            The ensemble in the form of the question; its path where ``out`` is given.
        """
        wanted = {key: value for key, value in (params or {}).items() if value != ""}
        try:
            downscaler = self._method(str(wanted.get("method", "")))
            coarse = exchange.as_dataset(model_input, downscaler.variables)
            coarse = exchange.between(coarse, wanted.get("start"), wanted.get("end"))
            if out := wanted.get("out"):
                exchange.check_target(Path(out))
            ensemble = downscaler(
                coarse, members=int(wanted.get("members", 1)), seed=int(wanted.get("seed", 0))
            )
            return exchange.write(ensemble, Path(out)) if out else exchange.as_answer(ensemble, model_input)
        except FinescaleError as error:
            raise Refused(str(error)) from error

    def _method(self, name: str) -> Downscaler:
        """The model's own method, or one that travels with it."""
        own = self.folders["model"].name
        if name in ("", own):
            return self.downscaler
        beside = {key.removeprefix("beside-"): path for key, path in self.folders.items() if key != "model"}
        if name not in beside:
            raise FinescaleError(
                f"a model holds its methods: no {name}; choose out of {', '.join((own, *beside))}"
            )
        return recipes.load(beside[name])


set_model(ServedDownscaler())

"""The registered model as MLflow loads it: this file is stored with the model and run when it is loaded."""

from pathlib import Path
from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from finescale.methods import recipes
from finescale.registry.exchange import as_answer, as_dataset


class ServedDownscaler(PythonModel):
    """A downscaler behind ``predict(coarse, params={"members": 8, "seed": 0})``."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401 - MLflow's own
        """Load the method's folder."""
        self.downscaler = recipes.load(Path(context.artifacts["model"]))

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:  # noqa: ANN401
        """Downscale a Dataset, the path of one, or its tensor form (a dict of lists, as REST sends it)."""
        wanted = params or {}
        coarse = as_dataset(model_input, self.downscaler.variables)
        ensemble = self.downscaler(
            coarse, members=int(wanted.get("members", 1)), seed=int(wanted.get("seed", 0))
        )
        return as_answer(ensemble, model_input)


set_model(ServedDownscaler())

"""Downscale a file with a registered model, or with a method's folder."""

from pathlib import Path

import xarray as xr

from finescale.methods import recipes
from finescale.registry.exchange import between, check_target, open_coarse, write


def downscale(
    root: Path,
    coarse: Path,
    out: Path,
    *,
    model: str,
    members: int,
    seed: int,
    start: str | None = None,
    end: str | None = None,
    method: str | None = None,
) -> xr.Dataset:
    """Read coarse data, draw the ensemble, write it in one move.

    Args:
        root: The project, whose mlruns/ holds the registry.
        coarse: A netCDF file or Zarr store.
        out: A path ending in ``.zarr`` or ``.nc`` that does not exist.
        model: ``models:/finescale@champion`` or the folder of a method.
        members: Members wanted.
        seed: Decides every draw.
        start: First day of the coarse data to use.
        end: Last day.
        method: A baseline that travels with a registered model, instead of the model's own.
    """
    check_target(out)
    given = open_coarse(coarse)
    if model.startswith("models:/"):
        from finescale.registry import tracking  # brings MLflow, which takes seconds

        params = {"members": members, "seed": seed, "start": start, "end": end, "method": method}
        asked = {key: value for key, value in params.items() if value is not None}
        ensemble: xr.Dataset = tracking.load(root, model).predict(given, params=asked)
    else:
        ensemble = recipes.load(Path(model))(between(given, start, end), members=members, seed=seed)
    write(ensemble, out)
    return ensemble

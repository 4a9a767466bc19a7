"""Downscale a file with a registered model, or with a method's folder."""

from pathlib import Path

import xarray as xr

from finescale.errors import FinescaleError
from finescale.methods import recipes
from finescale.registry.exchange import open_coarse


def downscale(root: Path, coarse: Path, out: Path, *, model: str, members: int, seed: int) -> xr.Dataset:
    """Read coarse data, draw the ensemble, write it in one move.

    Args:
        root: The project, whose mlruns/ holds the registry.
        coarse: A netCDF file or Zarr store.
        out: A path ending in ``.zarr`` or ``.nc`` that does not exist.
        model: ``models:/finescale@champion`` or the folder of a method.
        members: Members wanted.
        seed: Decides every draw.
    """
    if out.suffix not in (".zarr", ".nc"):
        raise FinescaleError(
            f"the result is a .zarr store or a .nc file: {out.name} is neither; choose another name"
        )
    if out.exists():
        raise FinescaleError(f"nothing is overwritten: {out} exists; choose another name")
    given = open_coarse(coarse)
    if model.startswith("models:/"):
        from finescale.registry import tracking  # brings MLflow, which takes seconds

        ensemble: xr.Dataset = tracking.load(root, model).predict(
            given, params={"members": members, "seed": seed}
        )
    else:
        ensemble = recipes.load(Path(model))(given, members=members, seed=seed)
    draft = out.with_name(f".{out.name}.draft")
    if out.suffix == ".zarr":
        ensemble.to_zarr(draft, mode="w", zarr_format=3, consolidated=False)
    else:
        ensemble.to_netcdf(draft, engine="h5netcdf")
    draft.replace(out)
    return ensemble

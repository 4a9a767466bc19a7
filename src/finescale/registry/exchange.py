"""What goes in and out of a served model: datasets, files, or plain lists for REST."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from finescale.errors import FinescaleError


def open_coarse(path: Path) -> xr.Dataset:
    """Open coarse data from a netCDF file or a Zarr store."""
    if not path.exists():
        raise FinescaleError(f"coarse data must exist: no file or store {path}; check the path")
    if path.is_dir():
        store: xr.Dataset = xr.open_zarr(path, consolidated=False, chunks=None)
        return store
    try:
        return xr.open_dataset(path, engine="h5netcdf")
    except OSError as error:
        raise FinescaleError(
            f"coarse data must be netCDF-4 or Zarr: {path.name} is neither; convert it"
        ) from error


def as_dataset(given: Any, variables: dict[str, str]) -> xr.Dataset:  # noqa: ANN401
    """Coarse data in any accepted form as a Dataset.

    Args:
        given: A Dataset; the path of a file or store; or a dict with ``time`` (ISO texts), ``lat``, ``lon`` and
            a list ``[time][lat][lon]`` for each field, in the model's own units.
        variables: Names and units of the fields that the model needs.
    """
    if isinstance(given, xr.Dataset):
        return given
    if isinstance(given, str | Path):
        return open_coarse(Path(given))
    if not isinstance(given, dict):
        raise FinescaleError(
            f"coarse data is a Dataset, a path or a dict of lists: got {type(given).__name__}"
        )
    if missing := [name for name in ("time", "lat", "lon", *variables) if name not in given]:
        raise FinescaleError(
            f"coarse data must hold time, lat, lon and {', '.join(variables)}: missing {missing}"
        )
    fields = {
        name: (("time", "lat", "lon"), np.asarray(given[name], dtype=np.float32), {"units": units})
        for name, units in variables.items()
    }
    time = np.asarray(given["time"]).astype("datetime64[ns]")
    try:
        return xr.Dataset(
            fields, coords={"time": time, "lat": np.ravel(given["lat"]), "lon": np.ravel(given["lon"])}
        )
    except ValueError as error:
        raise FinescaleError(f"each field must be a list [time][lat][lon]: {error}") from error


def as_answer(ensemble: xr.Dataset, asked: Any) -> Any:  # noqa: ANN401
    """The ensemble in the form of the question: a Dataset, or a dict of arrays for a dict."""
    if not isinstance(asked, dict):
        return ensemble
    stamps = ensemble["time"].dt.strftime("%Y-%m-%dT%H:%M:%S").values
    axes = {
        "time": stamps.tolist(),
        "lat": ensemble["lat"].values.tolist(),
        "lon": ensemble["lon"].values.tolist(),
    }
    return axes | {str(name): field.values.tolist() for name, field in ensemble.data_vars.items()}

"""What goes in and out of a served model: datasets, files, or plain lists for REST."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from finescale.climate.subset import day_number, days
from finescale.errors import FinescaleError


def open_coarse(path: Path) -> xr.Dataset:
    """Open coarse data from a netCDF file or a Zarr store."""
    if not path.exists():
        raise FinescaleError(f"coarse data must exist: no file or store {path}; check the path")
    if path.is_dir():
        try:
            store: xr.Dataset = xr.open_zarr(path, consolidated=False, chunks=None)
        except (OSError, ValueError, KeyError) as error:
            raise FinescaleError(
                f"coarse data must be netCDF-4 or Zarr: the folder {path.name} is no Zarr store; name another"
            ) from error
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
            a list ``[time][lat][lon]`` for each field, in the units that ``units`` says (field to unit) or, without
            it, in the model's own.
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
    said = given.get("units", {})
    if isinstance(said, np.ndarray):  # a server makes an array of everything
        said = said.item() if said.size == 1 else said.tolist()
    if not isinstance(said, Mapping):
        raise FinescaleError(
            f"units must be a dictionary of names and units: found {said!r}; mend the request"
        )
    units = variables | dict(said)
    try:
        fields = {
            name: (("time", "lat", "lon"), np.asarray(given[name], dtype=np.float32), {"units": units[name]})
            for name in variables
        }
        time = np.ravel(np.asarray(given["time"])).astype("datetime64[ns]")
        return xr.Dataset(
            fields, coords={"time": time, "lat": np.ravel(given["lat"]), "lon": np.ravel(given["lon"])}
        )
    except ValueError as error:
        raise FinescaleError(f"each field must be a list [time][lat][lon]: {error}") from error


def between(coarse: xr.Dataset, start: object, end: object) -> xr.Dataset:
    """The times from the first day to the last, both included; an open end where one is not given."""
    if start is None and end is None:
        return coarse
    stamp = days(coarse["time"])
    first = day_number(start) if start is not None else int(stamp.min())
    last = day_number(end) if end is not None else int(stamp.max())
    where = np.flatnonzero((stamp >= first) & (stamp <= last))
    if where.size < 2 or stamp.min() > first or stamp.max() < last:
        raise FinescaleError(
            f"start and end lie inside the coarse data: {start or 'open'} .. {end or 'open'} was asked of "
            f"{coarse['time'].values[0]!s:.10} .. {coarse['time'].values[-1]!s:.10}; choose days within"
        )
    return coarse.isel(time=slice(int(where[0]), int(where[-1]) + 1))


def check_target(out: Path) -> None:
    """Raise unless an ensemble can be written to a path."""
    if out.suffix not in (".zarr", ".nc"):
        raise FinescaleError(
            f"the result is a .zarr store or a .nc file: {out.name} is neither; choose another name"
        )
    if out.exists():
        raise FinescaleError(f"nothing is overwritten: {out} exists; choose another name")
    if not out.parent.is_dir():
        raise FinescaleError(f"the result goes into a folder that is there: no {out.parent}; make it first")


def write(ensemble: xr.Dataset, out: Path) -> str:
    """Write an ensemble in one move; gives the path."""
    draft = out.with_name(f".{out.name}.draft")
    if out.suffix == ".zarr":
        ensemble.to_zarr(draft, mode="w", zarr_format=3, consolidated=False)
    else:
        ensemble.to_netcdf(draft, engine="h5netcdf")
    draft.replace(out)
    return str(out)


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

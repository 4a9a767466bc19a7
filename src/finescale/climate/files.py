"""Single files and stores, local or remote, opened lazily by what they are and not by what they are called."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import xarray as xr

from finescale.climate.holes import check_holes
from finescale.climate.table import reason
from finescale.errors import FinescaleError

# What one read takes: a file without chunks would be one chunk of any size, one with a chunk a step would be thousands.
READ_BYTES = 32 * 2**20
# Public buckets are read without an account.
_ANONYMOUS: Mapping[str, dict[str, Any]] = {
    "gs": {"token": "anon"},
    "gcs": {"token": "anon"},
    "s3": {"anon": True},
}


def open_file(
    address: str, options: Mapping[str, Any] | None = None, variables: Sequence[str] = ()
) -> xr.Dataset:
    """Open one Zarr store or netCDF file lazily in its own chunks, telling which by its content.

    Args:
        address: path or URL.
        options: options of the file system.
        variables: names whose chunks must all be there, when it is a Zarr store.
    """
    given = options_for(address, options)
    name = address.rstrip("/").rsplit("/", 1)[-1]
    local = "://" not in address
    if local and not Path(address).exists():
        raise FinescaleError(f"a reference must exist: {name} is missing; check its path")
    try:
        if (local and Path(address).is_dir()) or name.endswith(".zarr") or ".zarr-v" in name:
            stored = None if local else given
            with quiet_zarr():
                opened: xr.Dataset = xr.open_dataset(
                    address, engine="zarr", cache=False, decode_timedelta=False, storage_options=stored
                )
            check_holes(address, [str(n) for n in opened.data_vars if str(n) in variables], given)
            return in_reads(opened)
        engine = engine_of(address, given)
        file = address if local else fsspec.open(address, "rb", **given).open()
        return in_reads(xr.open_dataset(file, engine=engine, cache=False, decode_timedelta=False))
    except FinescaleError:
        raise
    except Exception as error:  # every backend raises its own kinds
        raise FinescaleError(
            f"a file can be opened: {name} cannot ({reason(error)}); fetch or write it anew"
        ) from error


def in_reads(ds: xr.Dataset) -> xr.Dataset:
    """Make an opened data set lazy, each variable in reads of about `READ_BYTES` that take whole stored chunks."""
    lazy = {}
    for name, var in ds.variables.items():
        if var.ndim == 0 or name in ds.indexes:
            continue
        stored = var.encoding.get("preferred_chunks", {})
        one = {d: int(stored.get(d, 1 if k == 0 else var.sizes[d])) for k, d in enumerate(var.dims)}
        size = var.dtype.itemsize * int(np.prod(list(one.values())))
        one[var.dims[0]] *= max(1, READ_BYTES // max(1, size))
        lazy[name] = var.chunk({d: min(n, var.sizes[d]) for d, n in one.items()})
    fields = {n: lazy[n] for n in ds.data_vars if n in lazy}
    return ds.assign(fields).assign_coords({n: lazy[n] for n in ds.coords if n in lazy})


@contextmanager
def quiet_zarr() -> Iterator[None]:
    """Open stores without consolidated metadata and without advice about it: both kinds are ours to read."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Failed to open Zarr store with consolidated", category=RuntimeWarning
        )
        yield


def options_for(address: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the storage options of an address: the given ones over those of a public bucket."""
    return {**_ANONYMOUS.get(address.partition("://")[0], {}), **(given or {})}


def engine_of(address: str, options: Mapping[str, Any]) -> str:
    """Return the xarray engine for a netCDF file by its first bytes."""
    with fsspec.open(address, "rb", **options) as file:
        magic = file.read(4)
    if magic[:3] == b"CDF":
        return "scipy" if "://" in address and not address.startswith("file://") else "netcdf4"
    if magic == b"\x89HDF":
        return "h5netcdf"
    kind = (
        "a GRIB file; convert it to netCDF first (for example with cfgrib)"
        if magic == b"GRIB"
        else "not a netCDF file"
    )
    raise FinescaleError(f"a netCDF asset is netCDF: {address.rsplit('/', 1)[-1]} is {kind}")

"""The files of the invented world: sharded Zarr stores and netCDF, the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec

from finescale.climate.twin.archive import Source, frame
from finescale.climate.twin.modes import Real
from finescale.climate.twin.world import Clock

# Powers of two: a rounded float32 ends in zero bits, and the compressor finds them.
QUANTUM: Mapping[str, float] = {
    "psl": 1.0,
    "tas": 2.0**-7,
    "uas": 2.0**-7,
    "vas": 2.0**-7,
    "pr": 2.0**-22,
    "orog": 2.0**-3,
    "sftlf": 2.0**-7,
}
_SLICE = 1460  # stamps in a chunk of a netCDF file: a year
CHUNK, SHARD = 168, 168 * 26
"""Hours in a chunk and in a shard."""


def rounded(name: str, values: Real, finer: int = 1) -> Real:
    """Round values to the precision at which a variable is kept, or to a `finer` part of it."""
    quantum = QUANTUM[name] / finer
    steps = values * np.float32(1.0 / quantum)
    return np.asarray(np.rint(steps, out=steps) * np.float32(quantum), dtype=np.float32)


def write_zarr(
    root: Path,
    source: Source,
    table: str,
    clock: Clock | None,
    blocks: Iterable[Mapping[str, Real]],
    *,
    finer: int = 1,
) -> list[dict[str, Any]]:
    """Write blocks of variables [time, lat, lon], in order of time, as one sharded Zarr store a variable.

    Args:
        root: folder of the catalogue.
        source: what the variables belong to.
        table: table_id.
        clock: all stamps; None for static fields [lat, lon].
        blocks: the variables, block after block; memory holds one shard at a time.
        finer: part of the usual precision to keep.

    Returns:
        The rows of the catalogue.
    """
    arrays: dict[str, zarr.Array[Any]] = {}
    held: dict[str, list[Real]] = {}
    begin = waiting = 0
    for block in blocks:
        for name, values in block.items():
            if name not in arrays:
                arrays[name] = _create(root, source, table, name, clock)
            held.setdefault(name, []).append(values)
        waiting += len(next(iter(block.values())))
        while clock is not None and waiting >= SHARD:
            for name, array in arrays.items():
                whole = np.concatenate(held[name])
                array[begin : begin + SHARD] = rounded(name, whole[:SHARD], finer)
                held[name] = [whole[SHARD:]]
            begin, waiting = begin + SHARD, waiting - SHARD
    for name, array in arrays.items():
        array[begin:] = rounded(name, np.concatenate(held[name]), finer)
    span = "" if clock is None else _span(clock)
    return [source.row(table, name, source.folder(table, name), "zarr", span) for name in arrays]


def write_netcdf(
    root: Path,
    source: Source,
    table: str,
    clock: Clock,
    fields: Mapping[str, Real],
    *,
    years: int,
    finer: int = 1,
) -> list[dict[str, Any]]:
    """Write variables [time, lat, lon] as netCDF files of so many years each and return their rows."""
    year = clock.time.dt.year.values
    piece = (year - year[0]) // years
    rows = []
    for name, values in fields.items():
        folder = source.folder(table, name)
        (root / folder).mkdir(parents=True)
        for number in range(int(piece[-1]) + 1):
            part = clock.where(piece == number)
            span = _span(part)
            ds = frame(source, name, rounded(name, values[piece == number], finer), part)
            ds.attrs = source.attrs(table, name, span, part.calendar)
            path = f"{folder}/{name}_{table}_{source.source_id}_{source.experiment_id}_r1i1p1f1_gn_{span}.nc"
            encoding = _encoding(name, ds, part)
            encoding[name] |= {"_FillValue": np.float32(1e20), "zlib": True, "complevel": 4, "shuffle": True}
            encoding[name]["chunksizes"] = (min(len(part), _SLICE), *source.grid.shape)
            encoding["time"]["chunksizes"] = (len(part),)
            ds.to_netcdf(
                root / path, engine="netcdf4", format="NETCDF4", encoding=encoding, unlimited_dims=["time"]
            )
            rows.append(source.row(table, name, path, "netcdf", span))
    return rows


def _create(root: Path, source: Source, table: str, name: str, clock: Clock | None) -> zarr.Array[Any]:
    cells = source.grid.shape
    shape = cells if clock is None else (len(clock), *cells)
    chunk = shape if clock is None else (min(CHUNK, len(clock)), *cells)
    shard = (-(-min(SHARD, shape[0]) // chunk[0]) * chunk[0], *shape[1:])
    # A lazy template: only the coordinates and the metadata are written here.
    template = frame(source, name, da.zeros(shape, chunks=shard, dtype=np.float32), clock)
    template.attrs = source.attrs(table, name, "all", None if clock is None else clock.calendar)
    encoding = _encoding(name, template, clock)
    codec = BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle", typesize=4)
    encoding[name] |= {"chunks": chunk, "shards": shard, "compressors": [codec]}
    path = root / source.folder(table, name)
    template.to_zarr(path, compute=False, zarr_format=3, consolidated=False, encoding=encoding, mode="w-")
    return zarr.open_array(path / name, mode="r+")


def _encoding(name: str, ds: xr.Dataset, clock: Clock | None) -> dict[str, dict[str, Any]]:
    encoding: dict[str, dict[str, Any]] = {str(n): {"_FillValue": None} for n in ds.variables}
    encoding[name]["dtype"] = "float32"
    if clock is not None:
        encoding["time"] |= {
            "units": f"hours since {clock.time.values[0]!s:.10} 00:00:00",
            "calendar": clock.calendar,
            "dtype": "int64",
        }
    return encoding


def _span(clock: Clock) -> str:
    return "-".join("".join(filter(str.isdigit, str(clock.time.values[i])))[:12] for i in (0, -1))

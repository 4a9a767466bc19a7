"""The invented world on disk: CMIP6-shaped files in their folders, and one catalogue of them all."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec

from finescale.climate.twin.modes import Real
from finescale.climate.twin.world import Clock
from finescale.climate.variables import VARIABLES
from finescale.grid.grid import Grid

INSTITUTION = "FINESCALE"
VERSION = "v20250101"
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
_HEIGHT = {"tas": 2.0, "uas": 10.0, "vas": 10.0}
_EXPERIMENT = {"historical": "CMIP", "ssp245": "ScenarioMIP", "reanalysis": "obs4MIPs"}
_FREQUENCY = {"6hrPlevPt": "6hrPt", "E1hr": "1hr", "fx": "fx"}
_SLICE = 1460  # stamps in a chunk of a netCDF file: a year
CHUNK, SHARD = 168, 168 * 26
"""Hours in a chunk and in a shard."""


@dataclass(frozen=True)
class Source:
    """One experiment of one source, as the archive files it.

    Attributes:
        source_id: name of the model, reanalysis or truth.
        experiment_id: historical, ssp245 or reanalysis.
        grid: its grid.
        degrees_east: True when its files count longitude from 0 to 360.
    """

    source_id: str
    experiment_id: str
    grid: Grid
    degrees_east: bool

    def row(self, table: str, name: str, path: str, form: str, time_range: str) -> dict[str, Any]:
        """Return the row of the catalogue for one asset."""
        return {
            "activity_id": _EXPERIMENT[self.experiment_id],
            "institution_id": INSTITUTION,
            "source_id": self.source_id,
            "experiment_id": self.experiment_id,
            "member_id": "r1i1p1f1",
            "table_id": table,
            "variable_id": name,
            "grid_label": "gn",
            "version": VERSION,
            "time_range": time_range,
            "format": form,
            "path": path,
        }

    def folder(self, table: str, name: str) -> str:
        """Return the folder of one variable in the archive (the CMIP6 data reference syntax)."""
        activity = _EXPERIMENT[self.experiment_id]
        head = f"CMIP6/{activity}/{INSTITUTION}/{self.source_id}/{self.experiment_id}"
        return f"{head}/r1i1p1f1/{table}/{name}/gn/{VERSION}"

    def attrs(self, table: str, name: str, piece: str, calendar: str | None) -> dict[str, str]:
        """Return the global attributes of one file."""
        place = self.folder(table, name)
        attrs = {
            "Conventions": "CF-1.7 CMIP-6.2",
            "mip_era": "CMIP6",
            "activity_id": _EXPERIMENT[self.experiment_id],
            "institution_id": INSTITUTION,
            "institution": "finescale: an invented world for trying out downscaling",
            "source_id": self.source_id,
            "source": f"{self.source_id} (2025): invented weather, not a simulation of the Earth",
            "experiment_id": self.experiment_id,
            "variant_label": "r1i1p1f1",
            "sub_experiment_id": "none",
            "table_id": table,
            "frequency": _FREQUENCY[table],
            "variable_id": name,
            "grid_label": "gn",
            "grid": f"regular latitude-longitude, {self.grid.shape[0]} x {self.grid.shape[1]} cells",
            "realm": "atmos",
            "product": "model-output",
            "creation_date": "2025-01-01T00:00:00Z",
            "further_info_url": "https://furtherinfo.es-doc.org/CMIP6."
            f"{INSTITUTION}.{self.source_id}.{self.experiment_id}.none.r1i1p1f1",
            "license": "CC0 1.0: invented data, free for any use (https://creativecommons.org/publicdomain/zero/1.0/)",
            "tracking_id": f"hdl:21.14100/{uuid.uuid5(uuid.NAMESPACE_URL, f'{place}/{piece}')}",
        }
        return attrs if calendar is None else attrs | {"calendar": calendar}


def frame(source: Source, name: str, values: Any, clock: Clock | None) -> xr.Dataset:
    """Return one variable [time, lat, lon] or [lat, lon] with coordinates and bounds as CMIP6 writes them."""
    variable = VARIABLES[name]
    coords = source.grid.coords()
    edges = {"lat": source.grid.lat_edges, "lon": source.grid.lon_edges}
    if source.degrees_east:
        coords["lon"] = coords["lon"].copy(data=coords["lon"].values % 360)
        edges["lon"] = edges["lon"] % 360
    bounds = {}
    for axis in ("lat", "lon"):
        coords[axis].attrs["bounds"] = f"{axis}_bnds"
        bounds[f"{axis}_bnds"] = ((axis, "bnds"), np.stack([edges[axis][:-1], edges[axis][1:]], axis=1))
    if name in _HEIGHT:
        coords["height"] = xr.DataArray(
            _HEIGHT[name],
            attrs={
                "standard_name": "height",
                "long_name": "height",
                "units": "m",
                "axis": "Z",
                "positive": "up",
            },
        )
    dims: tuple[str, ...] = ("lat", "lon")
    methods = "area: mean"
    if clock is not None:
        coords["time"] = clock.time.assign_attrs(standard_name="time", long_name="time", axis="T")
        dims, methods = ("time", *dims), "area: mean time: point"
    attrs = {**variable.attrs, "cell_methods": methods, "cell_measures": "area: areacella"}
    return xr.Dataset({name: (dims, values, attrs), **bounds}, coords=coords)


def rounded(name: str, values: Real, finer: int = 1) -> Real:
    """Round values to the precision at which a variable is kept, or to a `finer` part of it."""
    quantum = QUANTUM[name] / finer
    return np.asarray(np.round(values / np.float32(quantum)) * np.float32(quantum), dtype=np.float32)


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
            ds.attrs = source.attrs(table, name, span, part.time.dt.calendar)
            path = f"{folder}/{name}_{table}_{source.source_id}_{source.experiment_id}_r1i1p1f1_gn_{span}.nc"
            encoding = _encoding(name, ds)
            encoding[name] |= {"zlib": True, "complevel": 4, "shuffle": True}
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
    template.attrs = source.attrs(table, name, "all", None if clock is None else clock.time.dt.calendar)
    encoding = _encoding(name, template)
    codec = BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=4)
    encoding[name] |= {"chunks": chunk, "shards": shard, "compressors": [codec]}
    path = root / source.folder(table, name)
    template.to_zarr(path, compute=False, zarr_format=3, consolidated=False, encoding=encoding, mode="w-")
    return zarr.open_array(path / name, mode="r+")


def _encoding(name: str, ds: xr.Dataset) -> dict[str, dict[str, Any]]:
    encoding: dict[str, dict[str, Any]] = {str(n): {"_FillValue": None} for n in ds.variables}
    encoding[name] |= {"dtype": "float32", "_FillValue": np.float32(1e20)}
    if "time" in ds.coords:
        year, month, day = (int(getattr(ds["time"].dt, part)[0]) for part in ("year", "month", "day"))
        encoding["time"] |= {
            "units": f"hours since {year:04d}-{month:02d}-{day:02d} 00:00:00",
            "calendar": ds["time"].dt.calendar,
            "dtype": "int64",
        }
    return encoding


def _span(clock: Clock) -> str:
    return "-".join(str(clock.time.dt.strftime("%Y%m%d%H%M").values[i]) for i in (0, -1))

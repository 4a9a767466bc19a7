"""One asset of a catalogue, opened lazily through intake-esm, whatever it is stored in and wherever it lies.

Three faults of the libraries below are gone round here: intake-esm hands zarr an option that local stores refuse
(local stores get a `file://` address); netCDF4 is not safe in threads (files open one after another, HDF5 files through
h5netcdf, so that later reads may run in parallel); a missing zarr chunk reads as NaN (it is looked for).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dask
import pandas as pd
import xarray as xr
from intake_esm.core import esm_datastore

from finescale.climate.files import engine_of, in_reads, options_for, quiet_zarr
from finescale.climate.holes import check_holes
from finescale.climate.table import ROW, Catalogue, reason, resolve
from finescale.errors import FinescaleError

_LEAK = "intake_esm_"  # prefix of what intake-esm adds to the attributes: paths of this machine among it


class AssetError(FinescaleError):
    """An asset that a catalogue names cannot be opened."""


def open_asset(
    catalogue: Catalogue, row: Mapping[str, Any], storage_options: Mapping[str, Any] | None = None
) -> xr.Dataset:
    """Open the asset of one catalogue row lazily, in whole chunks of its own, with times decoded.

    Args:
        catalogue: the catalogue that holds the row.
        row: one row of its table.
        storage_options: options of the file system; public buckets need none.
    """
    form = catalogue.format_of(row)
    if form not in ("zarr", "netcdf"):
        raise AssetError(_say(catalogue, row, f"its format is {form!r}, not zarr or netcdf"))
    address = resolve(catalogue, str(row[catalogue.asset_column]))
    if "://" not in address:
        if not Path(address).exists():
            raise AssetError(_say(catalogue, row, "it is missing"))
        address = f"file://{Path(address).as_posix()}" if form == "zarr" else address
    options = options_for(address, storage_options)
    try:
        opened = _through_intake(catalogue, row, address, form, options)
        if form == "zarr":
            check_holes(address, [str(n) for n in opened.data_vars], options)
    except FinescaleError as error:
        raise AssetError(_say(catalogue, row, str(error))) from error
    except Exception as error:  # every backend raises its own kinds
        raise AssetError(_say(catalogue, row, f"it cannot be opened ({reason(error)})")) from error
    return clean_attrs(opened)


def clean_attrs(ds: xr.Dataset) -> xr.Dataset:
    """Drop what the catalogue library wrote into the attributes, and the empty axis of decadal runs."""
    ds = ds.copy()
    ds.attrs = {k: v for k, v in ds.attrs.items() if not str(k).startswith(_LEAK)}
    for name in ("dcpp_init_year", "dcpp_start_year"):
        if ds.sizes.get(name) == 1:
            ds = ds.isel({name: 0}, drop=True)
    return ds


def _through_intake(
    catalogue: Catalogue, row: Mapping[str, Any], address: str, form: str, options: dict[str, Any]
) -> xr.Dataset:
    variable = catalogue.variable_column
    spec = {
        "esmcat_version": "0.1.0",
        "id": "asset",
        "attributes": [],
        "assets": {"column_name": "address", "format": form},
        "aggregation_control": {
            "variable_column_name": variable,
            "groupby_attrs": [ROW, variable],
            "aggregations": [],
        },
    }
    frame = pd.DataFrame([{ROW: str(row[ROW]), variable: str(row[variable]), "address": address}])
    reading: dict[str, Any] = {"chunks": None, "cache": False, "decode_timedelta": False}
    reading["engine"] = "zarr" if form == "zarr" else engine_of(address, options)
    if form == "zarr":
        reading["backend_kwargs"] = {"storage_options": options}
    store = esm_datastore({"esmcat": spec, "df": frame}, threaded=False)
    with dask.config.set(scheduler="synchronous"):
        source = store[store.keys()[0]](
            xarray_open_kwargs=reading, storage_options=None if form == "zarr" else options, threaded=False
        )
        with quiet_zarr():
            ds = source.to_dask()
    assert isinstance(ds, xr.Dataset)
    return in_reads(ds)


def _say(catalogue: Catalogue, row: Mapping[str, Any], what: str) -> str:
    facets = ".".join(str(row[c]) for c in catalogue.series_columns if not pd.isna(row.get(c)))
    cell = str(row[catalogue.asset_column]).rstrip("/")
    asset = Path(cell).name if Path(cell).is_absolute() else cell  # messages carry no path of this machine
    return (
        f"a row of the catalogue points to a readable asset: {catalogue.name}, line {row[ROW]} "
        f"({facets}, {row[catalogue.variable_column]}): {asset}: {what}; mend or remove that row"
    )

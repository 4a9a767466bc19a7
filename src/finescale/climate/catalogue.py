"""Search, open and write ESM catalogues: the only door through which model output enters.

A query must name exactly one series for every variable; anything else is an error that lists what was found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from finescale.climate.join import common_times, on_one_grid
from finescale.climate.provenance import series_attrs
from finescale.climate.search import search
from finescale.climate.series import open_variable
from finescale.climate.subset import Period, Region
from finescale.climate.table import Catalogue, load
from finescale.errors import FinescaleError

__all__ = ["Catalogue", "load", "open_series", "search", "write"]


def open_series(
    catalogue: str | Path | Catalogue,
    facets: Mapping[str, Any],
    *,
    variables: Sequence[str],
    each: Mapping[str, Mapping[str, Any]] | None = None,
    period: Period | None = None,
    region: Region | tuple[float, float, float, float] | None = None,
    margin: int = 0,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Open one series for each variable, lazily, cut to a period and a region before any data moves.

    Args:
        catalogue: path or URL of its JSON file, or a loaded one.
        facets: columns of the catalogue and their wanted values; a list of experiments is joined along time.
        variables: names in the catalogue, or finescale's names.
        each: facets of single variables, over the common ones: models publish them in different tables.
        period: first and last day, both included; variables without time ignore it.
        region: (south, north, west, east) in degrees; west > east crosses the dateline.
        margin: cells to keep beyond the region on each side.
        storage_options: options of the file system; public buckets need none.

    Returns:
        The variables as published, lazy, with their provenance in the attributes.
    """
    loaded = load(catalogue)
    members = [
        open_variable(
            loaded, {**facets, **(each or {}).get(name, {})}, name, period, region, margin, storage_options
        )
        for name in variables
    ]
    members = on_one_grid(common_times(members, variables))
    try:
        merged = xr.merge(members, join="exact", compat="override", combine_attrs="drop_conflicts")
    except ValueError as error:
        raise FinescaleError(
            f"variables of one series share their axes: {', '.join(variables)} do not ({str(error)[:200]}); "
            "choose one table_id and grid_label for all, or facets for each variable"
        ) from error
    merged.attrs.update(series_attrs(members))
    return merged


def write(
    folder: str | Path,
    rows: Sequence[Mapping[str, Any]],
    *,
    id: str,
    description: str,
    joined: Mapping[str, str] | None = None,
    about: Sequence[str] = (),
) -> Path:
    """Write a catalogue of assets: `catalogue.json` and `catalogue.csv`.

    Args:
        folder: where the catalogue goes; relative paths in the rows start here.
        rows: one mapping an asset: `path`, `variable_id`, the facets, and `format` (zarr or netcdf) if mixed.
        id: name of the catalogue.
        description: a sentence on what it holds.
        joined: columns that tell pieces of one series apart, and the dimension along which they join.
        about: columns that describe an asset and tell no series from another.
    """
    pieces = {"time_range": "time", **(joined or {})}
    table = pd.DataFrame(list(rows))
    if table.empty or not {"path", "variable_id"} <= set(table.columns):
        raise FinescaleError("a catalogue lists assets: every row needs path and variable_id; add them")
    if "format" not in table.columns:
        table["format"] = [
            "zarr" if str(p).rstrip("/").endswith(".zarr") else "netcdf" for p in table["path"]
        ]
    facets = [c for c in table.columns if c not in ("path", "format", "variable_id", *pieces, *about)]
    described = [c for c in table.columns if c not in ("path", "format")]
    aggregations: list[dict[str, Any]] = [{"type": "union", "attribute_name": "variable_id"}]
    aggregations += [
        {"type": "join_existing", "attribute_name": column, "options": {"dim": dimension}}
        for column, dimension in pieces.items()
        if column in table.columns
    ]
    spec = {
        "esmcat_version": "0.1.0",
        "id": id,
        "description": description,
        "catalog_file": "catalogue.csv",
        "attributes": [{"column_name": c, "vocabulary": ""} for c in described],
        "assets": {"column_name": "path", "format_column_name": "format"},
        "aggregation_control": {
            "variable_column_name": "variable_id", "groupby_attrs": facets, "aggregations": aggregations
        },
    }  # fmt: skip
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    ordered = table[[*facets, *(c for c in (*pieces, *about) if c in table), "variable_id", "format", "path"]]
    ordered.to_csv(target / "catalogue.csv", index=False, lineterminator="\n")
    path = target / "catalogue.json"
    path.write_text(json.dumps(spec, indent=2) + "\n", encoding="utf-8")
    return path

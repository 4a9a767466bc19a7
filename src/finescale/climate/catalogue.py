"""Search, open and write ESM catalogues: the only door through which model output enters.

A query must name exactly one series for every variable; anything else is an error that lists what was found.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from intake_esm.core import esm_datastore

from finescale.climate.assets import AssetError, open_asset
from finescale.climate.join import common_times, join_time
from finescale.climate.provenance import row_attrs, series_attrs
from finescale.climate.subset import Period, Region, crop_period, crop_region
from finescale.climate.table import ROW, Catalogue, load
from finescale.climate.variables import VARIABLES
from finescale.errors import FinescaleError

__all__ = ["Catalogue", "load", "open_series", "search", "write"]

Facets = Mapping[str, Any]
_SHOWN = 12


def search(catalogue: str | Path | Catalogue, **facets: object) -> pd.DataFrame:
    """Return the rows of a catalogue that match every facet.

    Args:
        catalogue: path or URL of its JSON file, or a loaded one.
        facets: column = value, list of values, or a pattern with `*`; `version="latest"` keeps the newest.

    Returns:
        One row an asset, indexed by its line in the table file.
    """
    loaded = load(catalogue)
    query = {
        loaded.column(name): _values(loaded, name, value)
        for name, value in facets.items()
        if value is not None
    }
    latest = [c for c, v in query.items() if c == "version" and v == ["latest"]]
    query = {c: v for c, v in query.items() if c not in latest}
    found = _search(loaded, query)
    if found.empty:
        raise FinescaleError(_nothing(loaded, query))
    if latest:
        keys = [c for c in (*loaded.series_columns, loaded.variable_column) if c != "version"]
        newest = found.groupby(keys, dropna=False)["version"].transform("max")
        found = found[found["version"] == newest]
    return found.set_index(ROW).dropna(axis="columns", how="all")


def open_series(
    catalogue: str | Path | Catalogue,
    facets: Facets,
    *,
    variables: Sequence[str],
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
        period: first and last day, both included; variables without time ignore it.
        region: (south, north, west, east) in degrees; west > east crosses the dateline.
        margin: cells to keep beyond the region on each side.
        storage_options: options of the file system; public buckets need none.

    Returns:
        The variables as published, lazy, with their provenance in the attributes.
    """
    loaded = load(catalogue)
    members = [
        _open_variable(loaded, dict(facets), name, period, region, margin, storage_options)
        for name in variables
    ]
    members = common_times(members, variables)
    try:
        merged = xr.merge(members, join="exact", compat="override", combine_attrs="drop_conflicts")
    except ValueError as error:
        raise FinescaleError(
            f"variables of one series share their axes: {', '.join(variables)} do not ({str(error)[:200]}); "
            "choose one table_id and grid_label for all"
        ) from error
    merged.attrs.update(series_attrs(members))
    return merged


def write(folder: str | Path, rows: Sequence[Mapping[str, Any]], *, id: str, description: str) -> Path:
    """Write a catalogue of assets: `catalogue.json` and `catalogue.csv`.

    Args:
        folder: where the catalogue goes; relative paths in the rows start here.
        rows: one mapping an asset: `path`, `variable_id`, the facets, and `format` (zarr or netcdf) if mixed.
        id: name of the catalogue.
        description: a sentence on what it holds.
    """
    table = pd.DataFrame(list(rows))
    if table.empty or not {"path", "variable_id"} <= set(table.columns):
        raise FinescaleError("a catalogue lists assets: every row needs path and variable_id; add them")
    if "format" not in table.columns:
        table["format"] = [
            "zarr" if str(p).rstrip("/").endswith(".zarr") else "netcdf" for p in table["path"]
        ]
    facets = [c for c in table.columns if c not in ("path", "format", "variable_id", "time_range")]
    described = [c for c in table.columns if c not in ("path", "format")]
    aggregations: list[dict[str, Any]] = [{"type": "union", "attribute_name": "variable_id"}]
    if "time_range" in table.columns:
        aggregations.append(
            {"type": "join_existing", "attribute_name": "time_range", "options": {"dim": "time"}}
        )
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
    ordered = table[[*facets, *(c for c in ("time_range",) if c in table), "variable_id", "format", "path"]]
    ordered.to_csv(target / "catalogue.csv", index=False, lineterminator="\n")
    path = target / "catalogue.json"
    path.write_text(json.dumps(spec, indent=2) + "\n", encoding="utf-8")
    return path


def _search(loaded: Catalogue, query: dict[str, list[str]]) -> pd.DataFrame:
    if not query:
        return loaded.table
    store = esm_datastore({"esmcat": dict(loaded.spec), "df": loaded.table}, threaded=False)
    try:
        return store.esmcat.search(query=query)
    except re.error as error:
        raise FinescaleError(
            f"a pattern is a regular expression or has a *: {query} ({error}); mend it"
        ) from error


def _values(loaded: Catalogue, facet: str, value: object) -> list[str]:
    """Return the wanted values as the table spells them: all text, versions with or without their v."""
    given = [str(v) for v in (value if isinstance(value, list | tuple | set) else [value])]
    column = loaded.column(facet)
    if column == "version" and given != ["latest"]:
        given = [w for v in given for w in (v, v[1:] if v[:1] == "v" else f"v{v}")]
    if column == loaded.variable_column and loaded.table[column].str.contains(" ", regex=False).any():
        return [v if _is_pattern(v) else f"(?:^| ){re.escape(v)}(?: |$)" for v in given]
    return [
        "^" + ".*".join(map(re.escape, v.split("*"))) + "$" if "*" in v and v[0] != "^" else v for v in given
    ]


def _is_pattern(value: str) -> bool:
    return any(c in value for c in "*^$?")


def _open_variable(
    loaded: Catalogue,
    facets: dict[str, Any],
    name: str,
    period: Period | None,
    region: Region | tuple[float, float, float, float] | None,
    margin: int,
    options: Mapping[str, Any] | None,
) -> xr.Dataset:
    """Open one variable: every experiment asked for, every file, end to end."""
    experiment = loaded.experiment_column
    asked = (
        next((facets[k] for k in list(facets) if loaded.column(k) == experiment), None)
        if experiment
        else None
    )
    runs = list(asked) if isinstance(asked, list | tuple) else [asked]
    pieces, labels = [], []
    for run in runs:
        query = facets if run is None else {**facets, str(experiment): run}
        rows = _one_series(loaded, query, name)
        for ds, label in _open_rows(loaded, rows, options):
            pieces.append(_only(ds, str(rows[loaded.variable_column].iloc[0]), name, label))
            labels.append(label)
    joined = join_time(pieces, labels)
    if period is not None:
        joined = crop_period(joined, period, f"{name} of {loaded.name}")
    return crop_region(joined, region, margin) if region is not None else joined


def _one_series(loaded: Catalogue, facets: dict[str, Any], name: str) -> pd.DataFrame:
    """Return the rows of the one series that the facets name, or say what was found."""
    column = loaded.variable_column
    others = VARIABLES[name].aliases if name in VARIABLES else ()
    cells = loaded.table[column]
    spelt = next(
        (n for n in (name, *others) if cells.str.contains(rf"(?:^| ){re.escape(n)}(?: |$)").any()), name
    )
    found = search(loaded, **{**facets, column: spelt})
    keys = [c for c in loaded.series_columns if c in found.columns]
    series = found.drop_duplicates(keys)
    if len(series) > 1:
        differ = [c for c in keys if len(series[c].drop_duplicates()) > 1]
        lines = [", ".join(f"{c}={r[c]}" for c in differ) for _, r in series[differ].head(_SHOWN).iterrows()]
        more = f"\n  ... and {len(series) - _SHOWN} more" if len(series) > _SHOWN else ""
        raise FinescaleError(
            f"a query names exactly one series of a variable: {len(series)} of {name} in {loaded.name}; "
            f"say which {' and '.join(differ)}:\n  " + "\n  ".join(lines) + more
        )
    return found.reset_index()


def _open_rows(
    loaded: Catalogue, rows: pd.DataFrame, options: Mapping[str, Any] | None
) -> list[tuple[xr.Dataset, str]]:
    """Open every row one after another; all bad rows are told at once."""
    opened, bad = [], []
    for record in rows.to_dict(orient="records"):
        row = {str(k): v for k, v in record.items()}
        try:
            ds = open_asset(loaded, row, options)
            opened.append((ds.assign_attrs(row_attrs(row, ds.attrs)), f"line {row[ROW]} of {loaded.name}"))
        except AssetError as error:
            bad.append(str(error))
    if bad:
        raise AssetError("\n".join(bad))
    return opened


def _only(ds: xr.Dataset, cell: str, name: str, label: str) -> xr.Dataset:
    """Keep the one variable (with its bounds), refusing an asset that does not hold it."""
    held = [n for n in (name, *cell.split()) if n in ds.data_vars]
    if not held:
        raise AssetError(
            f"an asset holds the variable that its row names: {label} says {cell}, the asset has "
            f"{', '.join(map(str, ds.data_vars))}; mend that row"
        )
    bounds = [b for b in ("time_bnds", "time_bounds") if b in ds.variables]
    return ds[[held[0]]].assign_coords({b: ds[b] for b in bounds})


def _nothing(loaded: Catalogue, query: dict[str, list[str]]) -> str:
    """Say which facet has no match at all and what comes close, or that only the combination is missing."""
    for column, values in query.items():
        known = loaded.table[column].dropna().unique().astype(str)
        if not any(v in known or _is_pattern(v) for v in values):
            near = difflib.get_close_matches(values[0], list(known), n=3, cutoff=0.4) or sorted(known)[:5]
            return (
                f"a facet has a value that the catalogue knows: {loaded.name} has no {column}={values[0]!r}; "
                f"nearest: {', '.join(near)}"
            )
    asked = ", ".join(f"{c}={v[0] if len(v) == 1 else v}" for c, v in query.items())
    return f"a query matches something: nothing in {loaded.name} has {asked} together; relax one facet"

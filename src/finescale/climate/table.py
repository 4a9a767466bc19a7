"""An ESM catalogue in memory: its specification, its table with every cell as text, and the folder it lies in."""

from __future__ import annotations

import gzip
import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

from finescale.errors import FinescaleError

ROW = "catalogue_row"  # line of the table file, so that a bad row can be found with an editor

# Columns that say the same thing in the catalogues of Pangeo, ESGF, xscen and NCAR.
_SYNONYMS = (
    ("source_id", "source", "model", "model_id"),
    ("experiment_id", "experiment"),
    ("member_id", "member", "ensemble_member"),
    ("variable_id", "variable"),
    ("institution_id", "institution"),
    ("activity_id", "activity"),
    ("grid_label", "domain"),
    ("table_id", "frequency"),
)
# Columns that describe a piece of a series or repeat its metadata; two rows that differ here may be one series.
_PIECES = frozenset(
    {ROW, "time_range", "start_time", "end_time", "date_start", "date_end", "long_name", "units", "calendar",
     "vertical_levels", "spatial_domain", "tracking_id", "id"}
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Catalogue:
    """A parsed catalogue.

    Attributes:
        name: what to call it in messages.
        folder: where relative paths start; a path or a URL.
        spec: the JSON description (esmcat), without its table.
        table: one row an asset; text or missing, plus the integer column `catalogue_row`.
    """

    name: str
    folder: str
    spec: Mapping[str, Any]
    table: pd.DataFrame

    @property
    def asset_column(self) -> str:
        """Column that holds the paths or URLs."""
        return str(self.spec["assets"]["column_name"])

    @cached_property
    def variable_column(self) -> str:
        """Column that holds the variable names."""
        control = self.spec.get("aggregation_control") or {}
        return str(control.get("variable_column_name") or self.column("variable_id"))

    @cached_property
    def experiment_column(self) -> str | None:
        """Column that tells historical from scenario, if there is one."""
        return next((c for c in _synonyms("experiment_id") if c in self.table.columns), None)

    @cached_property
    def series_columns(self) -> tuple[str, ...]:
        """Columns whose values together name one series of one variable."""
        control = self.spec.get("aggregation_control") or {}
        joined = {
            a["attribute_name"] for a in control.get("aggregations", ()) if a["type"] == "join_existing"
        }
        never = {self.asset_column, self.variable_column, self.spec["assets"].get("format_column_name")}
        return tuple(c for c in self.table.columns if c not in _PIECES | joined | never)

    def column(self, facet: str) -> str:
        """Return the column that a facet means, the catalogue's own spelling first."""
        for name in (facet, *_synonyms(facet)):
            if name in self.table.columns:
                return name
        known = sorted(set(map(str, self.table.columns)) - {ROW})
        raise FinescaleError(
            f"a facet is a column of the catalogue: {self.name} has no {facet!r}; choose out of {', '.join(known)}"
        )

    def format_of(self, row: Mapping[str, Any]) -> str:
        """Return `zarr` or `netcdf`, as the catalogue states for a row."""
        assets = self.spec["assets"]
        stated = assets.get("format") or row.get(assets.get("format_column_name") or "")
        return "zarr" if str(stated).startswith("zarr") else str(stated)


def load(catalogue: str | Path | Catalogue, storage_options: Mapping[str, Any] | None = None) -> Catalogue:
    """Read a catalogue from its JSON file, local or remote."""
    if isinstance(catalogue, Catalogue):
        return catalogue
    address, options = str(catalogue), dict(storage_options or {})
    if "://" not in address:
        address = str(Path(address).expanduser().absolute())
    name = posixpath.basename(address.replace("\\", "/"))
    spec = _read_spec(address, name, options)
    folder = posixpath.dirname(address)
    if spec.get("catalog_dict") is not None:
        table = pd.DataFrame(spec["catalog_dict"]).astype("string[pyarrow]")
    else:
        table = _read_table(_join(folder, str(spec.get("catalog_file"))), name, options)
    needed = {str(spec["assets"]["column_name"])}
    if missing := needed - set(table.columns):
        raise FinescaleError(
            f"the table of a catalogue has the columns that its description names: {name} lacks "
            f"{', '.join(sorted(missing))}; found {', '.join(map(str, table.columns))}"
        )
    table[ROW] = range(2, len(table) + 2)  # line 1 of the file is the header
    kept = {k: v for k, v in spec.items() if k not in ("catalog_file", "catalog_dict")}
    loaded = Catalogue(name, folder, kept, table)
    return _plain_variables(loaded)


def _read_spec(address: str, name: str, options: dict[str, Any]) -> dict[str, Any]:
    try:
        with fsspec.open(address, "rt", encoding="utf-8", **options) as file:
            spec = json.load(file)
    except json.JSONDecodeError as error:
        raise FinescaleError(
            f"a catalogue is a JSON file: {name}, line {error.lineno}: {error.msg}; mend it or write it anew"
        ) from error
    except Exception as error:  # each file system raises its own kind
        raise FinescaleError(
            f"a catalogue must exist: {name} cannot be read ({reason(error)}); check its path"
        ) from error
    if not isinstance(spec, dict) or "assets" not in spec or "column_name" not in (spec.get("assets") or {}):
        raise FinescaleError(
            f"a catalogue describes its assets: {name} has no assets.column_name; see the ESM collection specification"
        )
    return spec


def _read_table(address: str, name: str, options: dict[str, Any]) -> pd.DataFrame:
    broken: list[pacsv.InvalidRow] = []

    def note(row: pacsv.InvalidRow) -> str:
        broken.append(row)
        return "skip"

    try:
        with fsspec.open(address, "rb", **options) as file:
            raw = file.read()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        names = pacsv.open_csv(
            pa.BufferReader(raw), parse_options=pacsv.ParseOptions(invalid_row_handler=note)
        ).schema.names
        broken.clear()
        table = pacsv.read_csv(
            pa.BufferReader(raw),
            read_options=pacsv.ReadOptions(use_threads=False),  # only a serial parse knows line numbers
            parse_options=pacsv.ParseOptions(invalid_row_handler=note, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=["", "nan", "NaN"],
            ),
        )
    except Exception as error:
        raise FinescaleError(
            f"a catalogue has a table: that of {name} cannot be read from {posixpath.basename(address)} "
            f"({reason(error)}); check catalog_file"
        ) from error
    if broken or not names[0]:
        where = ", ".join(f"line {b.number} has {b.actual_columns}" for b in broken[:5])
        raise FinescaleError(
            f"every row of a catalogue has as many cells as its header: {len(names)} in {name}, but {where}; "
            "mend these rows"
        )
    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.string(): pd.ArrowDtype(pa.string())}.get)
    return frame


def _plain_variables(catalogue: Catalogue) -> Catalogue:
    """Write lists of variables, which catalogues spell as Python tuples, as names with a space between."""
    column = catalogue.variable_column
    cells = catalogue.table[column]
    if not cells.str.startswith(("(", "[")).any():
        return catalogue
    table = catalogue.table.assign(**{column: cells.map(lambda c: " ".join(re.findall(r"[\w.+-]+", str(c))))})
    return Catalogue(catalogue.name, catalogue.folder, catalogue.spec, table)


def resolve(catalogue: Catalogue, path: str) -> str:
    """Return the full address of an asset: relative paths start at the folder of the catalogue."""
    return _join(catalogue.folder, path)


def reason(error: BaseException) -> str:
    """Say in a few words what is at the root of an error."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}" if text else type(error).__name__


def _join(folder: str, path: str) -> str:
    if "://" in path or path.startswith("/") or Path(path).is_absolute():
        return path
    return posixpath.join(folder, path)


def _synonyms(facet: str) -> tuple[str, ...]:
    return next((group for group in _SYNONYMS if facet in group), ())

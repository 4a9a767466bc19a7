"""One series of one variable: the rows that hold it, checked to be one, opened and put end to end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr

from finescale.climate.assets import AssetError, open_asset
from finescale.climate.join import join_time
from finescale.climate.provenance import row_attrs
from finescale.climate.search import search
from finescale.climate.subset import Period, Region, crop_period, crop_region, day_number
from finescale.climate.table import ROW, Catalogue
from finescale.climate.variables import VARIABLES
from finescale.errors import FinescaleError

_SHOWN = 12


def open_variable(
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
        rows = _within(_one_series(loaded, query, name), period)
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
    held = {word for cell in loaded.table[column].dropna().unique() for word in str(cell).split()}
    spelt = next((n for n in (name, *others) if n in held), name)
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


def _within(rows: pd.DataFrame, period: Period | None) -> pd.DataFrame:
    """Leave out files whose `time_range` lies outside the period: they need not even be opened."""
    if period is None or "time_range" not in rows.columns:
        return rows
    first, last = (str(day_number(day)) for day in period)

    def touches(span: object) -> bool:
        begin, _, end = str(span).partition("-")
        end = end or begin
        if not (begin.isdigit() and end.isdigit()):
            return True
        n, m = min(8, len(begin)), min(8, len(end))
        return begin[:n] <= last[:n] and end[:m] >= first[:m]

    kept = rows[[touches(span) for span in rows["time_range"]]]
    return rows if kept.empty else kept


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
    chosen = ds[[held[0]]].assign_coords({b: ds[b] for b in bounds})
    if "height" in chosen.coords and chosen["height"].ndim == 0:
        # Beside other variables one scalar would speak for all of them: 2 m of temperature, 10 m of wind.
        chosen[held[0]].attrs["height"] = f"{float(chosen['height']):g} m"
        chosen = chosen.drop_vars("height")
    return chosen

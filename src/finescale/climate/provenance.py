"""Where data came from, in attributes that travel with it: ids, versions, licence; never a path of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr

# Global attributes of CMIP6 that make a series findable and citable; joined series list each value once.
_KEPT = (
    "tracking_id",
    "further_info_url",
    "source_id",
    "institution_id",
    "activity_id",
    "experiment_id",
    "variant_label",
    "table_id",
    "grid_label",
    "frequency",
    "nominal_resolution",
    "license",
    "references",
    "parent_experiment_id",
    "version",
)


def series_attrs(parts: Sequence[xr.Dataset]) -> dict[str, str]:
    """Collect the identity of several datasets: equal values once, different ones in order, one a line."""
    collected: dict[str, str] = {}
    for key in _KEPT:
        values = [line for part in parts for line in str(part.attrs.get(key, "")).split("\n") if line.strip()]
        if values:
            collected[key] = "\n".join(dict.fromkeys(values))
    return collected


def row_attrs(row: Mapping[str, Any], attrs: Mapping[str, Any]) -> dict[str, str]:
    """Return what the catalogue says of an asset: its version always, the rest where the file is silent."""
    said = {k: str(row[k]) for k in _KEPT if k in row and not pd.isna(row[k])}
    return {k: v for k, v in said.items() if k == "version" or not attrs.get(k)}


def note(ds: xr.Dataset, line: str) -> xr.Dataset:
    """Return the dataset with one more line of history; no clock, so that equal data has equal bytes."""
    lines = [*str(ds.attrs.get("history", "")).splitlines(), f"finescale: {line}"]
    return ds.assign_attrs(history="\n".join(dict.fromkeys(lines)))

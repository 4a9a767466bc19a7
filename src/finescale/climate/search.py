"""Finding rows of a catalogue by facets, and saying what came close when nothing is found."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from intake_esm.core import esm_datastore

from finescale.climate.table import ROW, Catalogue, load
from finescale.errors import FinescaleError


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
        raise FinescaleError(_nothing(loaded, query, facets))
    if latest:
        keys = [c for c in (*loaded.series_columns, loaded.variable_column) if c != "version"]
        newest = found.groupby(keys, dropna=False)["version"].transform("max")
        found = found[found["version"] == newest]
    return found.set_index(ROW).dropna(axis="columns", how="all")


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


def _nothing(loaded: Catalogue, query: dict[str, list[str]], facets: Mapping[str, object]) -> str:
    """Say which facet has no match at all and what comes close, or that only the combination is missing."""
    said = {loaded.column(name): value for name, value in facets.items() if value is not None}
    for column, values in query.items():
        known = loaded.table[column].dropna().unique().astype(str)
        if not any(v in known or _is_pattern(v) for v in values):
            asked = said[column]
            first = str(next(iter(asked)) if isinstance(asked, list | tuple | set) else asked)
            near = difflib.get_close_matches(first, list(known), n=3, cutoff=0.4) or sorted(known)[:5]
            return (
                f"a facet has a value that the catalogue knows: {loaded.name} has no {column}={first!r}; "
                f"nearest: {', '.join(near)}"
            )
    together = ", ".join(f"{c}={v}" for c, v in said.items())
    return f"a query matches something: nothing in {loaded.name} has {together} together; relax one facet"

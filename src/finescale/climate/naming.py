"""Which variable of a file is which of ours: by name first, then by CF standard name, never by a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import xarray as xr

from finescale.climate.variables import VARIABLES, Variable
from finescale.errors import FinescaleError

# What writers put where they know no standard name.
_SAYS_NOTHING = ("", "unknown", "~")
_LEVELS = ("pressure", "plev", "level", "lev", "bottom_top", "isobaric")
_VERTICAL = (*_LEVELS, "height_above_ground")


def rename(
    ds: xr.Dataset, variables: Sequence[str] | None, names: Mapping[str, str] | None = None
) -> tuple[xr.Dataset, list[str]]:
    """Keep and rename the wanted variables.

    Args:
        ds: a data set as published.
        variables: our names; None takes every one that can be told for certain.
        names: spellings of this source (theirs to ours) that come before the table of aliases.

    Returns:
        The data set with our names, and one line of history for each variable renamed.
    """
    given = {ours: theirs for theirs, ours in (names or {}).items() if theirs in ds.data_vars}
    given = {ours: theirs for ours, theirs in given.items() if not _has(ds[theirs], _LEVELS)}
    wanted = list(variables) if variables is not None else list(VARIABLES)
    found: dict[str, str] = {}
    for name in wanted:
        variable = table_entry(name)
        theirs = given.get(name) or _find(ds, variable, exclude=set(found))
        if theirs is not None:
            _check_meaning(ds[theirs], theirs, variable)
            found[theirs] = name
        elif variables is not None:
            aloft = [str(n) for n in ds.data_vars if _has(ds[n], _LEVELS)]
            raise FinescaleError(
                f"the data hold every variable asked for: no {name} (or {', '.join(variable.aliases[:6])}) among "
                f"{_list(ds)}; give its name in this source"
                + (
                    f" ({', '.join(aloft[:6])} lie on levels; drop that dimension to use one)"
                    if aloft
                    else ""
                )
            )
    if not found:
        raise FinescaleError(
            f"a data set holds at least one variable that is known: found {_list(ds)}; name one of them"
        )
    kept = ds[list(found)].rename({t: o for t, o in found.items() if t != o})
    return kept, [f"renamed {t} to {o}" for t, o in found.items() if t != o]


def table_entry(name: str) -> Variable:
    """Return the entry of a variable by our name for it."""
    if name not in VARIABLES:
        raise FinescaleError(f"a variable is one of {', '.join(VARIABLES)}: {name!r}; choose one of these")
    return VARIABLES[name]


def _find(ds: xr.Dataset, variable: Variable, exclude: set[str]) -> str | None:
    """Return the name in the file, or None; raise when several fit equally well.

    A field on levels is another quantity aloft, however it is called, even where there is one level only.
    """
    flat = [str(n) for n in ds.data_vars if len(ds[n].dims) >= 2 and not _has(ds[n], _LEVELS)]
    free = [n for n in flat if n not in exclude]
    if variable.name in free:
        return variable.name
    by_alias = [n for n in variable.aliases if n in free]
    short = [n for n in free if ds[n].attrs.get("short_name") in (variable.name, *variable.aliases)]
    by_standard = [n for n in free if variable.by_standard_name and _at_surface(ds[n], variable)]
    for candidates in (by_alias, short, by_standard):
        if len(candidates) > 1:
            raise FinescaleError(
                f"one variable of a file is {variable.name}: {', '.join(candidates)} all may be; say which by its name"
            )
        if candidates:
            return candidates[0]
    return None


def _at_surface(da: xr.DataArray, variable: Variable) -> bool:
    """True for the standard name of the variable on a field without levels, whose name is not another of ours."""
    known = {n for v in VARIABLES.values() for n in (v.name, *v.aliases)}
    return (
        da.attrs.get("standard_name") in variable.standard_names
        and str(da.name) not in known
        and not _has(da, _VERTICAL)
        and not any(c.isdigit() for c in str(da.name))  # ta850, u500: a level in the name
    )


def _has(da: xr.DataArray, axes: tuple[str, ...]) -> bool:
    return any(str(d).startswith(axes) for d in da.dims)


def _check_meaning(da: xr.DataArray, theirs: str, variable: Variable) -> None:
    said = str(da.attrs.get("standard_name", "")).strip()
    if said not in _SAYS_NOTHING and said not in variable.standard_names:
        raise FinescaleError(
            f"a variable is what its name says: {theirs} has the standard name {said!r}, {variable.name} is "
            f"{variable.standard_name!r}; mend the file or name the right variable"
        )


def _list(ds: xr.Dataset) -> str:
    names = [str(n) for n in ds.data_vars]
    return ", ".join(names[:12]) + (" ..." if len(names) > 12 else "") if names else "no field at all"

"""Reanalyses and observations as fine references: how each product spells and stores what finescale needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import xarray as xr

from finescale.climate.files import open_file
from finescale.climate.harmonise import harmonise
from finescale.climate.join import join_time, on_one_grid
from finescale.climate.subset import Period, Region
from finescale.climate.table import reason
from finescale.climate.timeline import Gaps, interval_seconds, named
from finescale.climate.winds import Basis, from_direction
from finescale.errors import FinescaleError


@dataclass(frozen=True)
class Preset:
    """What a product leaves unsaid in its files.

    Attributes:
        title: the product in words.
        names: its spellings, theirs to ours, beyond the table of aliases.
        accumulation_hours: hours over which its amounts are gathered, where its files have no time bounds.
        grid_winds: native names of winds that follow a rotated grid although the file may not say so.
        polar_winds: native names of speed and direction where the product has no components.
        gaps: whether jumps in time are part of the product.
    """

    title: str
    names: Mapping[str, str] = field(default_factory=dict)
    accumulation_hours: float | None = None
    grid_winds: tuple[str, ...] = ()
    polar_winds: tuple[str, str] | None = None
    gaps: Gaps = "refuse"


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "cf": Preset("any CF data set"),
        "era5": Preset("ERA5, as ARCO Zarr or CDS netCDF", {"z": "orog", "geopotential_at_surface": "orog"}, 1.0),
        "cosmo-rea6": Preset(
            "COSMO-REA6 of the DWD, rotated pole", {"PMSL": "psl", "T_2M": "tas", "U_10M": "uas", "V_10M": "vas",
            "TOT_PRECIP": "pr", "HSURF": "orog", "FR_LAND": "sftlf", "var33": "uas", "var34": "vas"}, 1.0,
            ("U_10M", "V_10M", "var33", "var34"),
        ),
        "cerra": Preset(
            "CERRA, Lambert grid of 5.5 km", {"si10": "sfcWind"}, 3.0, polar_winds=("si10", "wdir10")
        ),
        "e-obs": Preset("E-OBS, daily station analyses over land", {"tg": "tas", "pp": "psl", "rr": "pr"}, 24.0),
    }
)  # fmt: skip


def open_reference(
    source: str | Path | Sequence[str | Path],
    *,
    preset: str = "cf",
    variables: Sequence[str],
    period: Period | None = None,
    region: Region | tuple[float, float, float, float] | None = None,
    margin: int = 0,
    winds: Basis | None = None,
    gaps: Gaps | None = None,
    accumulation_hours: float | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Open a reference lazily and bring it into finescale's form.

    Args:
        source: a Zarr store, a netCDF file, a pattern with `*`, or a list of files; local or remote.
        preset: name of a product.
        variables: our names, static ones included.
        period: first and last day, both included.
        region: (south, north, west, east) in degrees.
        margin: cells kept beyond the region.
        winds: what the winds follow, where the preset is wrong.
        gaps: `allow` for seasonal series.
        accumulation_hours: hours behind amounts, where the preset is wrong and the files have no time bounds.
        storage_options: options of the file system.
    """
    if preset not in PRESETS:
        raise FinescaleError(f"a preset is one of {', '.join(PRESETS)}: {preset!r}; choose one of these")
    known = PRESETS[preset]
    raw = _open(source, variables, storage_options)
    if known.polar_winds is not None and {"uas", "vas"} & set(variables):
        raw = from_direction(raw, *known.polar_winds)
    basis = winds or ("grid" if any(n in raw for n in known.grid_winds) else None)
    unsaid = None if interval_seconds(raw) else known.accumulation_hours
    return harmonise(
        raw,
        variables=variables,
        names=known.names,
        period=period,
        region=region,
        margin=margin,
        gaps=gaps or known.gaps,
        accumulation_hours=accumulation_hours or unsaid,
        winds=basis,
    )


def _open(
    source: str | Path | Sequence[str | Path], variables: Sequence[str], options: Mapping[str, Any] | None
) -> xr.Dataset:
    """Open every file one after another, join the months of each variable, and put the variables side by side."""
    files = _files(source)
    groups: dict[tuple[str, ...], list[tuple[str, xr.Dataset]]] = {}
    for address in files:
        ds = open_file(address, options, variables)
        ds = named(ds)[0] if len(files) > 1 else ds
        fields = tuple(sorted(str(n) for n, v in ds.data_vars.items() if v.ndim >= 2))
        groups.setdefault(fields, []).append((Path(address).name, ds))
    parts = [join_time([ds for _, ds in group], [name for name, _ in group]) for group in groups.values()]
    try:
        return xr.merge(on_one_grid(parts), join="exact", compat="override", combine_attrs="drop_conflicts")
    except ValueError as error:
        raise FinescaleError(
            f"files of one reference share their axes: {reason(error)}; give files of one grid and one period"
        ) from error


def _files(source: str | Path | Sequence[str | Path]) -> list[str]:
    if not isinstance(source, str | Path):
        files = [str(s) for s in source]
    elif "*" in str(source) and "://" not in str(source):
        files = _matching(str(source))
    else:
        files = [str(source)]
    if not files:
        raise FinescaleError(
            f"a reference has files: nothing matches {Path(str(source)).name}; check the pattern"
        )
    return files


def _matching(pattern: str) -> list[str]:
    """Files that match a pattern, in order of their names."""
    path = Path(pattern)
    fixed = next(i for i, part in enumerate(path.parts) if "*" in part)
    return sorted(str(p) for p in Path(*path.parts[:fixed]).glob(str(Path(*path.parts[fixed:]))))

"""The data of the explorer: a storm, hour by hour, packed to bytes that a browser can unpack by itself.

A field is one byte a cell; each hour is stored as the difference from the hour before (modulo 256), because
weather changes little in an hour, and the whole is deflated and written in base64.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.grid.grid import Grid
from finescale.report.case import Case
from finescale.report.display import hour, shown
from finescale.scores.regions import LAND, land_share

BUDGET = 24 * 2**20  # bytes of all fields before they are deflated
LONGEST, SHORTEST = 72, 24
MEMBERS = 6
MAPS = ("viridis", "cividis", "PuOr", "YlGnBu", "magma", "RdBu_r")


def pack(
    cases: Sequence[Case], *, default: str, static: xr.Dataset | None, budget: int = BUDGET
) -> dict[str, Any]:
    """Pack the storm of every case.

    The default method comes with several members, every other one with its first; the stretch is shortened
    until all fields fit into the budget.

    Args:
        cases: The cases.
        default: The method with the members.
        static: `sftlf` for the coastline.
        budget: Bytes of all fields before they are deflated.
    """
    an_hour = sum(_fields(case, default) * _cells(case) for case in cases)
    hours = int(min(LONGEST, max(SHORTEST, budget // max(1, an_hour))))
    return {
        "default": default,
        "colours": {name: _lookup(name) for name in MAPS},
        "cases": {case.name: _case(case, default, hours, static) for case in cases},
    }


def packed(values: NDArray[np.floating], low: float, high: float) -> str:
    """Pack fields [T, lat, lon] between two bounds; `unpacked` turns them back to within half a step."""
    step = np.rint((np.clip(values, low, high) - low) / (high - low) * 255).astype(np.uint8)
    change = np.diff(step, axis=0, prepend=np.zeros_like(step[:1]))  # wraps around, as bytes do
    return base64.b64encode(zlib.compress(change.tobytes(), 9)).decode()


def unpacked(text: str, shape: tuple[int, int, int], low: float, high: float) -> NDArray[np.float64]:
    """Turn packed fields back, as the page does."""
    change = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8).reshape(shape)
    step = np.cumsum(change, axis=0, dtype=np.uint8)
    return np.asarray(low + step / 255 * (high - low), dtype=np.float64)


def coastline(land: NDArray[np.floating]) -> list[list[int]]:
    """Give the sides between land and sea as [x0, y0, x1, y1] in cells, y counted from the south."""
    is_land = land >= LAND
    upright = [[j + 1, i, j + 1, i + 1] for i, j in np.argwhere(is_land[:, 1:] != is_land[:, :-1]).tolist()]
    level = [[j, i + 1, j + 1, i + 1] for i, j in np.argwhere(is_land[1:] != is_land[:-1]).tolist()]
    return upright + level


def _case(case: Case, default: str, hours: int, static: xr.Dataset | None) -> dict[str, Any]:
    window = case.window(hours)
    land = land_share(static)
    clock = case.truth["time"].to_numpy()[window]
    grid, coarse_grid = Grid.from_dataset(case.truth), Grid.from_dataset(case.coarse)
    stamps = np.flatnonzero(case.truth.indexes["time"][window].isin(case.coarse.indexes["time"]))
    names = (
        [default, *(m for m in case.ensembles if m != default)]
        if default in case.ensembles
        else [*case.ensembles]
    )
    return {
        "hours": [hour(t) for t in clock],
        "storm": int(case.storm_hour - window.start),
        "lat": list(grid.lat),
        "lon": list(grid.lon),
        "coarse": {"shape": list(coarse_grid.shape), "stamps": stamps.tolist()},
        "coast": [] if land is None else coastline(land.to_numpy()),
        "methods": {m: min(_kept(m, default), case.ensembles[m].sizes["member"]) for m in names},
        "variables": {
            name: _variable(case, name, names, default, window, clock[stamps]) for name in case.variables
        },
    }


def _variable(
    case: Case, name: str, methods: Sequence[str], default: str, window: slice, stamps: NDArray[np.generic]
) -> dict[str, Any]:
    show = shown(name)
    fields = {"truth": case.truth[name].isel(time=window).transpose("time", "lat", "lon").to_numpy()}
    if stamps.size:
        fields["coarse"] = case.coarse[name].sel(time=stamps).transpose("time", "lat", "lon").to_numpy()
    for method in methods:
        x = case.ensembles[method][name].isel(time=window).transpose("member", "time", "lat", "lon")
        for m in range(min(_kept(method, default), x.sizes["member"])):
            fields[f"{method}/{m}"] = x.isel(member=m).to_numpy()
    values = {key: show.convert(field) for key, field in fields.items()}
    low, high = show.scale(list(values.values()))
    return {
        "label": show.label,
        "unit": show.unit,
        "colours": show.colours,
        "low": round(low, 6),
        "high": round(high, 6),
        "fields": {key: packed(field, low, high) for key, field in values.items()},
    }


def _kept(method: str, default: str) -> int:
    return MEMBERS if method == default else 1


def _fields(case: Case, default: str) -> int:
    kept = sum(min(_kept(m, default), ds.sizes["member"]) for m, ds in case.ensembles.items())
    return (1 + kept) * len(case.variables)


def _cells(case: Case) -> int:
    return case.truth.sizes["lat"] * case.truth.sizes["lon"]


def _lookup(name: str) -> str:
    """Give the 256 colours of a map as base64 of red, green and blue bytes."""
    colours = np.rint(mpl.colormaps[name](np.linspace(0, 1, 256))[:, :3] * 255).astype(np.uint8)
    return base64.b64encode(colours.tobytes()).decode()

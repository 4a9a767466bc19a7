"""What must hold before a number is computed: one grid, one clock, one unit, no holes."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.grid.grid import Grid

DIMS = ("member", "time", "lat", "lon")


def paired(ensemble: xr.Dataset, truth: xr.Dataset, fine: Grid) -> tuple[xr.Dataset, xr.Dataset, list[str]]:
    """Check that an ensemble and a truth can be compared hour by hour and cell by cell.

    Args:
        ensemble: Fields [member, time, lat, lon]; without `member` it counts as one.
        truth: Fields [time, lat, lon].
        fine: The grid both must be on.

    Returns:
        The ensemble [member, time, lat, lon], the truth [time, lat, lon], and the names of the ensemble's
        variables, all of which the truth has.
    """
    names = sorted(str(n) for n, v in ensemble.data_vars.items() if {"time", "lat", "lon"} <= set(v.dims))
    if not names:
        raise FinescaleError(
            f"an ensemble has fields over time, lat and lon: found {sorted(map(str, ensemble.data_vars))}; "
            "give the output of a downscaling"
        )
    missing = [n for n in names if n not in truth]
    if missing:
        raise FinescaleError(
            f"the truth has every variable of the ensemble: {missing} missing; add or drop them"
        )
    x, o = ensemble[names], truth[names]
    if "member" not in x.dims:
        x = x.expand_dims("member")
    if "member" in o.dims:
        raise FinescaleError(f"the truth is one series: {o.sizes['member']} members; choose one of them")
    for label, ds in (("ensemble", x), ("truth", o)):
        found = Grid.from_dataset(ds)
        if not found.matches(fine):
            raise FinescaleError(
                f"the {label} lies on the fine grid of the coarsening: {_place(found)}, not "
                f"{_place(fine)}; regrid it"
            )
    _check_times(x, o)
    for name in names:
        units = x[name].attrs.get("units"), o[name].attrs.get("units")
        if units[0] != units[1] or units[0] is None:
            raise FinescaleError(
                f"ensemble and truth have one unit: {name} in {units[0]} and in {units[1]}; harmonise both"
            )
    return x.transpose(*DIMS), o.transpose(*DIMS[1:]), names


def whole(values: NDArray[np.floating], name: str, label: str) -> NDArray[np.floating]:
    """Give the values back unless one of them is NaN or infinite."""
    if not np.isfinite(values).all():
        bad = int(values.size - np.isfinite(values).sum())
        raise FinescaleError(
            f"scores are of complete fields: {bad} of {values.size} values of {name} in the {label} are NaN "
            "or infinite; mend the data or leave the period out"
        )
    return values


def _place(grid: Grid) -> str:
    return f"{grid.shape[0]} x {grid.shape[1]} cells from {grid.lat[0]:.6g} N, {grid.lon[0]:.6g} E"


def _check_times(x: xr.Dataset, o: xr.Dataset) -> None:
    a, b = x["time"].to_numpy(), o["time"].to_numpy()
    if a.size != b.size or a.size == 0 or type(a[0]) is not type(b[0]) or not (a == b).all():

        def span(t: NDArray[np.generic]) -> str:
            return f"{t.size} hours from {str(t[0])[:16]} to {str(t[-1])[:16]}" if t.size else "0 hours"

        raise FinescaleError(
            f"ensemble and truth have the same hours: {span(a)}, {span(b)}; select one period and calendar"
        )
    if not (a[1:] > a[:-1]).all():
        raise FinescaleError(
            "time strictly increases: it does not here; sort the series and drop repeated hours"
        )

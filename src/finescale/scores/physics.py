"""Whether variables fit one another as in the truth: divergence, vorticity, balance, advection.

Every diagnostic is reported as members over truth: the aim is the truth's own amount, not the least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from finescale.grid.grid import Grid
from finescale.scores.bootstrap import Means

EARTH_RADIUS = 6.371e6  # m
ROTATION = 7.2921e-5  # s-1
GAS_CONSTANT = 287.05  # J kg-1 K-1

Fields = dict[str, NDArray[np.float64]]


def gradient(field: NDArray[np.floating], grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the eastward and northward derivatives of a field on the sphere.

    Args:
        field: Fields [..., lat, lon].
        grid: Their grid.

    Returns:
        Derivatives [..., lat, lon] a metre.
    """
    lat = np.deg2rad(np.asarray(grid.lat))
    lon = np.deg2rad(np.asarray(grid.lon))
    east = np.gradient(field, lon, axis=-1) / (EARTH_RADIUS * np.cos(lat)[:, None])
    return np.asarray(east, dtype=np.float64), np.asarray(np.gradient(field, lat, axis=-2) / EARTH_RADIUS)


def diagnostics(fields: Fields, grid: Grid) -> Fields:
    """Derive what the given variables allow.

    Args:
        fields: Any of `psl` [Pa], `tas` [K], `uas` and `vas` [m s-1], each [..., time, lat, lon], hourly.
        grid: Their grid.

    Returns:
        `divergence` and `vorticity` [s-1] from the wind; `ageostrophic` [m s-1], the wind less the geostrophic one,
        with pressure too; `advection` [K s-1], the residual of dT/dt + u . grad T between hours, with temperature too.
    """
    found: Fields = {}
    if not {"uas", "vas"} <= fields.keys():
        return found
    u, v = fields["uas"], fields["vas"]
    cos = np.cos(np.deg2rad(np.asarray(grid.lat)))[:, None]
    u_east, u_north = gradient(u * cos, grid)[1], gradient(v * cos, grid)[1]
    found["divergence"] = gradient(u, grid)[0] + u_north / cos
    found["vorticity"] = gradient(v, grid)[0] - u_east / cos
    if "psl" in fields:
        coriolis = 2 * ROTATION * np.sin(np.deg2rad(np.asarray(grid.lat)))[:, None]
        density = fields["psl"] / (GAS_CONSTANT * fields.get("tas", np.float64(285.0)))
        east, north = gradient(fields["psl"], grid)
        found["ageostrophic"] = np.hypot(u + north / (density * coriolis), v - east / (density * coriolis))
    if "tas" in fields and fields["tas"].shape[-3] > 1:
        t = fields["tas"]
        middle = {k: (f[..., 1:, :, :] + f[..., :-1, :, :]) / 2 for k, f in (("u", u), ("v", v), ("t", t))}
        east, north = gradient(middle["t"], grid)
        tendency = np.diff(t, axis=-3) / 3600.0
        found["advection"] = tendency + middle["u"] * east + middle["v"] * north
    return found


def mean_squares(fields: Fields, grid: Grid) -> Means:
    """Give the mean squares of the diagnostics hour by hour, [time] each, over members and cells.

    The residual between two hours is counted for the later one; the first hour has none and gets that of the second.
    """
    found = {}
    hours = next(iter(fields.values())).shape[-3]
    for name, values in diagnostics(fields, grid).items():
        # The rim is left out: one-sided differences are rougher than central ones.
        inner = values[..., 1:-1, 1:-1] ** 2
        each = inner.mean(axis=(*range(inner.ndim - 3), inner.ndim - 2, inner.ndim - 1))
        found[name] = each if each.size == hours else np.concatenate([each[:1], each])
    return found

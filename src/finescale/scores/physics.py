"""Whether variables fit one another as in the truth: divergence, vorticity, balance, advection.

Every diagnostic is reported as members over truth: the aim is the truth's own amount, not the least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from finescale.grid.balance import flux_balance, transport
from finescale.grid.calculus import Calculus
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.scores.bootstrap import Means

FLUX_CELLS = 2  # coarse cells along each side of a block of the flux balance
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
    east, north = Calculus.of(grid).gradient(np.asarray(field, dtype=np.float64))
    return np.asarray(east), np.asarray(north)


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
        wind = tuple((f[..., 1:, :, :] + f[..., :-1, :, :]) / 2 for f in (u, v))
        before, after = t[..., :-1, :, :], t[..., 1:, :, :]
        found["advection"] = transport(before, after, (wind[0], wind[1]), Calculus.of(grid))[0]
    return found


def flux_gap(
    tas: NDArray[np.float64], coarse: NDArray[np.float64], coarsening: Coarsening
) -> NDArray[np.float64]:
    """Give the mean squared difference of flux balances between fine fields and coarse ones, hour by hour.

    Args:
        tas: Fields [..., time, lat, lon] in K.
        coarse: The truth's coarse means [time, lat, lon] of the same hours.
        coarsening: The operator H between the grids.

    Returns:
        Mean over members and blocks [time]; see `finescale.grid.balance.flux_balance`.
    """
    rows, columns = (n // m for n, m in zip(coarsening.fine.shape, coarsening.coarse.shape, strict=True))
    own = flux_balance(tas, Calculus.of(coarsening.fine), (FLUX_CELLS * rows, FLUX_CELLS * columns))
    seen = flux_balance(coarse, Calculus.of(coarsening.coarse), (FLUX_CELLS, FLUX_CELLS))
    squared = (own - seen) ** 2
    return np.asarray(squared.mean(axis=(*range(squared.ndim - 3), -2, -1)))


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

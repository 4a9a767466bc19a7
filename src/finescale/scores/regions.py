"""The regions that are scored apart: the whole, the coast and the mountains."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.grid.grid import Grid

STEEP = 0.9  # the steepest tenth of the cells is called mountain
LAND = 0.5  # a cell is land from this share of land on


def regions(grid: Grid, static: xr.Dataset | None) -> dict[str, NDArray[np.float64]]:
    """Give the area weights of each region; a region without a cell is left out.

    The coast is where land meets sea: cells of one with a neighbour of the other; the mountains are the steepest
    tenth of the cells, where steep terrain exists at all.

    Args:
        grid: The fine grid.
        static: `orog` [m] and `sftlf` [1 or %] on that grid, either may be missing.

    Returns:
        Weights [lat, lon] that sum to one, by name of the region; `all` comes first.
    """
    area = np.asarray(grid.area, dtype=np.float64)
    masks = {"all": np.ones(area.shape, dtype=bool)}
    share = land_share(static)
    if share is not None:
        masks["coast"] = _edge(share.to_numpy() >= LAND)
    if static is not None and "orog" in static:
        slope = _slope(static["orog"].transpose(..., "lat", "lon").to_numpy().astype(np.float64), grid)
        masks["mountain"] = (slope >= np.quantile(slope, STEEP)) & (slope > 0)
    return {name: area * mask / (area * mask).sum() for name, mask in masks.items() if mask.any()}


def land_share(static: xr.Dataset | None) -> xr.DataArray | None:
    """Give the share of land [lat, lon] in [0, 1], whatever its unit, where there is a coast at all."""
    if static is None or "sftlf" not in static:
        return None
    land = static["sftlf"].transpose("lat", "lon")
    share = land / 100 if float(land.max()) > 1.5 else land
    return share if float(share.min()) < LAND <= float(share.max()) else None


def _edge(land: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the cells [lat, lon] that have a neighbour of the other kind."""
    edge = np.zeros(land.shape, dtype=bool)
    step = land[1:] != land[:-1]
    edge[1:] |= step
    edge[:-1] |= step
    step = land[:, 1:] != land[:, :-1]
    edge[:, 1:] |= step
    edge[:, :-1] |= step
    return edge


def _slope(height: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """Give the steepness [lat, lon], metres of height a degree of arc."""
    lat, lon = np.asarray(grid.lat), np.asarray(grid.lon)
    north = np.gradient(height, lat, axis=0) if lat.size > 1 else np.zeros_like(height)
    east = np.gradient(height, lon, axis=1) if lon.size > 1 else np.zeros_like(height)
    return np.asarray(np.hypot(north, east / np.cos(np.deg2rad(lat))[:, None]))

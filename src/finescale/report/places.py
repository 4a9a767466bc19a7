"""Which points are looked at more closely: the summit, the coast, the middle."""

from __future__ import annotations

import numpy as np
import xarray as xr

from finescale.grid.grid import Grid
from finescale.scores.regions import regions


def places(grid: Grid, static: xr.Dataset | None) -> dict[str, tuple[float, float]]:
    """Give latitude and longitude of up to three telling cells, by name."""
    rows, columns = grid.shape
    lat, lon = np.asarray(grid.lat), np.asarray(grid.lon)
    found = {"middle": (float(lat[rows // 2]), float(lon[columns // 2]))}
    if static is not None and "orog" in static:
        height = static["orog"].transpose("lat", "lon").to_numpy()
        i, j = np.unravel_index(int(height.argmax()), height.shape)
        if height[i, j] > 0:
            found["highest"] = (float(lat[i]), float(lon[j]))
    coast = regions(grid, static).get("coast")
    if coast is not None:
        # The coast nearest to the middle: cells at the rim of a domain see little of it.
        away = np.hypot(np.arange(rows)[:, None] - rows / 2, np.arange(columns)[None, :] - columns / 2)
        i, j = np.unravel_index(int(np.where(coast > 0, away, np.inf).argmin()), away.shape)
        found["coast"] = (float(lat[i]), float(lon[j]))
    return found

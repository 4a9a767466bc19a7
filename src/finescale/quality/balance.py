"""Wind against pressure: outside the tropics wind leaves low pressure to its left in the north (Buys Ballot, 1857)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
NAMES = ("psl", "uas", "vas")
MAPS = 4  # maps looked at in each piece: a correlation over thousands of cells needs no more
TROPICS = 20.0  # degrees; nearer to the equator wind crosses the isobars
FINEST = 3.0  # degrees; wider grids do not resolve the gradients of lows


class Balance:
    """How well each wind component follows the pressure gradient, period by period.

    Args:
        lat: latitudes [y], degrees, in any direction.
        lon: longitudes [x], degrees.
    """

    def __init__(self, lat: Array, lon: Array) -> None:
        self._lat, self._lon = np.deg2rad(lat), np.deg2rad(lon)
        self._cos = np.cos(self._lat)[:, None]
        self._turn = np.where(np.abs(lat) < TROPICS, np.nan, np.sin(self._lat))[:, None]
        self._sums: dict[tuple[str, str], NDArray[np.float64]] = {}

    @classmethod
    def on(cls, lat: Array | None, lon: Array | None) -> Balance | None:
        """Return one for axes that allow a judgement, else None."""
        if lat is None or lon is None or min(lat.size, lon.size) < 3 or np.abs(lat).max() < TROPICS:
            return None
        if max(np.abs(np.diff(lat)).max(), np.abs(np.diff(lon)).max()) > FINEST or not np.diff(lat).all():
            return None
        return cls(lat, lon)

    def add(self, psl: Array, uas: Array, vas: Array, period: str) -> None:
        """Take in some times of one period, [time, y, x] each, in any units."""
        some = slice(None, None, max(1, len(psl) // MAPS))
        pressure = psl[some].astype(np.float64)
        east = -np.gradient(pressure, self._lat, axis=1) / self._turn
        north = np.gradient(pressure, self._lon, axis=2) / (self._turn * self._cos)
        for name, wind, along in (("uas", uas[some], east), ("vas", vas[some], north)):
            known = np.isfinite(wind) & np.isfinite(along)
            w, g = wind[known].astype(np.float64), along[known]
            more = np.array([w @ g, w @ w, g @ g])
            self._sums[name, period] = self._sums.get((name, period), np.zeros(3)) + more

    def found(self) -> Iterator[tuple[str, str, float]]:
        """Yield variable, period and the cosine between the wind component and the geostrophic one."""
        for (name, period), (both, wind, along) in self._sums.items():
            if wind > 0 and along > 0:
                yield name, period, float(both / np.sqrt(wind * along))

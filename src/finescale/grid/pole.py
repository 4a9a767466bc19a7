"""The rotated pole: longitude and latitude on a turned globe, as regional climate models use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finescale.errors import FinescaleError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RotatedPole:
    """A globe turned so that its north pole lies elsewhere (CF `rotated_latitude_longitude`).

    Attributes:
        lat: true latitude of the grid's north pole, degrees_north.
        lon: true longitude of the grid's north pole, degrees_east.
        turn: longitude of the true north pole on the grid, degrees.
    """

    lat: float
    lon: float
    turn: float = 0.0

    @classmethod
    def from_mapping(cls, attrs: Mapping[str, Any]) -> RotatedPole:
        """Read the attributes of a CF grid mapping variable."""
        try:
            lat, lon = attrs["grid_north_pole_latitude"], attrs["grid_north_pole_longitude"]
        except KeyError as gone:
            raise FinescaleError(
                f"a rotated grid names its pole: {gone.args[0]} is missing from the grid mapping; add the attribute"
            ) from None
        return cls(float(lat), float(lon), float(attrs.get("north_pole_grid_longitude", 0.0)))

    def to_geographic(self, rlon: Floats, rlat: Floats) -> tuple[Floats, Floats]:
        """Return true longitude and latitude [...] of grid longitudes and latitudes [...], degrees."""
        along, up = np.deg2rad(np.asarray(rlon) - self.turn), np.deg2rad(rlat)
        pole = np.deg2rad(self.lat)
        ahead, aside, above = np.cos(up) * np.cos(along), np.cos(up) * np.sin(along), np.sin(up)
        # The grid's first axis points to true longitude lon + 180, its third to the pole of the grid.
        x = ahead * np.sin(pole) - above * np.cos(pole)
        z = ahead * np.cos(pole) + above * np.sin(pole)
        lon = np.rad2deg(np.arctan2(aside, x)) + self.lon + 180.0
        return (lon + 180.0) % 360.0 - 180.0, np.rad2deg(np.arctan2(z, np.hypot(x, aside)))

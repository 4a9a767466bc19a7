"""Lambert's conformal conic projection turned back into latitude and longitude (Snyder 1987, pp. 107-109)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
EARTH_RADIUS = 6371229.0  # what weather models take for the Earth when a file does not say


def inverse_lambert(northing: Array, easting: Array, mapping: Mapping[str, Any]) -> tuple[Array, Array]:
    """Return latitude and longitude of points of a Lambert conformal grid.

    Args:
        northing: metres [...].
        easting: metres [...].
        mapping: attributes of the CF grid mapping; a sphere where it names no ellipsoid.

    Returns:
        Latitude and longitude [...], degrees.
    """
    radius, e = _ellipsoid(mapping)
    parallels = np.deg2rad(np.atleast_1d(np.asarray(mapping["standard_parallel"], dtype=np.float64)))
    first, last = parallels[0], parallels[-1]
    cone = float(np.sin(first))
    if first != last:
        widths = [np.cos(p) / np.sqrt(1 - (e * np.sin(p)) ** 2) for p in (first, last)]
        cone = float(np.log(widths[0] / widths[1]) / np.log(_t(first, e) / _t(last, e)))
    scale = radius * np.cos(first) / np.sqrt(1 - (e * np.sin(first)) ** 2) / (cone * _t(first, e) ** cone)
    apex = scale * _t(np.deg2rad(float(mapping["latitude_of_projection_origin"])), e) ** cone
    x = easting - float(mapping.get("false_easting", 0.0))
    y = apex - (northing - float(mapping.get("false_northing", 0.0)))
    sign = np.sign(cone)
    t = (np.hypot(x, y) * sign / scale) ** (1 / cone)
    lon = np.rad2deg(np.arctan2(sign * x, sign * y) / cone) + float(mapping["longitude_of_central_meridian"])
    lat = np.pi / 2 - 2 * np.arctan(t)
    for _ in range(6 if e else 0):  # each pass gains two digits or more on the Earth's ellipsoid
        ring = e * np.sin(lat)
        lat = np.pi / 2 - 2 * np.arctan(t * ((1 - ring) / (1 + ring)) ** (e / 2))
    return np.asarray(np.rad2deg(lat)), np.asarray((lon + 180.0) % 360.0 - 180.0)


def _t(phi: Array | float, e: float) -> Any:  # noqa: ANN401 - a number for a number, an array for an array
    """Snyder's t: the colatitude as the cone sees it."""
    ring = e * np.sin(phi)
    return np.tan(np.pi / 4 - phi / 2) / ((1 - ring) / (1 + ring)) ** (e / 2)


def _ellipsoid(mapping: Mapping[str, Any]) -> tuple[float, float]:
    """Return the long half axis in metres and the eccentricity."""
    a = float(mapping.get("semi_major_axis", mapping.get("earth_radius", EARTH_RADIUS)))
    if "inverse_flattening" in mapping and float(mapping["inverse_flattening"]):
        f = 1.0 / float(mapping["inverse_flattening"])
        return a, float(np.sqrt(2 * f - f * f))
    b = float(mapping.get("semi_minor_axis", a))
    return a, float(np.sqrt(1 - (b / a) ** 2))

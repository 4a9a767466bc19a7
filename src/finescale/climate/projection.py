"""Where the cells of rotated and projected grids lie on the Earth, from the CF grid mapping.

The rotated pole is that of `finescale.grid`; transverse Mercator inverse after Redfearn as printed by the Ordnance
Survey (A Guide to Coordinate Systems in Great Britain, annexe C), on the grid's own ellipsoid. The datum shift between
the British grid and GPS (about 100 m) is left out: it is a twentieth of the finest cell in use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.climate.lambert import inverse_lambert
from finescale.errors import FinescaleError
from finescale.grid.pole import RotatedPole

Array = NDArray[np.float64]

BRITISH_GRID: Mapping[str, Any] = {
    "grid_mapping_name": "transverse_mercator",
    "semi_major_axis": 6377563.396,
    "semi_minor_axis": 6356256.909,
    "scale_factor_at_central_meridian": 0.9996012717,
    "latitude_of_projection_origin": 49.0,
    "longitude_of_central_meridian": -2.0,
    "false_easting": 400000.0,
    "false_northing": -100000.0,
}


def geographic(ds: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Add `lat` and `lon` [y, x] to a data set whose axes are those of a projection."""
    y, x = (
        _axis(ds, ("grid_latitude", "projection_y_coordinate")),
        _axis(ds, ("grid_longitude", "projection_x_coordinate")),
    )
    mapping = grid_mapping(ds)
    if y is None or x is None or mapping is None:
        raise FinescaleError(
            f"a field has a place on Earth: no latitude and longitude among {', '.join(map(str, ds.variables))}, "
            "and no grid mapping to compute them from; add one of the two"
        )
    rows, columns = np.meshgrid(ds[y].values.astype("float64"), ds[x].values.astype("float64"), indexing="ij")
    kind = str(mapping.get("grid_mapping_name"))
    if kind == "rotated_latitude_longitude":
        lon, lat = RotatedPole.from_mapping(mapping).to_geographic(columns, rows)
    elif kind == "transverse_mercator":
        lat, lon = inverse_mercator(rows, columns, mapping)
    elif kind == "lambert_conformal_conic":
        lat, lon = inverse_lambert(rows, columns, mapping)
    else:
        raise FinescaleError(
            f"a grid mapping is rotated_latitude_longitude, transverse_mercator or lambert_conformal_conic: {kind}; "
            "add lat and lon to the file"
        )
    placed = ds.assign_coords(lat=((y, x), lat), lon=((y, x), lon))
    return placed, [f"computed latitude and longitude from {kind}"]


def grid_mapping(ds: xr.Dataset) -> dict[str, Any] | None:
    """Return the attributes of the grid mapping, wherever the file keeps it; None when it has none."""
    for name in ds.variables:
        if "grid_mapping_name" in ds[name].attrs:
            found = dict(ds[name].attrs)
            return None if found["grid_mapping_name"] == "latitude_longitude" else found
    if any("EPSG:27700" in str(ds[n].attrs.get("long_name", "")) for n in ds.coords):
        return dict(BRITISH_GRID)
    return None


def inverse_mercator(northing: Array, easting: Array, mapping: Mapping[str, Any]) -> tuple[Array, Array]:
    """Return latitude and longitude of points of a transverse Mercator grid; metres in, degrees out."""
    a, b = float(mapping["semi_major_axis"]), float(mapping["semi_minor_axis"])
    f0 = float(mapping["scale_factor_at_central_meridian"])
    phi0 = np.deg2rad(float(mapping["latitude_of_projection_origin"]))
    n0, e0 = float(mapping["false_northing"]), float(mapping["false_easting"])
    e2 = 1 - (b / a) ** 2
    phi = (northing - n0) / (a * f0) + phi0
    for _ in range(8):  # converges to a micrometre in four or five
        phi = phi + (northing - n0 - _meridian_arc(phi, phi0, a, b, f0)) / (a * f0)
    sine, tangent, secant = np.sin(phi), np.tan(phi), 1 / np.cos(phi)
    nu = a * f0 / np.sqrt(1 - e2 * sine**2)
    rho = a * f0 * (1 - e2) / (1 - e2 * sine**2) ** 1.5
    eta2 = nu / rho - 1
    d, t2 = easting - e0, tangent**2
    lat = (
        phi
        - d**2 * tangent / (2 * rho * nu)
        + d**4 * tangent / (24 * rho * nu**3) * (5 + 3 * t2 + eta2 - 9 * t2 * eta2)
        - d**6 * tangent / (720 * rho * nu**5) * (61 + 90 * t2 + 45 * t2**2)
    )
    lon = (
        d * secant / nu
        - d**3 * secant / (6 * nu**3) * (nu / rho + 2 * t2)
        + d**5 * secant / (120 * nu**5) * (5 + 28 * t2 + 24 * t2**2)
        - d**7 * secant / (5040 * nu**7) * (61 + 662 * t2 + 1320 * t2**2 + 720 * t2**3)
    )
    return np.rad2deg(lat), float(mapping["longitude_of_central_meridian"]) + np.rad2deg(lon)


def _meridian_arc(phi: Array, phi0: float, a: float, b: float, f0: float) -> Array:
    n = (a - b) / (a + b)
    less, more = phi - phi0, phi + phi0
    return (
        b
        * f0
        * (
            (1 + n + 1.25 * n**2 + 1.25 * n**3) * less
            - (3 * n + 3 * n**2 + 21 / 8 * n**3) * np.sin(less) * np.cos(more)
            + (15 / 8 * (n**2 + n**3)) * np.sin(2 * less) * np.cos(2 * more)
            - 35 / 24 * n**3 * np.sin(3 * less) * np.cos(3 * more)
        )
    )


def _axis(ds: xr.Dataset, standard_names: tuple[str, ...]) -> str | None:
    return next((str(n) for n in ds.variables if ds[n].attrs.get("standard_name") in standard_names), None)

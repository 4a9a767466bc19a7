"""Wind components turned between the axes of a rotated or curvilinear grid and east and north."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.climate.projection import grid_mapping
from finescale.errors import FinescaleError
from finescale.grid.pole import RotatedPole

Basis = Literal["earth", "grid"]
_PAIRS = (("uas", "vas"),)
_ALONG_GRID = ("grid_eastward_wind", "grid_northward_wind", "x_wind", "y_wind")


def to_earth(ds: xr.Dataset, basis: Basis | None = None) -> tuple[xr.Dataset, list[str]]:
    """Turn winds that follow the rows and columns of a grid into eastward and northward ones.

    Args:
        ds: data with `uas` and `vas` on [.., y, x] with lat and lon [y, x]; other data come back unchanged.
        basis: what the winds follow; None believes their standard names.
    """
    done = []
    for u, v in _PAIRS:
        present = [n for n in (u, v) if n in ds]
        along = [n for n in present if ds[n].attrs.get("standard_name") in _ALONG_GRID]
        if not present or basis == "earth" or "y" not in ds.dims or not (along or basis == "grid"):
            continue
        if len(present) < 2:
            raise FinescaleError(
                f"winds are turned as a pair: {present[0]} comes alone on a rotated grid; ask for {u} and {v}"
            )
        angle = xr.DataArray(grid_angle(ds), dims=("y", "x"))
        east, north = turn(ds[u], ds[v], angle)
        ds = ds.assign({u: east.assign_attrs(ds[u].attrs), v: north.assign_attrs(ds[v].attrs)})
        done.append(f"turned {u} and {v} from the grid's axes to east and north")
    return ds, done


def from_direction(ds: xr.Dataset, speed: str, direction: str) -> xr.Dataset:
    """Add `uas` and `vas` where a product gives speed and the direction that the wind comes from.

    Args:
        ds: data that may hold both; other data come back unchanged.
        speed: name of the speed, m s-1.
        direction: name of the direction, degrees clockwise from true north.
    """
    if speed not in ds or direction not in ds:
        return ds
    angle = np.deg2rad(ds[direction].astype("float64"))
    winds = {"uas": (-np.sin(angle), "eastward_wind"), "vas": (-np.cos(angle), "northward_wind")}
    fields = {
        name: (ds[speed] * part).astype("float32").assign_attrs(units="m s-1", standard_name=standard)
        for name, (part, standard) in winds.items()
    }
    return ds.drop_vars([direction]).assign(fields)


def turn(u: xr.DataArray, v: xr.DataArray, angle: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the components of a vector in axes turned clockwise by `angle` (radians) against its own.

    With the angle from `grid_angle`, components along the grid become those along east and north; with the
    opposite sign it is the other way round.
    """
    cosine, sine = np.cos(angle), np.sin(angle)
    return (u * cosine - v * sine).transpose(*u.dims), (u * sine + v * cosine).transpose(*v.dims)


def grid_angle(ds: xr.Dataset) -> NDArray[np.float64]:
    """Return the angle [y, x] from east, anticlockwise, to the direction in which x grows; radians.

    On a rotated pole it is exact; elsewhere it comes from neighbouring cell centres (second order in the cell).
    """
    lat, lon = ds["lat"].values.astype("float64"), ds["lon"].values.astype("float64")
    mapping = grid_mapping(ds)
    if mapping is not None and mapping.get("grid_mapping_name") == "rotated_latitude_longitude":
        return _rotated_angle(lat, lon, RotatedPole.from_mapping(mapping))
    if min(lat.shape) < 2:
        raise FinescaleError(
            f"the axes of a grid are seen from neighbours: {lat.shape} cells; widen the region"
        )
    east = np.gradient(np.unwrap(np.deg2rad(lon), axis=1), axis=1) * np.cos(np.deg2rad(lat))
    north = np.gradient(np.deg2rad(lat), axis=1)
    return np.asarray(np.arctan2(north, east))


def _rotated_angle(
    lat: NDArray[np.float64], lon: NDArray[np.float64], pole: RotatedPole
) -> NDArray[np.float64]:
    """Angle between rotated and true east: that between the two north poles as seen from the point.

    In the spherical triangle of the point and both poles, sines give the one part and cosines the other.
    """
    phi, tilt, lam = np.deg2rad(lat), np.deg2rad(pole.lat), np.deg2rad(lon - pole.lon)
    up = np.sin(phi) * np.sin(tilt) + np.cos(phi) * np.cos(tilt) * np.cos(lam)  # sine of the rotated latitude
    across = np.cos(tilt) * np.sin(lam)
    along = (np.sin(tilt) - up * np.sin(phi)) / np.cos(phi)
    return np.asarray(np.arctan2(across, along))

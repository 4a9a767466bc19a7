"""Which horizontal grid a dataset is on, and the outlines of its cells where they are not rectangles in lat/lon."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.grid.axes import edges_of
from finescale.grid.pole import RotatedPole

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """Four-sided cells of a rotated or curvilinear grid.

    Attributes:
        dims: horizontal dimensions of the fields, rows first.
        lon: longitudes of the centres [rows, columns], degrees.
        lat: latitudes of the centres [rows, columns], degrees.
        corners: [cells, 4, d] in order around the cell, in coordinates in which its sides are straight.
        place: takes such coordinates [..., d] to true longitude and latitude [...], degrees.
    """

    dims: tuple[Hashable, Hashable]
    lon: Floats
    lat: Floats
    corners: Floats
    place: Callable[[Floats], tuple[Floats, Floats]]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.lat.shape[0], self.lat.shape[1]

    def outline(self, pieces: int, which: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Return longitude and latitude [len(which), 4 * pieces] of points around the cells, pieces to a side."""
        corners = self.corners[which]
        share = (np.arange(pieces) / pieces)[:, None]
        ahead = np.roll(corners, -1, axis=1)
        points = corners[:, :, None] * (1 - share) + ahead[:, :, None] * share
        return self.place(points.reshape(len(which), 4 * pieces, -1))


def is_regular(ds: xr.Dataset) -> bool:
    """Tell whether `lat` and `lon` are axes; raise where the dataset has no grid that can be regridded."""
    for name in ("lat", "lon"):
        if name not in ds.coords and rotated_axes(ds) is None:
            raise FinescaleError(
                f"regridding needs the coordinates lat and lon: {name} is missing from {list(ds.dims)}; "
                "add or rename them"
            )
    if "lat" in ds.coords and ds["lat"].ndim == 1 and ds["lat"].dims == ds["lon"].dims:
        raise FinescaleError(
            f"an unstructured grid cannot be regridded here: lat and lon both run along {ds['lat'].dims[0]!r}; "
            "bring the data to a lat/lon grid first, for example with cdo remapcon"
        )
    return "lat" in ds.coords and ds["lat"].dims == ("lat",) and ds["lon"].dims == ("lon",)


def cells_of(ds: xr.Dataset) -> Cells:
    """Read the cells of a dataset on a rotated-pole grid or with two-dimensional lat and lon."""
    axes = rotated_axes(ds)
    return _curvilinear(ds) if axes is None else _rotated(ds, *axes)


def rotated_axes(ds: xr.Dataset) -> tuple[str, str, RotatedPole] | None:
    """Names of the grid latitude and longitude and the pole, where a grid mapping declares them."""
    for mapping in ds.variables.values():
        if mapping.attrs.get("grid_mapping_name") == "rotated_latitude_longitude":
            names = [
                next((str(n) for n in ds.dims if n == short or _standard_name(ds, n) == long), None)
                for short, long in (("rlat", "grid_latitude"), ("rlon", "grid_longitude"))
            ]
            if names[0] in ds.coords and names[1] in ds.coords:
                return str(names[0]), str(names[1]), RotatedPole.from_mapping(mapping.attrs)
    return None


def _standard_name(ds: xr.Dataset, name: Hashable) -> object:
    return ds[name].attrs.get("standard_name") if name in ds.coords else None


def _rotated(ds: xr.Dataset, rlat: str, rlon: str, pole: RotatedPole) -> Cells:
    lat, lon = edges_of(ds, rlat), edges_of(ds, rlon)
    lattice = np.stack(np.meshgrid(lon, lat), axis=-1)
    centres = pole.to_geographic(*np.meshgrid(ds[rlon].values, ds[rlat].values))
    return Cells((rlat, rlon), *centres, _around(lattice), lambda p: pole.to_geographic(p[..., 0], p[..., 1]))


def _curvilinear(ds: xr.Dataset) -> Cells:
    lat, lon = ds["lat"], ds["lon"]
    if lat.ndim != 2 or lat.dims != lon.dims:
        raise FinescaleError(
            f"a curvilinear grid has lat and lon on the same two dimensions: {lat.dims} and {lon.dims}; mend the data"
        )
    bounds = [ds.get(str(c.attrs.get("bounds", f"{c.name}_bnds"))) for c in (lat, lon)]
    outlines = [
        np.asarray(b.transpose(*lat.dims, ...).values, dtype=np.float64).reshape(-1, 4)
        for b in bounds
        if b is not None and b.ndim == 3 and b.size == 4 * lat.size
    ]
    if len(outlines) == 2:
        corners = vectors(outlines[1], outlines[0])
    else:
        corners = _around(_corners(vectors(lon.values, lat.values)))
    return Cells((lat.dims[0], lat.dims[1]), lon.values, lat.values, corners, _degrees)


def _corners(centres: Floats) -> Floats:
    """Lattice [ny + 1, nx + 1, d] halfway between the centres [ny, nx, d], carried on straight beyond the rim."""
    if min(centres.shape[:2]) < 2:
        raise FinescaleError(
            f"cells can be drawn around centres of two rows and columns or more: {centres.shape[:2]}; give bounds"
        )
    for axis in (0, 1):
        first, second, last, next_last = (np.take(centres, [i], axis=axis) for i in (0, 1, -1, -2))
        wide = np.concatenate((2 * first - second, centres, 2 * last - next_last), axis=axis)
        size = wide.shape[axis]
        centres = (wide.take(range(1, size), axis=axis) + wide.take(range(size - 1), axis=axis)) / 2
    return centres


def _around(lattice: Floats) -> Floats:
    """Corners [cells, 4, d] in order around each cell of a lattice [ny + 1, nx + 1, d]."""
    quads = np.stack((lattice[:-1, :-1], lattice[:-1, 1:], lattice[1:, 1:], lattice[1:, :-1]), axis=2)
    return quads.reshape(-1, 4, lattice.shape[-1])


def vectors(lon: Floats, lat: Floats) -> Floats:
    """Unit vectors [..., 3] of longitudes and latitudes [...]; sides straight in them are great circles."""
    x, y = np.deg2rad(lon), np.deg2rad(lat)
    return np.stack((np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)), axis=-1)


def _degrees(v: Floats) -> tuple[Floats, Floats]:
    x, y, z = np.moveaxis(v, -1, 0)
    return np.rad2deg(np.arctan2(y, x)), np.rad2deg(np.arctan2(z, np.hypot(x, y)))

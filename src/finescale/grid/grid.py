"""A horizontal grid as a value: regular lat/lon axes, cells and areas, and whether one nests in another.

A Grid is hashable and small; it is passed around instead of a Dataset used as a template.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError

LAT_ATTRS = {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north", "axis": "Y"}
LON_ATTRS = {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east", "axis": "X"}
# Two edges closer than this share of a cell are the same edge: float32 coordinates carry about 1e-5 degrees.
SAME_EDGE = 1e-3


@dataclass(frozen=True)
class Grid:
    """Regular latitude and longitude axes with their cells.

    Attributes:
        lat: centres of the rows, ascending, degrees_north.
        lon: centres of the columns, ascending, degrees_east; the first lies in [-180, 180), and a grid over the
            dateline runs on beyond 180 (178, 179, 180, 181) so that its columns stay side by side.
    """

    lat: tuple[float, ...]
    lon: tuple[float, ...]

    def __post_init__(self) -> None:
        # 1e-9 degrees is a tenth of a millimetre: equal grids are equal whatever arithmetic made them.
        object.__setattr__(self, "lat", tuple(round(float(v), 9) for v in self.lat))
        object.__setattr__(self, "lon", tuple(round(float(v), 9) for v in self.lon))
        for name, axis in (("lat", self.lat), ("lon", self.lon)):
            _check_axis(name, axis)
        if self.lat[0] < -90 or self.lat[-1] > 90:
            raise FinescaleError(
                f"latitude lies in [-90, 90]: {self.lat[0]} to {self.lat[-1]}; check the units of lat"
            )
        if not -180 <= self.lon[0] < 180 or self.lon[-1] - self.lon[0] >= 360:
            raise FinescaleError(
                f"longitude begins in [-180, 180) and ends within one turn: {self.lon[0]} to {self.lon[-1]}; "
                "wrap the longitudes first"
            )

    @classmethod
    def from_dataset(cls, ds: xr.Dataset | xr.DataArray) -> Grid:
        """Read the grid of a dataset with one-dimensional coordinates `lat` and `lon`."""
        for name in ("lat", "lon"):
            if name not in ds.coords:
                raise FinescaleError(
                    f"a grid needs the coordinate {name}: found {sorted(map(str, ds.coords))}; rename them"
                )
            if ds[name].dims != (name,):
                raise FinescaleError(
                    f"a regular grid has {name} along its own dimension: {name}{ds[name].dims}; "
                    "regrid the data to a regular grid first"
                )
        return cls(lat=tuple(_decimal(ds["lat"].values)), lon=tuple(_decimal(ds["lon"].values)))

    @classmethod
    def over(cls, region: tuple[float, float, float, float], step: tuple[float, float]) -> Grid:
        """Make the grid of whole cells that fit into a region.

        Args:
            region: south, north, west, east in degrees; west > east crosses the dateline.
            step: degrees of latitude and of longitude.
        """
        south, north, west, east = region
        west = (west + 180.0) % 360.0 - 180.0
        width = (east - west) % 360.0 or 360.0
        rows, columns = (
            int(span / s + SAME_EDGE) for span, s in zip((north - south, width), step, strict=True)
        )
        return cls(
            tuple(south + step[0] * (k + 0.5) for k in range(rows)),
            tuple(west + step[1] * (k + 0.5) for k in range(columns)),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return len(self.lat), len(self.lon)

    @cached_property
    def lat_edges(self) -> NDArray[np.float64]:
        """Edges of the rows [nlat + 1], degrees_north, ending at the poles at most."""
        return np.clip(midpoints(np.asarray(self.lat)), -90.0, 90.0)

    @cached_property
    def lon_edges(self) -> NDArray[np.float64]:
        """Edges of the columns [nlon + 1], degrees_east; the outer ones may pass +-180 by half a cell."""
        return midpoints(np.asarray(self.lon))

    @cached_property
    def area(self) -> NDArray[np.float64]:
        """Share of each cell in the area of the region [lat, lon], on the sphere; sums to one."""
        rows = np.diff(np.sin(np.deg2rad(self.lat_edges)))
        area = rows[:, None] * np.diff(self.lon_edges)[None, :]
        return np.asarray(area / area.sum())

    def coarsen(self, factor: int) -> Grid:
        """Return the grid whose cells are blocks of factor x factor cells of this one."""
        for name, size in zip(("lat", "lon"), self.shape, strict=True):
            if factor < 1 or size % factor or size // factor < 2:
                whole = [f for f in range(1, size // 2 + 1) if size % f == 0]
                raise FinescaleError(
                    f"the coarse grid takes whole blocks, two at least: {size} cells of {name} in blocks of "
                    f"{factor}; choose a factor out of {whole} or crop the grid"
                )
        coarse = Grid(*(tuple(np.asarray(a).reshape(-1, factor).mean(axis=1)) for a in (self.lat, self.lon)))
        coarse.check_nests_in(self)
        return coarse

    def matches(self, other: Grid) -> bool:
        """Tell whether both grids have the same cells, to a thousandth of a cell."""
        return self.shape == other.shape and all(
            bool(np.all(np.abs(a - b) <= SAME_EDGE * np.diff(b).min()))
            for a, b in ((self.lat_edges, other.lat_edges), (self.lon_edges, other.lon_edges))
        )

    def check_nests_in(self, fine: Grid) -> None:
        """Raise unless every cell here is a whole block of fine cells and both grids span one region."""
        for name in ("lat", "lon"):
            edges, fine_edges = getattr(self, f"{name}_edges"), getattr(fine, f"{name}_edges")
            step, fine_step = float(np.diff(edges).mean()), float(np.diff(fine_edges).mean())
            slack = SAME_EDGE * fine_step
            broken = "coarse grid does not nest in the fine grid: "
            ratio = max(1, round(step / fine_step))
            if abs(step - ratio * fine_step) > slack:
                raise FinescaleError(
                    f"{broken}{name} step {step:.6g} is not a multiple of {fine_step:.6g}; "
                    f"choose a {name} step of {ratio * fine_step:.6g}"
                )
            if abs(edges[0] - fine_edges[0]) > slack or abs(edges[-1] - fine_edges[-1]) > slack:
                raise FinescaleError(
                    f"{broken}{name} spans {edges[0]:.6g} to {edges[-1]:.6g}, not {fine_edges[0]:.6g} to "
                    f"{fine_edges[-1]:.6g}; crop both to one region or regrid to fine.coarsen({ratio})"
                )
            off = np.abs(edges - fine_edges[nearest(fine_edges, edges)])
            if off.max() > slack:
                raise FinescaleError(
                    f"{broken}{name} edge {edges[off.argmax()]:.6g} cuts a fine cell; "
                    f"regrid to fine.coarsen({ratio})"
                )

    def coords(self) -> dict[str, xr.DataArray]:
        """Return `lat` and `lon` as coordinates with CF attributes."""
        return {
            "lat": xr.DataArray(np.asarray(self.lat), dims="lat", attrs=dict(LAT_ATTRS)),
            "lon": xr.DataArray(np.asarray(self.lon), dims="lon", attrs=dict(LON_ATTRS)),
        }


def nearest(sorted_values: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.intp]:
    """Position of the nearest of the sorted values [n] for each wanted one [m]."""
    return np.asarray(np.abs(sorted_values[None, :] - wanted[:, None]).argmin(axis=1))


def _check_axis(name: str, axis: tuple[float, ...]) -> None:
    if len(axis) < 2:
        raise FinescaleError(f"a grid has two cells or more along {name}: {len(axis)}; widen the region")
    if not np.all(np.isfinite(axis)):
        raise FinescaleError(f"{name} is finite: NaN or infinity among the centres; mend the coordinate")
    steps = np.diff(axis)
    if not np.all(steps > 0):
        at = int(np.argmax(steps <= 0))
        raise FinescaleError(
            f"{name} ascends: {axis[at]} is followed by {axis[at + 1]}; sort the data by {name} first"
        )


def midpoints(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges [n + 1] halfway between the centres [n]; the outer ones half a step beyond the outer centres."""
    inner = (centres[1:] + centres[:-1]) / 2
    return np.concatenate(([2 * centres[0] - inner[0]], inner, [2 * centres[-1] - inner[-1]]))


def _decimal(values: NDArray[np.floating]) -> Iterable[float]:
    # The shortest decimal of a float32 is the number that its author wrote (48.04, not 48.04000091552734).
    return (float(str(v)) for v in np.asarray(values))

"""What the network is told besides the noisy state: where it is, and when it is.

Everything is computed from coordinates, so training and sampling cannot disagree. Time enters as a *clock*:
the fraction of the year and the fraction of the UTC day, which means the same in every calendar.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.pack import spatial_dims
from finescale.grid.clock import year_fraction

STATIC = ("height", "slope", "land", "latitude", "longitude")
TEMPORAL = ("zenith", "year", "day")
NAMES = STATIC + TEMPORAL


@dataclass(frozen=True)
class Context:
    """When a batch of windows takes place, and what is known of its weather.

    Attributes:
        clock: fraction of the year and of the UTC day, each in [0, 1), ``[B, T, 2]`` (or ``[1, T, 2]``).
        keep: ``[B]``, False where the network must ignore all context (its unconditional branch); None keeps
            all.
        coarse: frames of the coarse data for a paired prior, ``[B, T, K, h, w]``; see `fields.paired`.
        place: first row and column of the part of the domain that each window shows, ``[B, 2]``, in cells of the
            network's grid; None for the whole domain.
    """

    clock: Tensor
    keep: Tensor | None = None
    coarse: Tensor | None = None
    place: Tensor | None = None

    def frames(self, start: int, stop: int) -> "Context":
        """The context of a part of the window's frames."""
        coarse = None if self.coarse is None else self.coarse[:, start:stop]
        return replace(self, clock=self.clock[:, start:stop], coarse=coarse)

    def rows(self, start: int, stop: int) -> "Context":
        """The context of a part of the batch."""
        cut = (None if v is None else v[start:stop] for v in self._all)
        return Context(*cut)  # type: ignore[arg-type]

    def where(self, chosen: Tensor) -> "Context":
        """The context of chosen rows of a batch, by a mask ``[B]`` or by their numbers."""
        cut = (None if v is None else v[chosen] for v in self._all)
        return Context(*cut)  # type: ignore[arg-type]

    def crops(self, rows: Tensor, place: Tensor) -> "Context":
        """The context of parts of the domain: at ``place[i]`` of row ``rows[i]``, where one row may serve all."""
        whole = replace(self, place=None)
        chosen = (None if v is None else v[rows % len(v)] for v in whole._all)
        return replace(Context(*chosen), place=place)  # type: ignore[arg-type]

    def shrunk(self, factor: int) -> "Context":
        """The same context on a grid whose cells are so many times larger along each side."""
        return self if self.place is None else replace(self, place=self.place // factor)

    def grown(self, factor: int) -> "Context":
        """The same context on a grid whose cells are so many times smaller along each side."""
        return self if self.place is None else replace(self, place=self.place * factor)

    def windows(self, frames: Tensor) -> "Context":
        """The context of windows of one long window: `frames` are its positions ``[B, T]``."""
        return Context(self.clock[0, frames], None, None if self.coarse is None else self.coarse[0, frames])

    def single(self) -> "Context":
        """The context of the same frames one by one, each a window of its own."""
        coarse = None if self.coarse is None else self.coarse.flatten(0, 1)[:, None]
        place = None if self.place is None else self.place.repeat_interleave(self.clock.shape[1], 0)
        return Context(self.clock.flatten(0, 1)[:, None], None, coarse, place)

    def to(self, device: torch.device | str) -> "Context":
        """The same context on another device."""
        moved = (None if v is None else v.to(device) for v in self._all)
        return Context(*moved)  # type: ignore[arg-type]

    @property
    def _all(self) -> tuple[Tensor | None, ...]:
        return self.clock, self.keep, self.coarse, self.place


def clock(time: xr.DataArray) -> NDArray[np.float64]:
    """Fractions of the year and of the UTC day, ``[T, 2]``, for datetime64 or any cftime calendar."""
    t = time.dt
    day = (t.hour.values + t.minute.values / 60 + t.second.values / 3600) / 24
    return np.stack([year_fraction(time), day], axis=-1).astype(np.float64)


def context_of(time: xr.DataArray, device: torch.device | str = "cpu") -> Context:
    """The context of one window, ready to broadcast over a batch: clock ``[1, T, 2]``."""
    return Context(torch.from_numpy(clock(time)).float()[None].to(device))


def check_names(names: Sequence[str]) -> None:
    """Refuse a context name that does not exist."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise FinescaleError(f"context names are {', '.join(NAMES)}: got {unknown}; correct the spelling")


def position(ds: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitude and longitude of every cell, each ``[H, W]`` in degrees, on any kind of grid."""
    dims = spatial_dims(ds)
    if "lat" not in ds.coords or "lon" not in ds.coords:
        raise FinescaleError(
            "cells need lat and lon: the dataset has no such coordinates; add 2-D lat and lon"
        )
    if ds["lat"].ndim == 2:
        return ds["lat"].transpose(*dims).values.astype(float), ds["lon"].transpose(*dims).values.astype(
            float
        )
    lat, lon = np.meshgrid(ds["lat"].values.astype(float), ds["lon"].values.astype(float), indexing="ij")
    return lat, lon


def _on_grid(static: xr.Dataset, name: str, ds: xr.Dataset) -> NDArray[np.float64]:
    dims = spatial_dims(ds)
    if name not in static:
        raise FinescaleError(
            f"context needs the static field {name}: there is {sorted(map(str, static.data_vars))}; "
            "add it or drop the context that needs it"
        )
    field = static[name]
    for dim in dims:
        here, there = ds[dim].values, (field[dim].values if dim in field.coords else np.empty(0))
        if there.shape != here.shape or not np.allclose(here, there, rtol=0, atol=1e-4):
            raise FinescaleError(
                f"static field {name} must lie on the grid of the data: its {dim} has {there.size} cells "
                f"from {there[:1]}, the data {here.size} cells from {here[:1]}; regrid the static field"
            )
    values: NDArray[np.float64] = field.transpose(*dims).values.astype(float)
    if not np.isfinite(values).all():
        raise FinescaleError(
            f"static field {name} must be finite: it has missing cells; fill them (0 over sea)"
        )
    return values


def _slope(
    height: NDArray[np.float64], lat: NDArray[np.float64], lon: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Steepness of the terrain, |grad height|, by central differences on the sphere."""
    radius = 6.371e6
    south, east = (np.gradient(np.deg2rad(a), axis=axis) for a, axis in ((lat, 0), (lon, 1)))
    along_lat = np.gradient(height, axis=0) / (radius * south)
    along_lon = np.gradient(height, axis=1) / (radius * np.cos(np.deg2rad(lat)) * east)
    steepness: NDArray[np.float64] = np.hypot(along_lat, along_lon)
    return steepness


def static_fields(ds: xr.Dataset, static: xr.Dataset | None, names: Sequence[str]) -> NDArray[np.float32]:
    """The static context channels of a grid, each scaled to order one, ``[S, H, W]``.

    Args:
        ds: dataset that defines the grid.
        static: ``orog`` [m] and ``sftlf`` [1 or %] on that grid; needed for height, slope and land.
        names: context names; those that vary in time are left out here.
    """
    check_names(names)
    lat, lon = position(ds)
    needed = static if static is not None else xr.Dataset()

    chosen = [_channel(name, ds, needed, lat, lon) for name in names if name in STATIC]
    return np.asarray(chosen, dtype=np.float32).reshape(len(chosen), *lat.shape)


def _channel(
    name: str, ds: xr.Dataset, static: xr.Dataset, lat: NDArray[np.float64], lon: NDArray[np.float64]
) -> NDArray[np.float64]:
    if name in ("latitude", "longitude"):
        degrees = lat if name == "latitude" else lon
        return np.asarray((degrees - degrees.mean()) / max(float(np.ptp(degrees)) / 2, 1e-6))
    if name == "land":
        land = _on_grid(static, "sftlf", ds)
        return land / (100.0 if float(land.max()) > 1.5 else 1.0)
    height = _on_grid(static, "orog", ds)
    return height / 1000 if name == "height" else 10 * _slope(height, lat, lon)

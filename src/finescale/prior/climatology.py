"""The mean state by season and hour: annual times diurnal harmonics, fitted cell by cell in one pass."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from finescale.fields.axis import step_hours
from finescale.fields.context import clock, position
from finescale.fields.pack import blocks
from finescale.fields.scaling import Scaling, check_gaps, valid_cells
from finescale.fields.sun import phase


@dataclass(frozen=True)
class Harmonics:
    """The basis {1, cos n, sin n of the year} x {1, cos m, sin m of the day}.

    Without harmonics of the year the day is the sun's at one place, from sunrise to sunset to sunrise: a mean that
    knows no season then follows the length of the day all the same.

    Attributes:
        annual: harmonics of the year; 0 where the training period does not span one.
        diurnal: harmonics of the day; 0 for daily data.
        place: latitude and longitude whose sun tells the day, in degrees; None for the UTC day.
    """

    annual: int = 2
    diurnal: int = 3
    place: tuple[float, float] | None = None

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> "Harmonics":
        """The inverse of `to_dict`."""
        place = (float(kept["latitude"]), float(kept["longitude"])) if "latitude" in kept else None
        return cls(int(kept["annual"]), int(kept["diurnal"]), place)

    def to_dict(self) -> dict[str, float]:
        """Plain numbers, for JSON and attributes."""
        where = {} if self.place is None else dict(zip(("latitude", "longitude"), self.place, strict=True))
        return {"annual": self.annual, "diurnal": self.diurnal} | where

    @property
    def size(self) -> int:
        """Number of basis functions P."""
        return (1 + 2 * self.annual) * (1 + 2 * self.diurnal)

    def __call__(self, clock: Tensor) -> Tensor:
        """Basis functions at ``clock [..., 2]``: ``[..., P]``."""
        year = self.year(clock)
        day = _waves(clock[..., 1] if self.place is None else phase(clock, *self.place), self.diurnal)
        return (year[..., :, None] * day[..., None, :]).flatten(-2)

    def year(self, clock: Tensor) -> Tensor:
        """Those of the year alone ``[..., 1 + 2 n]``."""
        return _waves(clock[..., 0], self.annual)


def _waves(phase: Tensor, count: int) -> Tensor:
    n = torch.arange(1, count + 1, dtype=phase.dtype, device=phase.device)
    angle = 2 * math.pi * phase[..., None] * n
    return torch.cat([torch.ones_like(phase)[..., None], torch.cos(angle), torch.sin(angle)], dim=-1)


def identifiable(ds: xr.Dataset, wanted: Harmonics) -> Harmonics:
    """The part of the basis that a period can tell apart.

    A month of data says nothing about the season: its harmonics would be free outside the month. A daily
    series has no hours.
    """
    step = step_hours(ds["time"])
    span = step * ds.sizes["time"] / 24
    frames_a_day = round(24 / step) if step < 24 else 1
    annual = wanted.annual if span >= 0.9 * 365 else 0
    diurnal = max(0, min(wanted.diurnal, (frames_a_day - 1) // 2))
    return Harmonics(annual, diurnal, _middle(ds) if diurnal and not annual else None)


def _middle(ds: xr.Dataset) -> tuple[float, float]:
    """Latitude and longitude of the middle of a domain, across the date line too."""
    lat, lon = position(ds)
    along = np.deg2rad(lon)
    return float(lat.mean()), math.degrees(math.atan2(np.sin(along).mean(), np.cos(along).mean()))


def fit(
    ds: xr.Dataset, scaling: Scaling, harmonics: Harmonics
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Least-squares coefficients of the mean ``[P, C, H, W]``, scaled, and the mask of valid cells ``[C, H, W]``.

    The normal equations are gathered block by block; a hair of ridge keeps short series well posed.
    """
    phases = torch.from_numpy(clock(ds["time"]))
    gram = np.zeros((harmonics.size, harmonics.size))
    moment: NDArray[np.float64] | None = None
    mask: NDArray[np.bool_] | None = None
    for start, block in blocks(ds, scaling.variables):
        mask = valid_cells(block) if mask is None else mask
        check_gaps(ds, start, block, mask, scaling.variables)
        basis = harmonics(phases[start : start + len(block)]).numpy()
        x = np.where(mask, scaling.apply(block), 0).reshape(len(block), -1)
        part = (basis.T.astype(np.float32) @ x).astype(np.float64)
        moment = part if moment is None else moment + part
        gram += basis.T @ basis
    assert moment is not None and mask is not None
    gram += 1e-6 * np.trace(gram) / len(gram) * np.eye(len(gram))
    coefficients = np.linalg.solve(gram, moment)
    return coefficients.reshape(harmonics.size, *mask.shape).astype(np.float32), mask

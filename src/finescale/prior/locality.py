"""Covariances of few days fall with distance: between places far apart they are mostly chance.

Sixty independent fields know a correlation to .13, and a coarse value far away would still be heeded for it. The
covariance times exp(-d^2 / 2 r^2) of the distance d is a covariance too (Houtekamer and Mitchell 2001, Monthly Weather
Review 129, 123-137), and the one that anomalies have which were multiplied by smooth waves sqrt(2) cos(k . x) and
sqrt(2) sin(k . x), with k as a Gaussian of width 1 / r has it (as the modulated ensembles of Bishop and Hodyss 2009,
Tellus A 61, 84-96). So EOFs and covariances at every lag are found in copies of a period, each under its own wave. Days
held out choose r; see `holdout`.
"""

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.fields.axis import segments
from finescale.fields.context import position

Array = NDArray[np.float64]
# Frames that all copies may have together, and pairs of waves that make a kernel: true to .1 at four radii.
FRAMES, FEWEST, MOST = 2**16, 6, 16
# Radii that are tried after none, in diagonals of the domain.
SHARES = (1 / 2, 1 / 4)
EARTH = 6371.0
_GOLDEN = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True)
class Locality:
    """Copies of a period.

    Attributes:
        waves: what the anomalies of each copy are multiplied by ``[R, H, W]``; for the period as it is ``[1, 1, 1]``.
    """

    waves: NDArray[np.float32]

    @classmethod
    def of(cls, ds: xr.Dataset, radius: float) -> "Locality":
        """For a period and a radius in kilometres; infinite for the period as it is."""
        if math.isinf(radius):
            return cls(np.ones((1, 1, 1), np.float32))
        phases = np.tensordot(_wavenumbers(_pairs(ds)) / radius, _places(ds), 1)
        return cls(np.sqrt(2) * np.concatenate([np.cos(phases), np.sin(phases)]).astype(np.float32))

    def segments(self, time: xr.DataArray) -> NDArray[np.int64]:
        """Number the unbroken stretches of all copies, one after the other."""
        one = segments(time)
        return np.concatenate([one + copy * (one[-1] + 1) for copy in range(len(self.waves))])


def radii(ds: xr.Dataset) -> tuple[float, ...]:
    """Radii to be tried for a period, in kilometres: of a long one none but the infinite."""
    if _pairs(ds) < FEWEST or np.isnan(places := _places(ds)).any():
        return (math.inf,)
    diagonal = math.hypot(*np.ptp(places.reshape(2, -1), axis=1))
    return (math.inf, *(share * diagonal for share in SHARES))


def _pairs(ds: xr.Dataset) -> int:
    return min(FRAMES // (2 * ds.sizes["time"]), MOST)


def _places(ds: xr.Dataset) -> Array:
    """Kilometres east and north of the middle, seen from above it ``[2, H, W]``; NaN beyond the horizon."""
    lat, lon = (np.deg2rad(part) for part in position(ds))
    sphere = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    middle = sphere.mean(axis=(1, 2))
    north, along = math.atan2(middle[2], math.hypot(*middle[:2])), math.atan2(middle[1], middle[0])
    sine, cosine = math.sin(north), math.cos(north)
    east = np.array([-math.sin(along), math.cos(along), 0.0])
    ahead = np.array([-sine * math.cos(along), -sine * math.sin(along), cosine])
    up = np.array([cosine * math.cos(along), cosine * math.sin(along), sine])
    flat = EARTH * np.tensordot(np.stack([east, ahead]), sphere, 1)
    return np.where(np.tensordot(up, sphere, 1) > 0, flat, np.nan)


def _wavenumbers(count: int) -> Array:
    """Points that lie as a standard Gaussian in the plane does, evenly as the seeds of a sunflower ``[F, 2]``."""
    number = np.arange(count)
    length, angle = np.sqrt(-2 * np.log(1 - (number + 0.5) / count)), _GOLDEN * number
    return np.stack([length * np.cos(angle), length * np.sin(angle)], axis=1)

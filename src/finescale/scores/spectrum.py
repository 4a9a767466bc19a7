"""Radial spectra with their amplitude: does the ensemble have the small scales that the truth has?

The power is summed over rings of equal wavenumber, so that the rings sum to the variance (Parseval) and a
field that is too smooth or too rough shows, which a normalised spectrum would hide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from finescale.grid.grid import Grid
from finescale.scores.bootstrap import Means

KM_PER_DEGREE = 111.195
BANDS_KM = {
    "melr_over_200km": (200.0, np.inf),
    "melr_50_200km": (50.0, 200.0),
    "melr_under_50km": (0.0, 50.0),
}


@dataclass(frozen=True)
class Radial:
    """The rings of a grid's wavenumbers.

    Attributes:
        ring: Number of the ring of each coefficient of the half-plane transform, int [lat, lon // 2 + 1]; 0 is the
            mean, and every number up to K has coefficients.
        fold: How many coefficients of the full plane each one stands for, [lat, lon // 2 + 1].
        taper: Window the field is multiplied with, [lat, lon], mean square one.
        wavelength: Wavelength of each ring [K], km, falling; the mean is not among them.
    """

    ring: NDArray[np.int64]
    fold: NDArray[np.float64]
    taper: NDArray[np.float64]
    wavelength: NDArray[np.float64]

    @classmethod
    def of(cls, grid: Grid, *, window: bool = True) -> Radial:
        """Lay out the rings.

        Args:
            grid: The grid; its cells are measured at its middle latitude.
            window: Whether a Hann window tapers the field. Without one the jump between opposite edges
                of a regional field leaks into all small scales and hides a missing one.
        """
        rows, columns = grid.shape
        lat, lon = np.asarray(grid.lat), np.asarray(grid.lon)
        dy = float(np.diff(lat).mean()) * KM_PER_DEGREE
        dx = float(np.diff(lon).mean()) * KM_PER_DEGREE * float(np.cos(np.deg2rad(lat.mean())))
        k = np.hypot(np.fft.fftfreq(rows, dy)[:, None], np.fft.rfftfreq(columns, dx)[None, :])
        step = 1 / max(rows * dy, columns * dx)
        # On some grids no coefficient falls into a ring: such a ring is none.
        number, ring = np.unique(np.rint(k / step).astype(np.int64), return_inverse=True)
        fold = np.full(ring.shape, 2.0)
        fold[:, 0] = 1.0
        if columns % 2 == 0:
            fold[:, -1] = 1.0
        taper = np.ones(grid.shape)
        if window:
            taper = np.hanning(rows + 2)[1:-1, None] * np.hanning(columns + 2)[None, 1:-1]
            taper /= np.sqrt((taper**2).mean())
        return cls(ring=ring, fold=fold, taper=taper, wavelength=1 / (step * number[1:]))

    def power(self, fields: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give the power of each ring; the rings sum to the variance of the tapered field.

        Args:
            fields: Fields [..., lat, lon].

        Returns:
            Power [..., K] in squared units of the field, from the longest wave to the shortest.
        """
        # The mean that the window sees is removed, so that none of it leaks into the first rings.
        weight = self.taper / self.taper.sum()
        mean = np.einsum("...ij,ij->...", fields, weight, dtype=np.float64)
        anomaly = (fields - mean[..., None, None]) * self.taper
        size = self.taper.size
        squared = np.abs(scipy.fft.rfft2(anomaly)) ** 2 * (self.fold / size**2)
        flat = squared.reshape(-1, self.ring.size)
        # One matrix product adds all rings of all fields.
        rings = np.zeros((self.ring.size, self.wavelength.size + 1))
        rings[np.arange(self.ring.size), self.ring.ravel()] = 1.0
        total: NDArray[np.float64] = (flat @ rings)[:, 1:]
        return total.reshape(*fields.shape[:-2], -1)


def hourly_power(x: NDArray[np.floating], o: NDArray[np.floating], radial: Radial) -> Means:
    """Give the power of members and truth hour by hour.

    Args:
        x: Members [M, T, lat, lon].
        o: Truth [T, lat, lon].
        radial: The rings.

    Returns:
        `power` and `true_power` [T, K].
    """
    power = np.zeros((o.shape[0], radial.wavelength.size))
    for member in x:
        power += radial.power(member) / len(x)
    return {"power": power, "true_power": radial.power(o)}


def log_ratio(means: Means) -> NDArray[np.float64]:
    """Logarithm of the power of members over that of the truth [B, K]; NaN where the truth has none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(means["power"] / means["true_power"])
    return np.where(means["true_power"] > 0, ratio, np.nan)


def melr(
    means: Means, wavelength: NDArray[np.float64], band: tuple[float, float] = (0.0, np.inf)
) -> NDArray[np.float64]:
    """Mean energy log ratio: mean over wavenumbers of |ln(P_x / P_o)| (Schmidt et al. 2025); 0 is best.

    Args:
        means: `power` and `true_power` [B, K].
        wavelength: Wavelength of each ring [K], km.
        band: Shortest (included) and longest (excluded) wavelength that counts, km.

    Returns:
        The distance [B]; NaN when the band is empty or the truth has no variance in it.
    """
    inside = (wavelength >= band[0]) & (wavelength < band[1])
    if not inside.any():
        return np.full(means["power"].shape[0], np.nan)
    return np.asarray(np.abs(log_ratio(means)[:, inside]).mean(axis=1))

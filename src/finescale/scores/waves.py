"""Waves in space and time, and between variables: space-time spectra and the coherence of pairs."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from finescale.scores.bootstrap import Means
from finescale.scores.spectrum import Radial

WINDOW = 48  # hours of one space-time spectrum; windows begin every day


def transform(fields: NDArray[np.floating], radial: Radial) -> NDArray[np.complex128]:
    """Give the tapered transform of fields [..., lat, lon] about their tapered mean."""
    weight = radial.taper / radial.taper.sum()
    mean = np.einsum("...ij,ij->...", fields, weight, dtype=np.float64)
    return np.asarray(scipy.fft.rfft2((fields - mean[..., None, None]) * radial.taper) / radial.taper.size)


def rings(values: NDArray[np.inexact], radial: Radial) -> NDArray[np.inexact]:
    """Sum values of all coefficients [..., lat, lon // 2 + 1] over rings [..., K]."""
    flat = (values * radial.fold).reshape(*values.shape[:-2], -1)
    select = np.zeros((radial.ring.size, radial.wavelength.size + 1))
    select[np.arange(radial.ring.size), radial.ring.ravel()] = 1.0
    return np.asarray((flat @ select)[..., 1:])


def spacetime_power(fields: NDArray[np.floating], radial: Radial) -> NDArray[np.float64]:
    """Give the power of one stretch of hours by frequency and wavenumber.

    Args:
        fields: Hourly fields [T, lat, lon].
        radial: The rings.

    Returns:
        Power [T // 2, K] by frequency from 1/T to 1/2 per hour and by ring, long waves first.
    """
    hours = fields.shape[0]
    taper = np.hanning(hours + 2)[1:-1]
    taper /= np.sqrt((taper**2).mean())
    coefficients = transform(fields, radial)
    coefficients = (coefficients - coefficients.mean(axis=0)) * taper[:, None, None]
    power = rings(np.abs(scipy.fft.fft(coefficients, axis=0) / hours) ** 2, radial)
    # Waves that run either way along the axes of time count together.
    both = power[1 : hours // 2 + 1] + power[-1 : -hours // 2 - 1 : -1][: hours // 2]
    return np.asarray(both, dtype=np.float64)


def spacetime_melr(means: Means, members: int) -> NDArray[np.float64]:
    """Mean over frequencies and wavenumbers of |ln(power of members / power of truth)|; 0 is right."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(means["power"] / means["true_power"])
    return np.asarray(np.abs(ratio).mean(axis=(-2, -1)))


def cross_power(a: NDArray[np.floating], b: NDArray[np.floating], radial: Radial) -> Means:
    """Give what the coherence of two variables is made of, hour by hour.

    Args:
        a: Fields [T, lat, lon] of one variable.
        b: Fields of the other.
        radial: The rings.

    Returns:
        `a`, `b` (powers), `real` and `imaginary` (of the cross-spectrum) [T, K].
    """
    fa, fb = transform(a, radial), transform(b, radial)
    cross = rings(fa * fb.conj(), radial)
    return {
        "a": np.asarray(rings(np.abs(fa) ** 2, radial), dtype=np.float64),
        "b": np.asarray(rings(np.abs(fb) ** 2, radial), dtype=np.float64),
        "real": np.asarray(cross.real, dtype=np.float64),
        "imaginary": np.asarray(cross.imag, dtype=np.float64),
    }


def coherence(means: Means, prefix: str = "") -> NDArray[np.float64]:
    """Turn mean cross-powers [..., K] into the coherence, between 0 and 1."""
    a, b, real, imaginary = (means[f"{prefix}{key}"] for key in ("a", "b", "real", "imaginary"))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.hypot(real, imaginary) / np.sqrt(a * b))

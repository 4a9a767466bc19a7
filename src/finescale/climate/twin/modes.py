"""Random fields with a power-law spectrum that drift, fade and renew themselves.

A field is a sum of plane waves on a periodic box that is larger than the region, so that the region is not
periodic. Each wave is an Ornstein-Uhlenbeck process in time, seen from a frame that the wind carries along.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Real = NDArray[np.float32]
Complex = NDArray[np.complex64]


@dataclass(frozen=True)
class Waves:
    """The waves of a periodic box, on half of the wave-number plane.

    Attributes:
        box: side of the box, km.
        shortest: shortest wavelength, km.
    """

    box: float
    shortest: float

    @cached_property
    def ky(self) -> NDArray[np.float64]:
        """Northward wave numbers [ky], rad km-1."""
        top = int(self.box / self.shortest)
        return np.asarray(2 * np.pi / self.box * np.arange(-top, top + 1), dtype=np.float64)

    @cached_property
    def kx(self) -> NDArray[np.float64]:
        """Eastward wave numbers [kx], rad km-1."""
        return np.asarray(
            2 * np.pi / self.box * np.arange(int(self.box / self.shortest) + 1), dtype=np.float64
        )

    @cached_property
    def k(self) -> NDArray[np.float64]:
        """Total wave number [ky, kx], rad km-1."""
        return np.hypot(self.ky[:, None], self.kx[None, :])

    def amplitude(self, slope: float) -> Real:
        """Return amplitudes [ky, kx] of a field of unit variance whose one-dimensional spectrum is k^-slope."""
        inside = (self.k > 0) & (self.k <= 2 * np.pi / self.shortest * 1.0001)
        weight = np.where(inside, np.where(inside, self.k, 1.0) ** (-(slope + 1) / 2), 0.0)
        return np.asarray(weight / np.sqrt(np.square(weight).sum()), dtype=np.float32)

    def drift(self, coefficients: Complex, north: NDArray[np.float64], east: NDArray[np.float64]) -> Complex:
        """Carry coefficients [time, ky, kx] along displacements [time], km."""
        phase_y = np.exp(-1j * np.outer(north, self.ky)).astype(np.complex64)
        phase_x = np.exp(-1j * np.outer(east, self.kx)).astype(np.complex64)
        return np.asarray(coefficients * phase_y[:, :, None] * phase_x[:, None, :])

    def synthesise(
        self, coefficients: Complex, north: NDArray[np.float64], east: NDArray[np.float64]
    ) -> Real:
        """Return the field [time, north, east] of coefficients [time, ky, kx] at points [north], [east], km."""
        steps, rows, columns = coefficients.shape
        wave_x = np.exp(1j * np.outer(self.kx, east)).astype(np.complex64)
        wave_y = np.exp(1j * np.outer(north, self.ky)).astype(np.complex64)
        half = (coefficients.reshape(-1, columns) @ wave_x).reshape(steps, rows, -1)
        # The real part of a complex product as one real product.
        left = np.concatenate([wave_y.real, -wave_y.imag], axis=1)
        return np.asarray(np.matmul(left, np.concatenate([half.real, half.imag], axis=1)))


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], memory: float) -> Real:
    """Return smooth stationary noise of unit variance along the first axis, with a memory of so many steps.

    Two Ornstein-Uhlenbeck filters in a row: unlike one, the result has a finite tendency.
    """
    rho = np.exp(-1.0 / memory)
    burn = int(12 * memory)
    impulse = np.zeros(burn)
    impulse[0] = 1.0
    norm = np.sqrt(np.square(_twice(impulse, rho)).sum())
    noise = rng.standard_normal((burn + shape[0], *shape[1:]), dtype=np.float32)
    return np.asarray(_twice(noise, rho)[burn:] / norm, dtype=np.float32)


def _twice(x: NDArray[np.floating], rho: float) -> NDArray[np.floating]:
    b, a = np.array([1.0], dtype=x.dtype), np.array([1.0, -rho], dtype=x.dtype)
    return np.asarray(lfilter(b, a, lfilter(b, a, x, axis=0), axis=0))


def renewing(
    rng: np.random.Generator, hours: NDArray[np.int64], memory: Real, amplitude: Real, *, block: int
) -> Iterator[Complex]:
    """Yield blocks [<=block, field, ky, kx] of Ornstein-Uhlenbeck coefficients at increasing hours.

    Args:
        rng: source of the noise; the result does not depend on `block`.
        hours: hours of the coefficients [time], any steps.
        memory: e-folding time [ky, kx] in hours.
        amplitude: amplitudes [field, ky, kx].
        block: steps in a block.
    """
    decay: dict[int, tuple[Real, Real]] = {}
    for step in np.unique(np.diff(hours)).tolist():
        rho = np.exp(-step / memory)
        decay[step] = (rho, np.sqrt(1 - rho**2) * amplitude)
    state = np.zeros(amplitude.shape, dtype=np.complex64)
    for begin in range(0, hours.size, block):
        size = min(block, hours.size - begin)
        noise = rng.standard_normal((size, *amplitude.shape, 2), dtype=np.float32)
        out = noise.view(np.complex64)[..., 0]
        for i in range(size):
            if begin + i == 0:
                out[i] *= amplitude
            else:
                rho, gain = decay[int(hours[begin + i] - hours[begin + i - 1])]
                out[i] *= gain
                out[i] += rho * state
            state = out[i]
        yield out
        state = state.copy()

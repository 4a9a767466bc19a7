"""Draws of a fitted climate's anomalies, and of observation errors, that any hour can have without those before it.

Each is a moving average of counter-based noise. With a noise level sigma the draws have the covariance
C_t = (Sigma^-1 + I / sigma^2)^-1 of what is left to know of a state once it has been seen under such noise: every
variance v of the spectrum becomes v sigma^2 / (v + sigma^2).
"""

import math
import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from finescale.fields.noise import Noise, normals
from finescale.guidance.observation import Segment
from finescale.prior.gaussian import GaussianClimate

# Streams of noise that no sampler uses; one use of them takes all three.
MODES, CELLS, ERRORS, USES = 2**32, 2**32 + 1, 2**32 + 2, 3
# Energy of a moving average that may be cut off.
TAIL = 1e-6
LAGS = 1024


class ClimateDraws:
    """Anomalies of a climate given its sight under white noise; unconditional where the noise is infinite.

    Args:
        climate: every EOF and every band of waves on its own.
        noise: the source of randomness.
        sigma: noise level.
        use: number of this independent use of the noise.
    """

    def __init__(self, climate: GaussianClimate, noise: Noise, sigma: float = math.inf, use: int = 0) -> None:
        self.climate, self.noise, self.use = climate, noise, use
        self._modes, self._cells = (
            _moving_average(torch.from_numpy(rho), sigma)
            for rho in (climate.autocovariance(LAGS), climate.residual_autocovariance(LAGS))
        )
        self._names = type(noise)(noise.seed, ("modes",), (1, len(climate.variance)))

    def __call__(self, members: tuple[int, ...], first: int, stop: int) -> Tensor:
        """Draws ``[M, T, C, H, W]`` of the hours [first, stop)."""
        climate, skip = self.climate, USES * self.use
        half = self._modes.shape[1] // 2
        white = self._names(members, range(first - half, stop + half), MODES + skip)[:, :, 0, 0]
        series = _convolve(white, self._modes, stop - first)
        half = self._cells.shape[1] // 2
        grain = self.noise(members, range(first - half, stop + half), CELLS + skip)
        white, parts = grain.flatten(-2), []
        for number, g in enumerate(climate.groups):
            part = _filter(white[:, :, g.variable, g.span], self._cells[number], stop - first)
            pattern = climate.patterns[g.rows, g.span]
            parts.append(part - (part @ pattern.T) @ pattern)
        rest = climate.bands.inverse(climate.joined(parts))
        out: Tensor = (climate.reconstruct(series) + rest) * climate.mask
        return out


@dataclass(frozen=True)
class Finish:
    """What separates weather from its denoised mean after the last step of a sampler, as far as the climate knows.

    Attributes:
        anomalies: draws of C_t at the last noise level.
    """

    anomalies: ClimateDraws

    def __call__(self, members: tuple[int, ...], first: int, stop: int) -> Tensor:
        """Draws ``[M, T, C, H, W]`` of the hours [first, stop)."""
        return self.anomalies(members, first, stop)

    def errors(self, members: tuple[int, ...], segment: Segment) -> Tensor:
        """Draws of the observation error ``[M, n]`` that belong to them."""
        return error_draws(self.anomalies.noise, segment, members, self.anomalies.use)


def error_draws(noise: Noise, segment: Segment, members: tuple[int, ...], use: int = 0) -> Tensor:
    """Draws of the observation error ``[M, n]``, the same for a stamp in whatever segment it appears."""
    if not bool(segment.error.any()):
        return torch.zeros(len(members), segment.size)
    rows = []
    for member in members:
        pieces = []
        for number, (source, view) in enumerate(segment.parts):
            for hour in source.clock.hours(view.first, view.stop):
                for c in source.channels:
                    key = zlib.crc32(f"{number} {noise.variables[c]}".encode())
                    place = (hour, key, ERRORS + USES * use)
                    pieces.append(normals(noise.seed, member, place, source.space.size))
        rows.append(np.concatenate(pieces))
    return torch.from_numpy(np.stack(rows)) * segment.error.float().sqrt() * segment.mask


def _moving_average(rho: Tensor, sigma: float) -> Tensor:
    """Symmetric kernels ``[N, 2 L + 1]`` whose moving averages of white noise have autocovariance rho ``[N, lags]``.

    Of the spectrum that belongs to rho, only what noise of level sigma hides is left.
    """
    ring = torch.cat([rho, rho[:, 1:-1].flip(1)], 1)
    power = torch.fft.rfft(ring).real.clamp_min(0)
    if math.isfinite(sigma):
        power = power * sigma**2 / (power + sigma**2)
    kernel = torch.fft.fftshift(torch.fft.irfft(power.sqrt(), n=ring.shape[1]), dim=1)
    middle = ring.shape[1] // 2
    energy = kernel.square()
    outside = energy.sum(1, keepdim=True) - torch.stack(
        [energy[:, middle - half : middle + half + 1].sum(1) for half in range(middle)], 1
    )
    small = (outside <= TAIL * energy.sum(1, keepdim=True)).all(0)
    half = int(small.float().argmax()) if bool(small.any()) else middle - 1
    cut: Tensor = kernel[:, middle - half : middle + half + 1]
    return cut.float()


def _convolve(white: Tensor, kernel: Tensor, length: int) -> Tensor:
    """Moving averages ``[M, length, N]`` of noise ``[M, length + 2 L, N]``, one kernel a series, by FFT."""
    size = white.shape[1]
    product = torch.fft.rfft(white, dim=1) * torch.fft.rfft(kernel.T, n=size, dim=0)
    whole: Tensor = torch.fft.irfft(product, n=size, dim=1)
    return whole[:, kernel.shape[1] - 1 :][:, :length]


def _filter(white: Tensor, kernel: Tensor, length: int) -> Tensor:
    """Moving averages ``[M, length, n]`` of noise ``[M, length + 2 L, n]`` by one kernel."""
    taps = torch.zeros(length, white.shape[1])
    for t in range(length):
        taps[t, t : t + len(kernel)] = kernel
    return taps @ white

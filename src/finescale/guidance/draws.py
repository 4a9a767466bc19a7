"""Draws of a fitted climate's anomalies, and of observation errors, that any hour can have without those before it.

Each is a moving average of counter-based noise. With a noise level sigma the draws have the covariance
C_t = (Sigma^-1 + I / sigma^2)^-1 of what is left to know of a state once it has been seen under such noise: every
variance v of the spectrum becomes v sigma^2 / (v + sigma^2).
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import local

import numpy as np
import torch
from torch import Tensor

from finescale.fields.noise import Noise, normals
from finescale.guidance.moving import moving_of
from finescale.guidance.observation import Segment
from finescale.prior.gaussian import GaussianClimate

# Streams of noise that no sampler uses; one use of them takes all three.
MODES, CELLS, ERRORS, USES = 2**32, 2**32 + 1, 2**32 + 2, 3
# Energy of a moving average that may be cut off.
TAIL = 1e-4
LAGS = 1024
# Blocks that are drawn at once.
AHEAD = 4


class ClimateDraws:
    """Anomalies of a climate given its sight under white noise; unconditional where the noise is infinite.

    Args:
        climate: its leading EOFs together, where it knows how they depend on one another, every other one and every
            band of waves by itself.
        noise: the source of randomness, without its memory: what is filtered must be white in time.
        sigma: noise level.
        use: number of this independent use of the noise.
    """

    def __init__(self, climate: GaussianClimate, noise: Noise, sigma: float = math.inf, use: int = 0) -> None:
        self.climate, self.use = climate, use
        self.noise = replace(noise, memory=0)
        self._modes, self._cells = (
            _moving_average(torch.from_numpy(rho), sigma)
            for rho in (climate.autocovariance(LAGS), climate.residual_autocovariance(LAGS))
        )
        self._lead = _together(climate, sigma)
        self._modes = self._modes[self._lead.shape[1] :]
        self._names = type(noise)(noise.seed, ("modes",), (1, len(climate.variance)))

    def __call__(self, members: tuple[int, ...], first: int, stop: int) -> Tensor:
        """Draws ``[M, T, C, H, W]`` of the hours [first, stop)."""
        climate, skip, lead = self.climate, USES * self.use, self._lead.shape[1]
        halves = [self._lead.shape[0] // 2, self._modes.shape[1] // 2]
        wide = max(halves)
        white = self._names(members, range(first - wide, stop + wide), MODES + skip)[:, :, 0, 0]
        near, far = (white[:, wide - half : white.shape[1] - wide + half] for half in halves)
        series = white.new_empty(len(members), stop - first, white.shape[-1])
        if lead:
            series[..., :lead] = _convolve_together(near[..., :lead], self._lead, stop - first)
        if lead < series.shape[-1]:
            series[..., lead:] = _convolve(far[..., lead:], self._modes, stop - first)
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


@dataclass
class Ahead:
    """Draws of neighbouring hours made at once: they share noise, and what lies around them.

    The lengths of time begin at fixed hours, so that a run which goes on somewhere in the middle makes the same ones.
    Each thread keeps those of the members that it draws.

    Attributes:
        draw: makes draws ``[M, T, C, H, W]`` of the hours [first, stop).
        block: hours that are asked for at a time; `AHEAD` times as many are made.
        first: first hour that there is.
        stop: one past the last.
    """

    draw: Callable[[tuple[int, ...], int, int], Tensor]
    block: int
    first: int
    stop: int
    _own: local = field(default_factory=local)

    def __call__(self, members: tuple[int, ...], first: int, stop: int) -> Tensor:
        """Draws ``[M, T, C, H, W]`` of the hours [first, stop)."""
        length = AHEAD * self.block
        wanted = range(first // length, (stop - 1) // length + 1)
        before: dict[tuple[tuple[int, ...], int], Tensor] = getattr(self._own, "made", {})
        made = {k: x for k, x in before.items() if k[0] == members and k[1] in wanted}
        pieces = []
        for number in wanted:
            begin, end = max(number * length, self.first), min((number + 1) * length, self.stop)
            if (members, number) not in made:
                made[members, number] = self.draw(members, begin, end)
            pieces.append(made[members, number][:, max(first - begin, 0) : stop - begin])
        self._own.made = made
        return torch.cat(pieces, 1)


@dataclass(frozen=True)
class Finish:
    """What separates weather from its denoised mean after the last step of a sampler, as far as the climate knows.

    Attributes:
        anomalies: draws of C_t at the last noise level.
        ahead: the same, made for longer stretches at once.
    """

    anomalies: ClimateDraws
    ahead: Ahead | None = None

    def __call__(self, members: tuple[int, ...], first: int, stop: int) -> Tensor:
        """Draws ``[M, T, C, H, W]`` of the hours [first, stop)."""
        return (self.ahead or self.anomalies)(members, first, stop)

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
    middle, half = ring.shape[1] // 2, _half(kernel.square())
    cut: Tensor = kernel[:, middle - half : middle + half + 1]
    return cut.float()


def _together(climate: GaussianClimate, sigma: float) -> Tensor:
    """The same for the leading EOFs that depend on one another ``[2 L + 1, J, J]``; J = 0 where each is alone."""
    if (moving := moving_of(climate)) is None:
        return torch.zeros(1, 0, 0)
    kernel = moving.average(sigma)
    middle, half = len(kernel) // 2, _half(kernel.square().sum(2).T)
    return kernel[middle - half : middle + half + 1].clone()


def _half(energy: Tensor) -> int:
    """Lags on either side of the middle that hold all but the tail of each row's energy ``[N, lags]``."""
    middle, energy = energy.shape[1] // 2, energy.double()
    ahead, behind = energy[:, middle + 1 : 2 * middle], energy[:, 1:middle].flip(1)
    within = torch.cat([energy[:, middle, None], ahead + behind], 1).cumsum(1)
    small = (energy.sum(1, keepdim=True) - within <= TAIL * energy.sum(1, keepdim=True)).all(0)
    return int(small.float().argmax()) if bool(small.any()) else middle - 1


def _convolve(white: Tensor, kernel: Tensor, length: int) -> Tensor:
    """Moving averages ``[M, length, N]`` of noise ``[M, length + 2 L, N]``, one kernel a series, by FFT."""
    size = white.shape[1]
    product = torch.fft.rfft(white, dim=1) * torch.fft.rfft(kernel.T, n=size, dim=0)
    whole: Tensor = torch.fft.irfft(product, n=size, dim=1)
    return whole[:, kernel.shape[1] - 1 :][:, :length]


def _convolve_together(white: Tensor, kernel: Tensor, length: int) -> Tensor:
    """The same with matrices ``[2 L + 1, N, N]`` between all series."""
    size = white.shape[1]
    product = torch.fft.rfft(kernel, n=size, dim=0) @ torch.fft.rfft(white, dim=1).permute(1, 2, 0)
    whole: Tensor = torch.fft.irfft(product, n=size, dim=0).permute(2, 0, 1)
    return whole[:, len(kernel) - 1 :][:, :length]


def _filter(white: Tensor, kernel: Tensor, length: int) -> Tensor:
    """Moving averages ``[M, length, n]`` of noise ``[M, length + 2 L, n]`` by one kernel."""
    taps = torch.zeros(length, white.shape[1])
    for t in range(length):
        taps[t, t : t + len(kernel)] = kernel
    return taps @ white

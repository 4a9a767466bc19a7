"""Exact draws from the posterior of the linear-Gaussian climate, for series of any length.

Matheron's rule (Journel and Huijbregts 1978): x + Sigma H^T (H Sigma H^T + R)^-1 (y - H x - e), with x a draw of the
climate and e of the observation error, is a draw given y. Draws of the climate are moving averages of counter-based
noise, so any hour can be drawn without those before it. Observations further than `reach` hours from a
block are left out of its solve: with one every few hours in between they add nothing that can be measured.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from finescale.fields.noise import Noise, normals
from finescale.guidance.covariance import ClimateCovariance
from finescale.guidance.observation import Observation, Segment
from finescale.guidance.wave import blocks

# Streams of noise that no sampler uses.
MODES, CELLS, ERRORS = 2**32, 2**32 + 1, 2**32 + 2
# Energy of a moving average that may be cut off.
TAIL = 1e-6
LAGS = 1024
# Blocks whose unconditional draws are made at once: those of neighbouring hours share noise.
AHEAD = 4


@dataclass
class GaussianPosterior:
    """Draws members of a fitted climate given an observation.

    Attributes:
        covariance: of the climate.
        observation: in scaled units.
        clock: fractions of year and day of the hours [first, stop), ``[T, 2]``.
        noise: the source of all randomness.
        first: first absolute hour.
        stop: one past the last hour.
        block: hours solved together.
        reach: hours of observations on either side of a block.
    """

    covariance: ClimateCovariance
    observation: Observation
    clock: Tensor
    noise: Noise
    first: int
    stop: int
    block: int = 36
    reach: int = 36
    _kernels: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        climate = self.covariance.climate
        for rho in (climate.autocovariance(LAGS), climate.residual_autocovariance(LAGS)):
            self._kernels.append(_moving_average(torch.from_numpy(rho)))

    def run(self, members: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], Tensor]]:
        """Yield each block's hours and its draws ``[M, T, C, H, W]``, in order of time."""
        x, offset = torch.zeros(0), self.first
        for first, stop in blocks(self.first, self.stop, max(self.block, self.reach)):
            begin, end = max(self.first, first - self.reach), min(self.stop, stop + self.reach)
            x, offset = x[:, begin - offset :] if len(x) else x, begin
            drawn = begin + x.shape[1] if len(x) else begin
            if end > drawn:
                fresh = self.draw(members, drawn, min(self.stop, max(end, drawn + AHEAD * self.block)))
                x = torch.cat([x, fresh], 1) if len(x) else fresh
            own = slice(first - begin, stop - begin)
            yield (first, stop), self._given(x[:, : end - begin], members, begin, end, own)

    def sample(self, members: tuple[int, ...], first: int, stop: int) -> Tensor:
        """Posterior draws ``[M, T, C, H, W]`` of the hours [first, stop) by themselves."""
        begin, end = max(self.first, first - self.reach), min(self.stop, stop + self.reach)
        x, own = self.draw(members, begin, end), slice(first - begin, stop - begin)
        return self._given(x, members, begin, end, own)

    def mean(self, members: tuple[int, ...], first: int, stop: int) -> Tensor:
        """Posterior mean ``[1, T, C, H, W]`` of the hours [first, stop)."""
        begin, end = max(self.first, first - self.reach), min(self.stop, stop + self.reach)
        mean = self.covariance.climate.mean(self.clock[begin - self.first : end - self.first])[None]
        return self._given(mean, None, begin, end, slice(first - begin, stop - begin))

    def _given(self, x: Tensor, members: tuple[int, ...] | None, begin: int, end: int, own: slice) -> Tensor:
        """Condition states of the hours [begin, end) and return the wanted frames; members add their error."""
        segment = self.observation.segment(begin, end)
        if segment is None:
            return x[:, own]
        r = segment.residual(x)
        if members is not None and bool(segment.error.any()):
            r = r - self._errors(segment, members)
        u = self.covariance.solve(segment, x.shape[1], float("inf"), r)
        return x[:, own] + self.covariance.spread(segment, u, x, float("inf"), own)

    def draw(self, members: tuple[int, ...], first: int, stop: int) -> Tensor:
        """Unconditional draws ``[M, T, C, H, W]`` of the hours [first, stop)."""
        climate = self.covariance.climate
        modes, cells = self._kernels
        names = Noise(self.noise.seed, ("modes",), (1, len(climate.variance)))
        half = modes.shape[1] // 2
        white = names(members, range(first - half, stop + half), MODES)[:, :, 0, 0]
        series = _convolve(white, modes, stop - first)
        half = cells.shape[1] // 2
        grain = self.noise(members, range(first - half, stop + half), CELLS)
        white, parts = grain.flatten(-2), []
        for number, g in enumerate(climate.groups):
            part = _filter(white[:, :, g.variable, g.span], cells[number], stop - first)
            pattern = climate.patterns[g.rows, g.span]
            parts.append(part - (part @ pattern.T) @ pattern)
        rest = climate.bands.inverse(climate.joined(parts))
        mean = climate.mean(self.clock[first - self.first : stop - self.first])
        return (mean + climate.reconstruct(series) + rest) * climate.mask

    def _errors(self, segment: Segment, members: tuple[int, ...]) -> Tensor:
        """Draws of the observation error ``[M, n]``, the same for a stamp in whatever block it appears."""
        rows = []
        for member in members:
            pieces = []
            for number, (source, view) in enumerate(segment.parts):
                for hour in source.clock.hours(view.first, view.stop):
                    for c in source.channels:
                        key = zlib.crc32(f"{number} {self.noise.variables[c]}".encode())
                        place = (hour, key, ERRORS)
                        pieces.append(normals(self.noise.seed, member, place, source.space.size))
            rows.append(np.concatenate(pieces))
        return torch.from_numpy(np.stack(rows)) * segment.error.float().sqrt() * segment.mask


def _moving_average(rho: Tensor) -> Tensor:
    """Symmetric kernels ``[N, 2 L + 1]`` whose moving averages of white noise have autocovariance rho ``[N, lags]``."""
    ring = torch.cat([rho, rho[:, 1:-1].flip(1)], 1)
    power = torch.fft.rfft(ring).real.clamp_min(0)
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

"""A Gaussian world whose denoiser and posterior are known exactly: the truth that samplers are held against.

Two correlated variables on a torus, each wave of which drifts with a constant wind and forgets with a smooth memory.
In Fourier space every wavenumber is an independent series, so E[x_0 | x_t] is one small matrix a wavenumber; the
posterior given area means is a dense solve in the space of the observations.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from finescale.fields.noise import Noise
from finescale.fields.operator import AreaMean, Clock
from finescale.fields.scaling import Scaling
from finescale.guidance.observation import Observation, Segment, Source
from finescale.prior.climatology import Harmonics
from finescale.prior.gaussian import GaussianClimate


@dataclass
class GaussianWorld:
    """A stationary process of `frames` hours on n x n cells, unit variance, two variables."""

    frames: int = 48
    n: int = 16
    factor: int = 8
    every: int = 6
    wind: tuple[float, float] = (0.5, 0.3)  # cells an hour
    length: float = 2.5  # cells
    slope: float = 3.0
    memory: float = 12.0  # hours, of the largest waves
    correlation: float = 0.6
    error: float = 1e-3  # variance R
    variables: tuple[str, ...] = ("a", "b")
    _gains: dict = field(default_factory=dict)

    @cached_property
    def spectrum(self) -> tuple[Tensor, Tensor]:
        """Power of both parents ``[2, n, n]`` and lag covariance ``[2, frames, n, n]`` (complex), per wave."""
        k = torch.fft.fftfreq(self.n, dtype=torch.float64) * self.n
        ky, kx = torch.meshgrid(k, k, indexing="ij")
        wave = torch.hypot(ky, kx) * 2 * torch.pi / self.n
        parents = torch.stack(
            [(1 + (wave * self.length * s) ** 2) ** (-self.slope / 2 - 0.5) for s in (1, 0.6)]
        )
        parents = parents / parents.mean((1, 2), keepdim=True)
        lag = torch.arange(self.frames, dtype=torch.float64)[:, None, None]
        rate = (1 + wave * self.length) / self.memory
        decay = torch.exp(-rate * lag) * (1 + rate * lag)
        # A wave of two cells has no direction: its Fourier coefficient is real and cannot drift.
        free = lambda k: torch.where(k.abs() == self.n / 2, 0.0, k)  # noqa: E731
        phase = -2 * torch.pi / self.n * (free(kx) * self.wind[0] + free(ky) * self.wind[1]) * lag
        return parents, torch.polar(decay, phase)

    def covariance(self, frames: int) -> Tensor:
        """Covariance of one wave's series of both variables ``[n, n, C * T, C * T]``, complex."""
        parents, lag = self.spectrum
        t = torch.arange(frames)
        gap = t[:, None] - t[None, :]
        rho = lag[gap.abs()]
        rho = torch.where((gap >= 0)[..., None, None], rho, rho.conj())
        mix = torch.tensor(
            [[1.0, 0.0], [self.correlation, (1 - self.correlation**2) ** 0.5]], dtype=torch.float64
        )
        shared = torch.einsum("cp,dp,pyx->cdyx", mix, mix, parents).to(rho.dtype)
        full = torch.einsum("cdyx,tsyx->yxctds", shared, rho)
        return full.flatten(4, 5).flatten(2, 3)

    def _eigen(self, frames: int) -> tuple[Tensor, Tensor]:
        if frames not in self._gains:
            # Real fields: half of the wavenumbers say it all.
            values, vectors = torch.linalg.eigh(self.covariance(frames)[:, : self.n // 2 + 1])
            self._gains[frames] = (values.clamp_min(0), vectors)
        return self._gains[frames]

    def filter(self, x: Tensor, function) -> Tensor:
        """Apply a function of the covariance's eigenvalues to states ``[B, T, C, n, n]``."""
        values, vectors = self._eigen(x.shape[1])
        if x.dtype == torch.float32:
            vectors = vectors.to(torch.complex64)
        z = torch.fft.rfft2(x).permute(3, 4, 0, 2, 1).flatten(3)
        z = z @ vectors.conj() * function(values)[:, :, None, :].to(x.dtype)
        z = (z @ vectors.mT).unflatten(3, (2, x.shape[1])).permute(2, 4, 3, 0, 1)
        return torch.fft.irfft2(z, s=(self.n, self.n)).to(x)

    def denoise(self, x: Tensor, sigma: float, starts: list[int] | None = None) -> Tensor:
        """E[x_0 | x_0 + sigma eps = x] of a stretch of any length."""
        return self.filter(x, lambda v: v / (v + sigma**2))

    def draw(self, count: int, seed: int, frames: int | None = None) -> Tensor:
        """Draws ``[count, T, C, n, n]`` of the process."""
        noise = Noise(seed, self.variables, (self.n, self.n))
        return self.filter(noise(range(count), range(frames or self.frames)).double(), lambda v: v.sqrt())

    @cached_property
    def space(self) -> AreaMean:
        """Plain block means."""
        block = (
            torch.eye(self.n // self.factor, dtype=torch.float64).repeat_interleave(self.factor, 1)
            / self.factor
        )
        return AreaMean(block, block)

    def observe(self, y: Tensor) -> Observation:
        """The observation of values ``[K, C, cells]``."""
        error = torch.full((2,), self.error, dtype=torch.float64)
        return Observation((Source(self.space, Clock(self.every), (0, 1), 0, y, error),))

    @cached_property
    def segment(self) -> Segment:
        """The operator of the whole series."""
        size = len(range(0, self.frames, self.every))
        found = self.observe(torch.zeros(size, 2, self.space.size, dtype=torch.float64)).segment(
            0, self.frames
        )
        assert found is not None
        return found

    @cached_property
    def cross(self) -> Tensor:
        """Sigma H^T as ``[n_obs, T, C, n, n]``."""
        return self.spread_cross(float("inf"))

    def spread_cross(self, sigma: float) -> Tensor:
        """C_t H^T as ``[n_obs, T, C, n, n]``, with C_t = Sigma where sigma is infinite."""
        like = torch.zeros(self.segment.size, self.frames, 2, self.n, self.n, dtype=torch.float64)
        rows = self.segment.adjoint(torch.eye(self.segment.size, dtype=torch.float64), like)
        if sigma == float("inf"):
            return self.filter(rows, lambda v: v)
        return self.filter(rows, lambda v: v * sigma**2 / (v + sigma**2))

    def factor_of(self, cross: Tensor) -> Tensor:
        """Cholesky factor of H C H^T + R."""
        matrix = self.segment.apply(cross)
        return torch.linalg.cholesky((matrix + matrix.T) / 2 + torch.diag(self.segment.error))

    @cached_property
    def variance(self) -> Tensor:
        """Exact posterior variance ``[T, C, n, n]``."""
        white = torch.linalg.solve_triangular(self.factor_of(self.cross), self.cross.flatten(1), upper=False)
        return 1 - white.square().sum(0).view(self.cross.shape[1:])

    def mean(self, y: Tensor) -> Tensor:
        """Exact posterior mean ``[B, T, C, n, n]`` given observed vectors ``[B, n_obs]``."""
        u = torch.cholesky_solve(y.T, self.factor_of(self.cross)).T
        return torch.einsum("bn,ntchw->btchw", u, self.cross)

    def posterior(self, y: Tensor, count: int, seed: int) -> Tensor:
        """Exact draws by Matheron's rule: the noise floor of every comparison."""
        x = self.draw(count, seed)
        noise = torch.from_numpy(_normals(seed, count, self.segment.size)) * self.segment.error.sqrt()
        return x + self.mean(y - self.segment.apply(x) - noise)


def _normals(seed: int, rows: int, columns: int):
    from finescale.fields.noise import normals

    return np.stack([normals(seed, m, (0, 1, 7), columns) for m in range(rows)]).astype("float64")


def fitted(world: GaussianWorld, draws: int, order: int = 8, joint: int = 256) -> GaussianClimate:
    """The linear-Gaussian climate that a user would fit to `draws` series of the world."""
    x = world.draw(draws, 99).float().numpy().reshape(-1, 2, world.n, world.n)
    hour = np.timedelta64(1, "h")
    series = np.arange(world.frames) * hour
    starts = np.datetime64("2001-01-01", "ns") + np.arange(draws) * (world.frames + 24) * hour
    axis = np.arange(world.n) * 0.1
    ds = xr.Dataset(
        {name: (("time", "lat", "lon"), x[:, c], {"units": "1"}) for c, name in enumerate(world.variables)},
        coords={"time": (starts[:, None] + series).ravel(), "lat": axis, "lon": axis},
    )
    scaling = Scaling("mean-std", world.variables, (0.0, 0.0), (1.0, 1.0))
    modes = 2 * world.n**2
    return GaussianClimate.fit(ds, scaling, modes=modes, order=order, joint=joint, harmonics=Harmonics(0, 0))


@dataclass
class TrueCovariance:
    """C_t of the world itself, for guidance that knows it."""

    world: GaussianWorld
    _kept: dict = field(default_factory=dict)

    def _of(self, sigma: float) -> tuple[Tensor, Tensor]:
        if sigma not in self._kept:
            self._kept.clear()
            cross = self.world.spread_cross(sigma)
            self._kept[sigma] = (cross, self.world.factor_of(cross))
        return self._kept[sigma]

    def solve(self, segment: Segment, frames: int, sigma: float, r: Tensor) -> Tensor:
        """Return (H C_t H^T + R)^-1 r."""
        return torch.cholesky_solve(r.T.double(), self._of(sigma)[1]).T.to(r)

    def spread(self, segment: Segment, u: Tensor, like: Tensor, sigma: float, own: slice) -> Tensor:
        """Return C_t H^T u."""
        return torch.einsum("bn,ntchw->btchw", u.double(), self._of(sigma)[0])[:, own].to(like)

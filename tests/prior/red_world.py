"""An analytic Gaussian world: red fields, autoregressive in time, whose law is known exactly."""

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr


@dataclass(frozen=True)
class World:
    """``x = sum_k z_k pattern_k``, z_k independent AR(1); variables a and b share patterns."""

    patterns: np.ndarray  # [K, C, H, W]
    phi: np.ndarray  # [K]
    grain: float = 0.0  # standard deviation of what is white in space and time

    def draw(self, frames: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        z = np.empty((frames, len(self.phi)))
        z[0] = rng.standard_normal(len(self.phi))
        for t in range(1, frames):
            z[t] = self.phi * z[t - 1] + np.sqrt(1 - self.phi**2) * rng.standard_normal(len(self.phi))
        x = np.einsum("tk,kchw->tchw", z, self.patterns)
        return x + self.grain * rng.standard_normal(x.shape)

    def dataset(self, frames: int, seed: int, start: str = "2001-01-01") -> xr.Dataset:
        x = self.draw(frames, seed)
        height, width = x.shape[2:]
        time = np.datetime64(start, "ns") + np.arange(frames) * np.timedelta64(1, "h")
        fields = {
            name: (("time", "lat", "lon"), x[:, i].astype(np.float32), {"units": "K"})
            for i, name in enumerate("ab")
        }
        return xr.Dataset(
            fields, coords={"time": time, "lat": 45 + 0.5 * np.arange(height), "lon": 0.5 * np.arange(width)}
        )

    def covariance(self, window: int) -> np.ndarray:
        """Of a window, ``[T * C * H * W]`` squared."""
        lag = np.abs(np.subtract.outer(np.arange(window), np.arange(window)))
        flat = self.patterns.reshape(len(self.phi), -1)
        size = flat.shape[1] * window
        full = np.einsum("kts,kn,km->tnsm", self.phi[:, None, None] ** lag, flat, flat, optimize=True)
        return full.reshape(size, size) + self.grain**2 * np.eye(size)

    def exact(self, window: int):
        """The exact denoiser of a window, in physical units."""
        cov = self.covariance(window)
        values, axes = np.linalg.eigh(cov)
        axes = torch.from_numpy(axes).float()
        values = torch.from_numpy(np.maximum(values, 0)).float()

        def denoise(x_t, sigma, context=None):
            level = sigma.reshape(-1, 1).expand(len(x_t), 1) ** 2
            return ((x_t.flatten(1) @ axes) * (values / (values + level)) @ axes.T).view_as(x_t)

        return denoise


def red_world(size: int = 12, modes: int = 60, seed: int = 0) -> World:
    rng = np.random.default_rng(seed)
    rows, columns = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    patterns = np.empty((modes, 2, size, size))
    wave = np.exp(rng.uniform(np.log(0.3), np.log(4.0), modes))
    for k in range(modes):
        angle = rng.uniform(0, 2 * np.pi)
        phase = 2 * np.pi * (wave[k] / size * (np.cos(angle) * rows + np.sin(angle) * columns) + rng.random())
        mix = rng.uniform(0, 2 * np.pi)
        patterns[k] = wave[k] ** -1.0 * np.stack([np.cos(mix) * np.cos(phase), np.sin(mix) * np.sin(phase)])
    patterns /= np.sqrt((patterns**2).sum(axis=0).mean(axis=(-2, -1)))[:, None, None]
    return World(patterns, np.exp(-(wave**0.5) / 6))


def drifting_waves(frames=3000, seed=0):
    """Waves that drift: their sine and cosine parts are two EOFs that follow one another."""
    rng = np.random.default_rng(seed)
    columns = np.arange(12) * 2 * np.pi / 12
    x = np.zeros((frames, 4, 12))
    for wave in (1, 2, 3):
        z = np.zeros(frames, dtype=complex)
        for t in range(1, frames):
            kick = rng.standard_normal() + 1j * rng.standard_normal()
            z[t] = 0.95 * np.exp(0.7j * wave) * z[t - 1] + 0.3 * kick
        x += np.real(z[:, None] * np.exp(1j * wave * columns))[:, None, :]
    time = np.datetime64("2001-01-01", "ns") + np.arange(frames) * np.timedelta64(1, "h")
    fields = x + 0.01 * rng.standard_normal(x.shape)
    return xr.Dataset(
        {"a": (("time", "lat", "lon"), fields)},
        coords={"time": time, "lat": np.arange(4.0), "lon": np.arange(12.0)},
    )

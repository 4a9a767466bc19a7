"""Draws of a Gaussian climate by recursion, for tests: another way than the moving averages of the product."""

import numpy as np
import torch
from numpy.typing import NDArray

from finescale.prior.autoregression import correlation, toeplitz
from finescale.prior.gaussian import GaussianClimate

Array = NDArray[np.float64]


def draw(climate: GaussianClimate, count: int, clock: torch.Tensor, generator: torch.Generator):
    """Unconditional draws ``[count, T, C, H, W]`` at the hours ``clock [T, 2]``."""
    double = lambda x: x.numpy().astype(np.float64)  # noqa: E731
    shape = (count, len(clock))
    modes = torch.randn(*shape, len(climate.variance), generator=generator)
    white = torch.randn(*shape, len(climate.mask), climate.mask[0].numel(), generator=generator)
    z = simulate(double(climate.phi), double(climate.variance), double(modes))
    phi, variance = double(climate.residual_phi), double(climate.residual_variance)
    parts = []
    for n, g in enumerate(climate.groups):
        noise = double(white[..., g.variable, g.span].movedim(-1, 0))[..., None]
        r = np.moveaxis(simulate(phi[n : n + 1], variance[n : n + 1], noise)[..., 0], 0, -1)
        part, fields = torch.from_numpy(r.copy()).float(), climate.patterns[g.rows, g.span]
        parts.append(part - (part @ fields.T) @ fields)
    rest = climate.bands.inverse(climate.joined(parts))
    return climate.mean(clock) + climate.reconstruct(torch.from_numpy(z).float()) + rest


def simulate(phi: Array, variance: Array, noise: Array) -> Array:
    """Draw stationary series from standard normal noise.

    Args:
        phi: ``[N, p]``.
        variance: marginal variance ``[N]``.
        noise: ``[..., T, N]`` standard normals.

    Returns:
        ``[..., T, N]``; the first p frames from their exact joint law, the others by the recursion.
    """
    order, length = phi.shape[1], noise.shape[-2]
    head = min(order, length)
    rho = correlation(phi, order + 1)
    innovation = np.sqrt(np.maximum(1 - np.einsum("nj,nj->n", phi, rho[:, 1:]), 0))
    x = np.empty_like(noise)
    if head:
        cholesky = np.linalg.cholesky(toeplitz(rho[:, :head]) + 1e-12 * np.eye(head))
        x[..., :head, :] = np.einsum("nts,...sn->...tn", cholesky, noise[..., :head, :])
    for t in range(head, length):
        past = x[..., t - order : t, :][..., ::-1, :]
        x[..., t, :] = np.einsum("nj,...jn->...n", phi, past) + innovation * noise[..., t, :]
    return x * np.sqrt(variance)

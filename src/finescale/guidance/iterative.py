"""Conjugate gradients for observations too many to factor: H C H^T + R is applied, never formed.

Each product goes from the observed values of a stamp to the series of the EOFs, through their covariance in time, and
back. The preconditioner solves every stamp as if it were alone, with the one small factor of the middle stamp.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from finescale.guidance.factor import factored
from finescale.guidance.seen import Seen, through_eofs


@dataclass(frozen=True)
class System:
    """H C H^T + R of one product.

    Attributes:
        seen: what it sees of the climate.
        time: covariance in time between stamps, of the EOFs and of its groups: ``[K, S, S]`` and ``[G, S, S]``.
        error: R, with the jitter, ``[S C n]``.
        mask: observed values, as 0 and 1, ``[S C n]``.
        factor: Cholesky factor of the middle stamp ``[C n, C n]``.
    """

    seen: Seen
    time: tuple[Tensor, Tensor]
    error: Tensor
    mask: Tensor
    factor: Tensor

    def multiply(self, v: Tensor) -> Tensor:
        """Apply the matrix to ``[M, S C n]``."""
        stamps = v.view(len(v), self.time[0].shape[1], -1)
        series = torch.einsum("kab,mbk->mak", self.time[0], stamps @ self.seen.eofs.T)
        channels = self.seen.channels
        cells = stamps.view(*stamps.shape[:2], channels, -1)
        time, free = (v.view(channels, -1, *v.shape[1:]) for v in (self.time[1], self.seen.free))
        rest = torch.zeros_like(cells)
        for band in range(time.shape[1]):
            rest += torch.einsum("cab,mbcn,cni->maci", time[:, band], cells, free[:, band])
        return (series @ self.seen.eofs + rest.flatten(2)).flatten(1) * self.mask + self.error * v

    def precondition(self, v: Tensor) -> Tensor:
        """Solve each stamp by itself."""
        stamps = v.view(len(v) * self.time[0].shape[1], -1)
        solved = torch.cholesky_solve(stamps.T, self.factor).T
        return solved.reshape(v.shape) * self.mask

    def solve(self, right: Tensor, tolerance: float = 1e-6, most: int = 80) -> Tensor:
        """Solve for ``[M, S C n]`` until every residual has shrunk by `tolerance`."""
        r, u = right * self.mask, torch.zeros_like(right)
        wanted = tolerance * r.norm(dim=1).clamp_min(1e-30)
        z = self.precondition(r)
        p, rz = z, (r * z).sum(1, keepdim=True)
        for _ in range(most):
            if bool((r.norm(dim=1) <= wanted).all()):
                break
            image = self.multiply(p)
            alpha = rz / (p * image).sum(1, keepdim=True).clamp_min(1e-300)
            u, r = u + alpha * p, r - alpha * image
            z = self.precondition(r)
            new = (r * z).sum(1, keepdim=True)
            p, rz = z + new / rz.clamp_min(1e-300) * p, new
        return u


def middle_factor(seen: Seen, time: tuple[Tensor, Tensor], error: Tensor) -> Tensor:
    """Cholesky factor of the middle stamp by itself ``[C n, C n]``."""
    at = slice(time[0].shape[1] // 2, time[0].shape[1] // 2 + 1)
    alone = through_eofs(time[0][:, at, at], seen, seen)
    for place, block in enumerate(seen.free):
        c = place * seen.channels // len(seen.free)
        own = slice(c * seen.size, (c + 1) * seen.size)
        alone[own, own] += time[1][place, at, at] * block
    alone.diagonal().add_(error.view(time[0].shape[1], -1)[at.start])
    return factored(alone, 1e-6 * float(alone.diagonal().mean()))

"""The covariance of x_0 given x_t under the fitted linear-Gaussian climate, seen through the observation.

The climate is independent along orthogonal axes: each EOF (and, per variable, each direction that no EOF explains)
has its own stationary series with principal axes in time. White noise of variance sigma^2 leaves these axes alone
and turns each variance v into v sigma^2 / (v + sigma^2). So C_t = (Sigma^-1 + I / sigma^2)^-1 is known in
closed form, and H C_t H^T + R is a small matrix that depends on the noise level and on what is observed, not on
the state: one factor serves all members and, on a regular clock, all blocks of time.
"""

import math
from collections import OrderedDict
from typing import Protocol

import torch
from torch import Tensor

from finescale.guidance.iterative import System, middle_factor
from finescale.guidance.observation import Segment, Source
from finescale.prior.gaussian import GaussianClimate

# Bytes of factors that are kept: those of the middle of a series serve again and again.
KEPT = 600 * 2**20
KERNELS = 40


class Covariance(Protocol):
    """What a Gaussian guidance must know of C_t."""

    def solve(self, segment: Segment, frames: int, sigma: float, r: Tensor) -> Tensor:
        """Return u = (H C_t H^T + R)^-1 r for residuals ``[M, n]``."""
        ...

    def spread(self, segment: Segment, u: Tensor, like: Tensor, sigma: float, own: slice) -> Tensor:
        """Return the wanted frames of C_t H^T u, for a stretch of the shape of `like` ``[M, T, C, H, W]``."""
        ...


class ClimateCovariance:
    """C_t of a `GaussianClimate`; sigma may be infinite, then C_t is the climate's own covariance.

    Systems of up to `dense` observations are factored once a noise level and pattern; larger ones are solved by
    conjugate gradients, whose products need no matrix of that size.
    """

    def __init__(self, climate: GaussianClimate, jitter: float = 1e-6, dense: int = 2600) -> None:
        self.climate, self.jitter, self.dense = climate, jitter, dense
        self._factors: OrderedDict[tuple[object, ...], Tensor] = OrderedDict()
        self._eofs: Tensor = climate.eofs.double()
        self._times: OrderedDict[tuple[object, ...], list[Tensor]] = OrderedDict()
        self._systems: OrderedDict[tuple[object, ...], tuple[tuple[Tensor, Tensor], Tensor, Tensor]] = (
            OrderedDict()
        )
        self._seen: dict[int, tuple[Source, Tensor, Tensor]] = {}

    def solve(self, segment: Segment, frames: int, sigma: float, r: Tensor) -> Tensor:
        """Return u = (H C_t H^T + R)^-1 r for residuals ``[M, n]``; masked entries stay zero."""
        if segment.size > self.dense and len(segment.parts) == 1:
            return self._system(segment, frames, sigma).solve(r.double()).to(r)
        key = (segment.pattern, frames, sigma)
        if key not in self._factors:
            self._factors[key] = self._factor(segment, frames, sigma)
            while len(self._factors) > 1 and sum(f.nbytes for f in self._factors.values()) > KEPT:
                self._factors.popitem(last=False)
        self._factors.move_to_end(key)
        right = (r * segment.mask).T.double()
        solved = torch.cholesky_solve(right, self._factors[key])
        out: Tensor = solved.T.to(r) * segment.mask
        return out

    def spread(self, segment: Segment, u: Tensor, like: Tensor, sigma: float, own: slice) -> Tensor:
        """Return the wanted frames of C_t H^T u.

        Time and space are separate along each axis of the climate, so the series of the EOFs come from the few
        observed values, and only the wanted frames are ever built as fields.
        """
        climate, modes = self.climate, len(self.climate.variance)
        kernels = self._kernels(segment, like.shape[1], sigma, own)
        white = torch.zeros_like(like[:, own])
        series: Tensor | float = 0.0
        for (source, _), kernel, piece in zip(segment.parts, kernels, segment.split(u), strict=True):
            kernel, piece = kernel.to(like), piece.to(like)
            seen = self._source(source)[0].to(like)
            observed = (piece.flatten(-2) @ seen.T).permute(2, 1, 0)
            series = series + (kernel[:modes] @ observed).permute(2, 1, 0)
            channels = list(source.channels)
            rest = torch.einsum("cts,mscn->mtcn", kernel[modes:][channels], piece)
            white[:, :, channels] += source.space.adjoint(rest)
        out: Tensor = (white + climate.reconstruct(series - climate.project(white))) * climate.mask
        return out

    def _kernels(self, segment: Segment, frames: int, sigma: float, own: slice) -> list[Tensor]:
        """For each product, covariance in time of every axis between wanted frames and stamps ``[K + C, own, S]``."""
        key = (segment.layout, frames, sigma, own.start, own.stop)
        if key not in self._times:
            axes, left = self._waves(frames, sigma)
            ahead = axes[:, own] * left[:, None]
            self._times[key] = [
                torch.einsum("kti,st,kui->kus", axes, view.time, ahead).float() for _, view in segment.parts
            ]
            while len(self._times) > KERNELS:
                self._times.popitem(last=False)
        self._times.move_to_end(key)
        return self._times[key]

    def _system(self, segment: Segment, frames: int, sigma: float) -> System:
        key = (segment.layout, frames, sigma)
        source, view = segment.parts[0]
        seen, free = self._source(source)
        if key not in self._systems:
            axes, left = self._waves(frames, sigma)
            mine = torch.einsum("at,kti->kai", view.time, axes)
            time = torch.einsum("kai,ki,kbi->kab", mine, left, mine)
            modes = len(self.climate.variance)
            pair = (time[:modes], time[modes:][list(source.channels)])
            scale = (seen.square() * pair[0].diagonal(dim1=1, dim2=2).mean(1)[:, None]).sum(0).mean()
            error = source.error.double()[None, :, None].expand(len(view.time), -1, source.space.size)
            error = error.flatten() + self.jitter * scale
            self._systems[key] = (pair, error, middle_factor(seen, free, pair, error))
            while len(self._systems) > KERNELS:
                self._systems.popitem(last=False)
        pair, error, factor = self._systems[key]
        return System(seen, free, pair, error, segment.mask.double(), factor)

    def _waves(self, frames: int, sigma: float) -> tuple[Tensor, Tensor]:
        axes, variance = (v.double() for v in self.climate.waves(frames))
        return axes, variance if math.isinf(sigma) else variance * sigma**2 / (variance + sigma**2)

    def _source(self, source: Source) -> tuple[Tensor, Tensor]:
        """What a product sees of each EOF ``[K, C * n]`` and of the space without EOFs ``[C, n, n]``."""
        if id(source) not in self._seen:
            channels = list(source.channels)
            eofs = source.space.apply(self._eofs[:, channels])
            white = self.climate.mask[channels].double()
            rows = source.space.adjoint(torch.eye(source.space.size, dtype=torch.float64))
            free = torch.einsum("ahw,chw,bhw->cab", rows, white, rows)
            for i, c in enumerate(channels):
                seen = source.space.apply(self.climate.patterns[self.climate.owner == c].double())
                free[i] -= seen.T @ seen
            # The source is kept beside its matrices so that its id cannot be taken by another.
            self._seen[id(source)] = (source, eofs.flatten(1), free)
        return self._seen[id(source)][1:]

    def _factor(self, segment: Segment, frames: int, sigma: float) -> Tensor:
        axes, left = self._waves(frames, sigma)
        modes, rows = len(self.climate.variance), []
        for source, view in segment.parts:
            eofs, free = self._source(source)
            mine = torch.einsum("at,kti->kai", view.time, axes)
            row = []
            for other, look in segment.parts:
                theirs = torch.einsum("at,kti->kai", look.time, axes)
                time = torch.einsum("kai,ki,kbi->kab", mine, left, theirs)
                seen = self._source(other)[0]
                block = _outer(time[:modes], eofs, seen, other is source)
                if other is source:
                    block += _diagonal(time[modes:][list(source.channels)], free)
                elif shared := set(source.channels) & set(other.channels):
                    block += self._cross(source, other, time[modes:], shared)
                row.append(block)
            rows.append(torch.cat(row, 1))
        matrix = torch.cat(rows)
        matrix = (matrix + matrix.T) / 2
        scale = matrix.diagonal().mean()
        matrix.diagonal().add_(segment.error.double() + self.jitter * scale)
        off = ~segment.mask
        matrix[off], matrix[:, off] = 0, 0
        matrix.diagonal()[off] = 1
        factor: Tensor = torch.linalg.cholesky(matrix)
        return factor

    def _cross(self, source: Source, other: Source, time: Tensor, shared: set[int]) -> Tensor:
        """Covariance of two products through the part of the state that no EOF explains."""
        rows, columns = (
            s.space.adjoint(torch.eye(s.space.size, dtype=torch.float64)) for s in (source, other)
        )
        shape = (
            time.shape[1],
            len(source.channels),
            len(rows),
            time.shape[2],
            len(other.channels),
            len(columns),
        )
        out = torch.zeros(shape, dtype=torch.float64)
        for c in shared:
            patterns = self.climate.patterns[self.climate.owner == c].double()
            free = torch.einsum("ahw,hw,bhw->ab", rows, self.climate.mask[c].double(), columns)
            free -= source.space.apply(patterns).T @ other.space.apply(patterns)
            piece = torch.einsum("st,ab->satb", time[c], free)
            out[:, source.channels.index(c), :, :, other.channels.index(c)] += piece
        return out.flatten(0, 2).flatten(1)


def _outer(time: Tensor, left: Tensor, right: Tensor, symmetric: bool) -> Tensor:
    """Sum over k of time[k] ``[A, B]`` kron (left[k] right[k]^T): ``[A * n, B * m]``."""
    (_, a, b), n, m = time.shape, left.shape[1], right.shape[1]
    out = torch.empty(a, n, b, m, dtype=time.dtype)
    for i in range(a):
        for j in range(i if symmetric else 0, b):
            out[i, :, j] = (left * time[:, i, j, None]).T @ right
            if symmetric:
                out[j, :, i] = out[i, :, j].T
    return out.reshape(a * n, b * m)


def _diagonal(time: Tensor, free: Tensor) -> Tensor:
    """Covariance that couples no two variables: time ``[C, A, B]``, free ``[C, n, n]``: ``[A C n, B C n]``."""
    (c, a, b), n = time.shape, free.shape[-1]
    out = torch.zeros(a, c, n, b, c, n, dtype=time.dtype)
    for i in range(c):
        out[:, i, :, :, i] = torch.einsum("st,ab->satb", time[i], free[i])
    return out.reshape(a * c * n, b * c * n)

"""The covariance of x_0 given x_t under the fitted linear-Gaussian climate, seen through the observation.

The climate is independent along orthogonal axes: each EOF (and, per band of waves, each direction that no EOF explains)
has its own stationary series with principal axes in time. White noise of variance sigma^2 leaves these axes alone
and turns each variance v into v sigma^2 / (v + sigma^2). So C_t = (Sigma^-1 + I / sigma^2)^-1 is known in
closed form, and H C_t H^T + R is a small matrix that depends on the noise level and on what is observed, not on
the state: one factor serves all members and, on a regular clock, all blocks of time.
"""

import math
from threading import Lock
from typing import Protocol
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor

from finescale.fields.kept import Kept
from finescale.guidance.factor import factored
from finescale.guidance.iterative import System, middle_factor
from finescale.guidance.moving import MovingModes, moving_of
from finescale.guidance.observation import Segment, Source
from finescale.guidance.seen import Seen, through_bands, through_eofs
from finescale.prior.autoregression import toeplitz
from finescale.prior.gaussian import GaussianClimate

# Bytes of factors that are kept: those of the middle of a series serve again and again.
KEPT = 600 * 2**20
KERNELS = 40
Key = tuple[object, ...]
_SHARED: "WeakValueDictionary[int, ClimateCovariance]" = WeakValueDictionary()
_LOCK = Lock()


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
        self._factors: Kept[Key, Tensor] = Kept(KEPT, lambda factor: factor.nbytes)
        self._times: Kept[Key, list[Tensor]] = Kept(KERNELS)
        self._systems: Kept[Key, tuple[tuple[Tensor, Tensor], Tensor, Tensor]] = Kept(KERNELS)
        self._seen: Kept[bytes, Seen] = Kept(KERNELS)

    def solve(self, segment: Segment, frames: int, sigma: float, r: Tensor) -> Tensor:
        """Return u = (H C_t H^T + R)^-1 r for residuals ``[M, n]``; masked entries stay zero."""
        if segment.size > self.dense and len(segment.parts) == 1:
            return self._system(segment, frames, sigma).solve(r.double()).to(r)
        factor = self._factors((segment.pattern, frames, sigma), lambda: self._factor(segment, frames, sigma))
        right = (r * segment.mask).T.double()
        solved = torch.cholesky_solve(right, factor)
        out: Tensor = solved.T.to(r) * segment.mask
        return out

    def spread(self, segment: Segment, u: Tensor, like: Tensor, sigma: float, own: slice) -> Tensor:
        """Return the wanted frames of C_t H^T u.

        Time and space are separate along each axis of the climate, so the series of the EOFs come from the few
        observed values, and only the wanted frames are ever built as fields.
        """
        climate, modes = self.climate, len(self.climate.variance)
        kernels, moving = self._kernels(segment, like.shape[1], sigma, own), self._together(segment)
        frames = own.stop - own.start
        parts = [like.new_zeros(len(u), frames, g.span.stop - g.span.start) for g in climate.groups]
        series = like.new_zeros(len(u), frames, modes)
        for (source, view), kernel, piece in zip(segment.parts, kernels, segment.split(u), strict=True):
            kernel, piece, seen = kernel.to(like), piece.to(like), self._source(source)
            observed = (piece.flatten(-2) @ seen.eofs.to(like).T).permute(2, 1, 0)
            series = series + (kernel[:modes] @ observed).permute(2, 1, 0)
            if moving:
                series[..., : moving.count] += moving.series(sigma, observed, view.time, own)
            for number, waves in zip(seen.groups, seen.waves, strict=True):
                c = source.channels.index(climate.groups[number].variable)
                parts[number] += (kernel[modes + number] @ piece[:, :, c]) @ waves.to(like)
        y = series @ climate.rotation.T
        for part, g in zip(parts, climate.groups, strict=True):
            part += y[..., g.rows] @ climate.patterns[g.rows, g.span]
        out: Tensor = climate.bands.inverse(climate.joined(parts)) * climate.mask
        return out

    def _kernels(self, segment: Segment, frames: int, sigma: float, own: slice) -> list[Tensor]:
        """For each product, covariance in time of every axis between wanted frames and stamps ``[K + G, own, S]``."""

        def make() -> list[Tensor]:
            wanted, moving = torch.eye(frames, dtype=torch.float64)[own], self._together(segment)
            found = [self._time(frames, sigma, wanted, view.time) for _, view in segment.parts]
            if moving:
                for time in found:
                    time[: moving.count] = 0
            return [time.float() for time in found]

        return self._times((segment.layout, frames, sigma, own.start, own.stop), make)

    def _system(self, segment: Segment, frames: int, sigma: float) -> System:
        source, view = segment.parts[0]
        seen = self._source(source)

        def make() -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
            time, modes = self._time(frames, sigma, view.time, view.time), len(self.climate.variance)
            pair = (time[:modes], time[modes:][seen.groups])
            scale = (seen.eofs.square() * pair[0].diagonal(dim1=1, dim2=2).mean(1)[:, None]).sum(0).mean()
            error = source.error.double()[None, :, None].expand(len(view.time), -1, source.space.size)
            error = error.flatten() + self.jitter * scale
            return pair, error, middle_factor(seen, pair, error)

        pair, error, factor = self._systems((segment.layout, frames, sigma), make)
        return System(seen, pair, error, segment.mask.double(), factor)

    def _time(self, frames: int, sigma: float, left: Tensor, right: Tensor) -> Tensor:
        """C_t of the series of every axis between weighted hours ``[A, T]`` and ``[B, T]``: ``[K + G, A, B]``."""
        if math.isinf(sigma):
            climate = self.climate
            rho = np.concatenate([climate.autocovariance(frames), climate.residual_autocovariance(frames)])
            return left @ torch.from_numpy(toeplitz(rho)) @ right.T
        axes, variance = (v.double() for v in self.climate.waves(frames))
        kept = variance * sigma**2 / (variance + sigma**2)
        return (left @ axes * kept[:, None]) @ (right @ axes).mT

    def _together(self, segment: Segment) -> MovingModes | None:
        """The leading EOFs at all lags, where the climate knows them together and the system is factored.

        A larger system takes them one by one. Draws that are conditioned through it keep their law and differ from
        their mean as the mean does from the truth; the mean is less good.
        """
        if segment.size > self.dense:
            return None
        return moving_of(self.climate, segment.parts[0][1].stop - segment.parts[0][1].first)

    def _source(self, source: Source) -> Seen:
        """What a product sees of the climate."""
        return self._seen(source.kind, lambda: Seen.of(source, self.climate))

    def _factor(self, segment: Segment, frames: int, sigma: float) -> Tensor:
        moving = self._together(segment)
        modes, lead, rows = len(self.climate.variance), moving.count if moving else 0, []
        for source, view in segment.parts:
            here = self._source(source)
            row = []
            for other, look in segment.parts:
                time = self._time(frames, sigma, view.time, look.time)
                there = self._source(other)
                block = through_eofs(time[lead:modes], here, there, lead)
                if moving:
                    block += moving.seen(sigma, here, view.time, there, look.time)
                block += through_bands(time[modes:], here, there)
                row.append(block)
            rows.append(torch.cat(row, 1))
        matrix = torch.cat(rows)
        scale = matrix.diagonal().mean()
        matrix.diagonal().add_(segment.error.double() + self.jitter * scale)
        if not bool(segment.mask.all()):
            off = ~segment.mask
            matrix[off], matrix[:, off] = 0, 0
            matrix.diagonal()[off] = 1
        return factored(matrix, self.jitter * float(scale))


def covariance_of(climate: GaussianClimate) -> ClimateCovariance:
    """The one that all requests of a climate share while there are any: it goes, with its factors, with the last."""
    with _LOCK:
        # What is alive holds its climate, so no other can have that id.
        found = _SHARED.get(id(climate))
        if found is None:
            found = _SHARED[id(climate)] = ClimateCovariance(climate)
        return found

"""The leading EOFs together over long series: weather that moves is two EOFs in turn, so their lags are correlated.

Together they are stationary, so on a ring of hours every frequency is a small Hermitian matrix by itself
and white noise turns each of its variances v into v sigma^2 / (v + sigma^2). The ring is longer than weather remembers;
what it neglects is that a series has two ends.
"""

import math
from collections.abc import Callable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from finescale.fields.kept import Kept
from finescale.guidance.seen import Seen
from finescale.prior.gaussian import GaussianClimate

# Hours of the shortest ring: half way round, weather must have forgotten itself, for what it still knows there is an
# edge that makes it rough everywhere. And the share of a ring that a stretch may fill: beyond it, both ends would meet.
RING, SHARE = 384, 2
LEAD = 128
# Hours of which stretches are counted as a whole number, and noise levels whose covariances are kept.
STRETCH, KEPT = 72, 16
_KNOWN: WeakKeyDictionary[GaussianClimate, dict[int, "MovingModes"]] = WeakKeyDictionary()


def ring_of(frames: int) -> int:
    """Hours of the ring for a stretch: one of few lengths."""
    return RING * max(1, math.ceil(SHARE * frames / RING))


def moving_of(climate: GaussianClimate, frames: int = 0) -> "MovingModes | None":
    """Those of a climate, found once for a length of ring; None where each EOF is alone."""
    if not climate.cross.shape[1]:
        return None
    known = _KNOWN.setdefault(climate, {})
    if (ring := ring_of(frames)) not in known:
        known[ring] = MovingModes(climate.lead_covariances, frames)
    return known[ring]


class MovingModes:
    """C_t of the leading EOFs of a climate at all lags.

    Args:
        covariances: at lags 0 .. n - 1 of any n ``[n, J, J]``.
        frames: hours of the longest stretch.
    """

    def __init__(self, covariances: Callable[[int], Tensor], frames: int) -> None:
        self.ring = ring_of(frames)
        lags = covariances(self.ring // 2 + 1)[:, :LEAD, :LEAD]
        self.count = lags.shape[1]
        # The lag of half a ring is both ahead and behind.
        half = (lags[-1:] + lags[-1:].mT) / 2
        around = torch.cat([lags[:-1], half, lags[1:-1].flip(0).mT])
        power = torch.fft.rfft(around, dim=0)
        values, vectors = torch.linalg.eigh((power + power.mH) / 2)
        self._values = values.clamp_min(0)
        real, imaginary = (part.float() for part in (vectors.real, vectors.imag))
        self._left = torch.cat([real + imaginary, imaginary - real], 2)
        self._right = torch.cat([real, imaginary], 2)
        self._known: Kept[tuple[float, int], Tensor] = Kept(KEPT)

    def average(self, sigma: float) -> Tensor:
        """Matrices ``[ring, J, J]`` whose moving average of white noise has the covariance C_t; the middle is lag 0."""
        return self._around(self._kept(sigma).sqrt(), self.ring // 2)[:-1]

    def lags(self, sigma: float, frames: int) -> Tensor:
        """C_t between hours less than so many frames apart ``[2 frames - 1, J, J]``; the middle is lag 0."""
        # Stretches at the ends of a series are shorter than those between: what is found for one serves the other.
        reach = STRETCH * math.ceil(frames / STRETCH)
        around = self._known((sigma, reach), lambda: self._around(self._kept(sigma), reach))
        return around[reach - frames + 1 : reach + frames]

    def _kept(self, sigma: float) -> Tensor:
        """Variances at all frequencies of what noise hides ``[F, J]``."""
        v = self._values
        kept: Tensor = v if math.isinf(sigma) else v * sigma**2 / (v + sigma**2)
        return kept

    def _around(self, values: Tensor, reach: int) -> Tensor:
        """Matrices at lags -reach .. reach of the spectrum S that has other eigenvalues ``[F, J]``.

        S is Hermitian, so Re S + Im S is all of it, and the matrix at a lag is the transpose of that at its opposite.
        """
        values = values.to(self._left)
        whole = self._left * torch.cat([values, values], 1)[:, None] @ self._right.mT
        turns = torch.outer(torch.arange(reach + 1), torch.arange(len(values))) % self.ring
        angle = turns * (2 * math.pi / self.ring)
        share = torch.full((len(values),), 2 / self.ring, dtype=torch.float64)
        share[[0, -1]] /= 2
        waves = torch.cat([angle.cos() - angle.sin(), angle.cos() + angle.sin()]) * share / 2
        one, other = (waves.to(whole) @ whole.flatten(1)).view(2, reach + 1, *whole.shape[1:])
        ahead = one + other.mT
        return torch.cat([ahead[1:].flip(0).mT, ahead])

    def seen(self, sigma: float, here: Seen, rows: Tensor, there: Seen, columns: Tensor) -> Tensor:
        """Its covariance through two products ``[A C n, B C m]``; weights of hours ``[A, T]``, ``[B, T]``."""
        frames = rows.shape[1]
        lags, gaps = self.lags(sigma, frames), torch.arange(frames)[:, None] - torch.arange(frames)
        left, right = (s.eofs[: self.count] for s in (here, there))
        out = left.new_empty(len(rows), left.shape[1], len(columns), right.shape[1])
        known: dict[bytes, Tensor] = {}
        for a, row in enumerate(rows):
            for b, column in enumerate(columns):
                weights = left.new_zeros(len(lags))
                weights.index_add_(0, (gaps + frames - 1).flatten(), torch.outer(row, column).flatten())
                # On a regular clock most pairs of stamps are as far apart as others.
                name = weights.numpy().tobytes()
                if name not in known:
                    used = weights.nonzero()[:, 0]
                    known[name] = (
                        left.T @ torch.einsum("g,gjk->jk", weights[used], lags[used].double()) @ right
                    )
                out[a, :, b] = known[name]
        found: Tensor = out.reshape(len(rows) * left.shape[1], -1)
        return found

    def series(self, sigma: float, observed: Tensor, columns: Tensor, own: slice) -> Tensor:
        """C_t applied to weighted stamps: ``observed [K, S, M]`` with hours ``columns [S, T]`` to ``[M, own, J]``."""
        frames, length = columns.shape[1], own.stop - own.start
        lags = self.lags(sigma, frames).to(observed)
        out = observed.new_zeros(length * self.count, observed.shape[2])
        for stamp, row in enumerate(columns):
            for hour in row.nonzero()[:, 0].tolist():
                first = frames - 1 + own.start - hour
                ahead = lags[first : first + length].flatten(0, 1)
                out.addmm_(ahead, float(row[hour]) * observed[: self.count, stamp])
        return out.view(length, self.count, -1).permute(2, 0, 1)

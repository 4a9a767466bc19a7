"""How the leading EOFs depend on one another in time: weather that moves is two EOFs in turn.

A vector autoregression gives covariances at every lag; the covariance matrix of a window is then diagonalised once,
and its Wiener filter costs two matrix products.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]
# Of an axis' variance and the noise level: what its amplitude is multiplied by.
Gain = Callable[[Tensor, Tensor], Tensor]
# Order of the vector autoregression of the leading EOFs: 4 draws the demo's weather better than 2, and 8 no better.
TOGETHER = 4
_RIDGE = 1e-4
# How far from covariances that are sure to be possible towards those that are wished.
_SHARES = (1.0, 0.95, 0.9, 0.8, 0.6, 0.4, 0.2)


def kept(variance: Tensor, sigma: Tensor) -> Tensor:
    """What the Wiener filter keeps of a noisy amplitude."""
    return variance / (variance + sigma**2)


def lost(variance: Tensor, sigma: Tensor) -> Tensor:
    """Standard deviation of what the noise hides of an amplitude."""
    return sigma * kept(variance, sigma).sqrt()


def lag_covariances(lagged: Array, lags: int) -> Array:
    """Covariances of a vector autoregression of order q.

    Args:
        lagged: sample covariances ``E[z_t z_{t-h}^T]`` at lags h = 0 .. q, ``[q + 1, J, J]``.
        lags: lags wanted.

    Returns:
        ``[lags, J, J]``: the sample's own at lags below q, then the recursion, which has fewer free numbers
        than the sample covariances at long lags.
    """
    order = len(lagged) - 1
    past = _backwards(lagged[:order])
    past += _RIDGE * np.diag(np.diag(past))
    steps = np.split(np.linalg.solve(past, np.concatenate([part.T for part in lagged[1:]])).T, order, axis=1)
    out = list(lagged[:order])
    while len(out) < lags:
        out.append(sum(step @ before for step, before in zip(steps, reversed(out), strict=False)))
    return np.stack(out[:lags])


def possible(wished: Array, sure: Array) -> Array:
    """The covariances nearest to ``wished`` that some process can have, on the way to ``sure``, which one has.

    Both are ``[q + 1, J, J]`` at lags 0 .. q, equal at lag 0. A stable autoregression has them if q + 1 frames in a
    row have a positive covariance matrix.
    """
    scale = np.sqrt(np.maximum(np.diag(sure[0]), 1e-30))
    for share in _SHARES:
        mixed = share * wished + (1 - share) * sure
        try:
            np.linalg.cholesky(_backwards(mixed / scale[:, None] / scale))
        except np.linalg.LinAlgError:
            continue
        return np.asarray(mixed)
    return sure


def between(lags: Tensor, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
    """Covariance of series at times `rows` with those at `columns`, ``[R * J, C * J]``, from that at all lags."""
    blocks = [[lags[t - s] if t >= s else lags[s - t].T for s in columns] for t in rows]
    return torch.cat([torch.cat(row, 1) for row in blocks])


def _backwards(lagged: Array) -> Array:
    """Covariance of as many frames in a row as there are lags, the latest first."""
    past = range(0, -len(lagged), -1)
    return between(torch.from_numpy(lagged), past, past).numpy()


@dataclass(frozen=True)
class JointWaves:
    """Principal axes of a window of all leading EOFs together.

    Attributes:
        axes: orthogonal, columns are axes, ``[T * J, T * J]``.
        variance: ``[T * J]``.
    """

    axes: Tensor
    variance: Tensor

    @classmethod
    def of(cls, cross: Tensor, frames: int) -> "JointWaves":
        """Diagonalise the covariance of ``frames`` frames; ``cross [lags, J, J]`` with lags >= frames."""
        square = between(cross, range(frames), range(frames))
        variance, axes = torch.linalg.eigh((square + square.T) / 2)
        return cls(axes.contiguous(), variance.clamp_min(0))

    def filter(self, z: Tensor, sigma: Tensor, gain_of: Gain) -> Tensor:
        """Multiply the axes of ``z [B, T, J]`` at ``sigma`` (``[B]`` or scalar) by their gain."""
        gain = gain_of(self.variance, sigma.reshape(-1, 1))
        return ((z.flatten(1) @ self.axes) * gain @ self.axes.T).view_as(z)

    @cached_property
    def _shares(self) -> Tensor:
        """Of each axis, what falls to each EOF at each frame ``[T * J, T * J]``."""
        return self.axes.T.square()

    def posterior(self, sigma: Tensor, frames: int) -> Tensor:
        """Error variance of each EOF at each frame, ``[B, T, J]``."""
        level = sigma.reshape(-1, 1)
        left = kept(self.variance, level) @ self._shares * level**2
        return left.view(len(left), frames, -1)

"""How the leading EOFs depend on one another in time: weather that moves is two EOFs in turn.

A vector autoregression of order 2 gives covariances at every lag of a window; the window's covariance matrix
is then diagonalised once, and its Wiener filter costs two matrix products.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]
# Of an axis' variance and the noise level: what its amplitude is multiplied by.
Gain = Callable[[Tensor, Tensor], Tensor]
_RIDGE = 1e-4


def kept(variance: Tensor, sigma: Tensor) -> Tensor:
    """What the Wiener filter keeps of a noisy amplitude."""
    return variance / (variance + sigma**2)


def lost(variance: Tensor, sigma: Tensor) -> Tensor:
    """Standard deviation of what the noise hides of an amplitude."""
    return sigma * kept(variance, sigma).sqrt()


def lag_covariances(lagged: Array, lags: int) -> Array:
    """Covariances of a second-order vector autoregression.

    Args:
        lagged: sample covariances ``E[z_t z_{t-h}^T]`` at lags h = 0, 1, 2, ``[3, J, J]``.
        lags: lags wanted.

    Returns:
        ``[lags, J, J]``: the sample's own at lags 0 and 1, then the recursion, which has fewer free numbers
        than the sample covariances at long lags.
    """
    zero, one, two = lagged
    past = np.block([[zero, one], [one.T, zero]])
    past += _RIDGE * np.diag(np.diag(past))
    step = np.linalg.solve(past, np.concatenate([one.T, two.T])).T
    first, second = np.split(step, 2, axis=1)
    out = [zero, one]
    while len(out) < lags:
        out.append(first @ out[-1] + second @ out[-2])
    return np.stack(out[:lags])


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
        lead = cross.shape[1]
        covariance = cross.new_empty(frames, lead, frames, lead)
        for i in range(frames):
            for j in range(frames):
                covariance[i, :, j] = cross[i - j] if i >= j else cross[j - i].T
        square = covariance.view(frames * lead, frames * lead)
        variance, axes = torch.linalg.eigh((square + square.T) / 2)
        return cls(axes.contiguous(), variance.clamp_min(0))

    def filter(self, z: Tensor, sigma: Tensor, gain_of: Gain) -> Tensor:
        """Multiply the axes of ``z [B, T, J]`` at ``sigma`` (``[B]`` or scalar) by their gain."""
        gain = gain_of(self.variance, sigma.reshape(-1, 1))
        return ((z.flatten(1) @ self.axes) * gain @ self.axes.T).view_as(z)

    def posterior(self, sigma: Tensor, frames: int) -> Tensor:
        """Error variance of each EOF at each frame, ``[B, T, J]``."""
        level = sigma.reshape(-1, 1)
        left = kept(self.variance, level) @ self.axes.T.square() * level**2
        return left.view(len(left), frames, -1)

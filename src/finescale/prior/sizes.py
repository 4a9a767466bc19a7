"""How large anomalies are from day to day: weather as a scale mixture of Gaussians, x = mean + s x'.

The logarithm of s^2 follows the year, and wanders about it: a Gaussian x' has a kurtosis of 3, x has E s^4 / (E s^2)^2
times as much, and that tells how far (West 1987, Biometrika 74, 646-648). The covariance of a climate is that of x' and
of x alike. Coarse data say of a day's own activity more than that (`guidance.activity`).
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from finescale.prior.climatology import Harmonics

Array = NDArray[np.float64]
SCORINGS = 10


class Sizes:
    """Gathers both from all anomalies, which it is shown twice.

    Args:
        clock: fractions of year and day of all frames ``[T, 2]``.
        harmonics: of the year.
        mask: valid cells ``[C, H, W]``.
    """

    def __init__(self, clock: Tensor, harmonics: Harmonics, mask: NDArray[np.bool_]) -> None:
        self._basis, self._cells = harmonics.year(clock).double().numpy(), mask.sum(axis=(1, 2))
        self._energy, self._season = np.full((len(clock), len(mask)), np.nan), np.zeros((0, 0))
        self._second, self._fourth, self._frames = np.zeros(mask.shape), np.zeros(mask.shape), 0

    def see(self, rows: slice, a: NDArray[np.float32]) -> None:
        """Look at the anomalies of some frames ``[t, C, H, W]``, zero where there are none."""
        square = np.square(a)
        if not self._season.size:
            self._energy[rows] = square.sum(axis=(2, 3)) / self._cells
            return
        square /= np.exp(self._basis[rows] @ self._season)[:, :, None, None].astype(np.float32)
        self._second += square.sum(axis=0)
        self._fourth += np.square(square).sum(axis=0)
        self._frames += len(a)

    def season(self) -> NDArray[np.float32]:
        """From what was seen so far, harmonics of the logarithm of s^2 ``[1 + 2 n, C]``; the second look begins."""
        seen = np.isfinite(self._energy[:, 0])
        self._season = fit_season(self._energy[seen], self._basis[seen])
        return self._season.astype(np.float32)

    def wander(self) -> NDArray[np.float32]:
        """From the second look, the standard deviation of log s about its season ``[C]``."""
        square = np.square(self._second).sum(axis=(1, 2))
        ratio = self._frames * self._fourth.sum(axis=(1, 2)) / np.maximum(square, 1e-30) / 3
        return np.asarray(np.sqrt(np.log(np.maximum(ratio, 1)) / 4), np.float32)


def fit_season(energy: Array, basis: Array) -> Array:
    """Harmonics ``[P, C]`` of the logarithm of a variance whose mean over all frames is 1.

    The likeliest ones for mean squares that scatter in proportion to their mean: Fisher's scoring, from none.

    Args:
        energy: mean square of each frame's anomalies ``[T, C]``.
        basis: harmonics of the year ``[T, P]``.
    """
    season = np.zeros((basis.shape[1], energy.shape[1]))
    season[0] = np.log(np.maximum(energy.mean(axis=0), 1e-30))
    for _ in range(SCORINGS):
        season += np.linalg.lstsq(basis, energy / np.exp(basis @ season) - 1, rcond=None)[0]
    season[0] -= np.log(np.exp(basis @ season).mean(axis=0))
    return season

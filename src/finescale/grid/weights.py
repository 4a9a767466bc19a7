"""A horizontal map as a sparse matrix, and its use on fields with holes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """Shares of source cells in target cells.

    Attributes:
        matrix: [target cells, source cells], both flattened row by row; a row sums to the share of the target
            cell that the source covers.
        shape: rows and columns of the target.
    """

    matrix: sp.csr_array
    shape: tuple[int, int]

    @cached_property
    def covered(self) -> Floats:
        """Share of each target cell that the source covers [target cells, 1]."""
        return np.asarray(self.matrix.sum(axis=1))[:, None]

    def mean(self, x: Floats, coverage: float) -> Floats:
        """Average fields over the target cells, over what is not missing.

        Args:
            x: fields [k, ny, nx]; NaN is missing.
            coverage: least share of a target cell that must hold data; below it the cell is NaN.

        Returns:
            Fields [k, lat, lon].
        """
        columns = _columns(x)
        missing = np.isnan(columns)
        covered = self.covered
        if missing.any():
            columns[missing] = 0.0
            if (missing == missing[:, :1]).all():
                missing = missing[:, :1]  # One mask for all times, such as land: its cover is needed once.
            covered = self.matrix @ (~missing).astype(np.float64)
        # 1e-6 forgives the rounding of a cover that is exactly at the threshold.
        enough = covered >= coverage - 1e-6
        total = self.matrix @ columns
        total /= np.where(enough, covered, np.nan)
        return self._fields(total)

    def interpolate(self, x: Floats) -> Floats:
        """Interpolate fields [k, ny, nx]; NaN where a source value with weight is missing, and outside."""
        return self._fields((self.matrix @ _columns(x)) + np.where(self.covered < 0.5, np.nan, 0.0))

    def _fields(self, columns: Floats) -> Floats:
        return np.ascontiguousarray(columns.T).reshape(-1, *self.shape)


def _columns(x: Floats) -> Floats:
    # Fields side by side: the sparse product then runs over contiguous memory.
    return np.ascontiguousarray(x.reshape(len(x), -1).T)

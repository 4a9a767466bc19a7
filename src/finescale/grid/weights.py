"""A horizontal map as a sparse matrix, and its use on fields with holes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# About 2 MB of float64: a block of fields that stays in the cache between its passes.
BLOCK = 2**18


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

    def mean(self, x: Floats, coverage: float) -> Floats:
        """Average fields over the target cells, skipping what is missing and normalising by what is not.

        Args:
            x: fields [..., ny, nx]; NaN is missing.
            coverage: least share of a target cell that must hold data; below it the cell is NaN.

        Returns:
            Fields [..., lat, lon].
        """
        covered = np.asarray(self.matrix.sum(axis=1))[:, None]

        def block(columns: Floats) -> Floats:
            missing = np.isnan(columns)
            if not missing.any():
                return _share(self.matrix @ columns, covered, coverage)
            held = np.where(missing, 0.0, columns)
            if np.array_equal(missing, np.broadcast_to(missing[:, :1], missing.shape)):
                missing = missing[:, :1]  # One mask for all times, such as land: its cover is needed once.
            return _share(self.matrix @ held, self.matrix @ (~missing).astype(np.float64), coverage)

        return self._blocks(block, x)

    def interpolate(self, x: Floats) -> Floats:
        """Interpolate fields [..., ny, nx]; NaN where a source value with weight is missing, and outside."""
        outside = np.asarray(self.matrix.sum(axis=1))[:, None] < 0.5
        return self._blocks(lambda columns: np.where(outside, np.nan, self.matrix @ columns), x)

    def _blocks(self, func: Callable[[Floats], Floats], x: Floats) -> Floats:
        lead = x.shape[:-2]
        flat = x.reshape(-1, self.matrix.shape[1])
        out = np.empty((len(flat), self.matrix.shape[0]))
        step = max(1, BLOCK // flat.shape[1])
        for begin in range(0, len(flat), step):
            rows = slice(begin, begin + step)
            out[rows] = func(np.ascontiguousarray(flat[rows].T)).T
        return out.reshape(*lead, *self.shape)


def _share(total: Floats, covered: Floats, coverage: float) -> Floats:
    # 1e-6 forgives the rounding of cover that is exactly at the threshold.
    enough = covered >= coverage - 1e-6
    return np.where(enough, total / np.where(enough, covered, 1.0), np.nan)

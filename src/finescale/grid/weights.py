"""Horizontal maps as sparse matrices, and their use on fields with holes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


class Weights(Protocol):
    """Shares of source cells in target cells; the shares in a target cell sum to what the source covers of it."""

    def product(self, x: Floats) -> Floats:
        """Return the weighted sums [k, lat, lon] of fields [k, ny, nx]."""
        ...

    def crop(self) -> tuple[Ints, Ints, Self]:
        """Return the source rows and columns that have weight, and the weights of those alone."""
        ...


@dataclass(frozen=True)
class Separable:
    """Weights between regular grids: a product of one matrix along each axis.

    Attributes:
        lat: [target rows, source rows].
        lon: [target columns, source columns].
    """

    lat: sp.csr_array
    lon: sp.csr_array

    def product(self, x: Floats) -> Floats:
        """Return the weighted sums [k, lat, lon] of fields [k, ny, nx]."""
        k, ny, nx = x.shape
        # The summed axis leads and the fields come last: the sparse products run over contiguous memory.
        rows = self.lat @ np.ascontiguousarray(x.transpose(1, 2, 0)).reshape(ny, nx * k)
        turned = rows.reshape(-1, nx, k).transpose(1, 0, 2)
        cells = self.lon @ np.ascontiguousarray(turned).reshape(nx, -1)
        return np.ascontiguousarray(cells.reshape(self.lon.shape[0], -1, k).transpose(2, 1, 0))

    def crop(self) -> tuple[Ints, Ints, Separable]:
        """Return the source rows and columns that have weight, and the weights of those alone."""
        rows, columns = np.unique(self.lat.indices), np.unique(self.lon.indices)
        return rows, columns, Separable(_columns(self.lat, rows), _columns(self.lon, columns))


@dataclass(frozen=True)
class Cellwise:
    """Weights between any grids: one matrix from cells to cells, both counted row by row.

    Attributes:
        matrix: [target cells, source cells].
        source: rows and columns of the source.
        target: rows and columns of the target.
    """

    matrix: sp.csr_array
    source: tuple[int, int]
    target: tuple[int, int]

    def product(self, x: Floats) -> Floats:
        """Return the weighted sums [k, lat, lon] of fields [k, ny, nx]."""
        sums = self.matrix @ np.ascontiguousarray(x.reshape(len(x), -1).T)
        return np.ascontiguousarray(sums.T).reshape(-1, *self.target)

    def crop(self) -> tuple[Ints, Ints, Cellwise]:
        """Return the source rows and columns that have weight, and the weights of those alone."""
        used = np.zeros(self.source, dtype=bool)
        used.ravel()[self.matrix.indices] = True
        rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
        kept = (rows[:, None] * self.source[1] + columns).ravel()
        return rows, columns, Cellwise(_columns(self.matrix, kept), (rows.size, columns.size), self.target)


def mean(weights: Weights, x: Floats, covered: Floats, coverage: float) -> Floats:
    """Average fields over the target cells, over what is not missing.

    Args:
        weights: from the source to the target.
        x: fields [k, ny, nx]; NaN is missing.
        covered: share of each target cell that the source covers [1, lat, lon].
        coverage: least share of a target cell that must hold data; below it the cell is NaN.

    Returns:
        Fields [k, lat, lon].
    """
    missing = np.isnan(x)
    if missing.any():
        x = np.where(missing, 0.0, x)
        if (missing == missing[:1]).all():
            missing = missing[:1]  # One mask for all times, such as land: its cover is needed once.
        covered = weights.product((~missing).astype(np.float64))
    total = weights.product(x)
    # 1e-6 forgives the rounding of a cover that is exactly at the threshold.
    total /= np.where(covered >= coverage - 1e-6, covered, np.nan)
    return total


def interpolate(weights: Weights, x: Floats, covered: Floats) -> Floats:
    """Interpolate fields [k, ny, nx] to [k, lat, lon]; NaN where a value with weight is missing, and outside."""
    return weights.product(x) + np.where(covered < 0.5, np.nan, 0.0)


def _columns(matrix: sp.csr_array, kept: Ints) -> sp.csr_array:
    """The matrix without the columns that hold nothing, which is much faster than to index it."""
    place = np.zeros(matrix.shape[1], dtype=matrix.indices.dtype)
    place[kept] = np.arange(kept.size)
    entries = (matrix.data, place[matrix.indices], matrix.indptr)
    return sp.csr_array(entries, shape=(matrix.shape[0], kept.size))

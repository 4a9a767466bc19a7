"""What is kept of the fields while they stream by: points, projections, steps in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from finescale.scores import distance, series
from finescale.scores.bootstrap import Means

Pair = tuple[NDArray[np.floating], NDArray[np.floating]]


class Traces:
    """Gathers, block after block, what later scores need of the whole series."""

    def __init__(self, shape: tuple[int, int]) -> None:
        """Begin with nothing on a grid of so many rows and columns."""
        self._cells = series.point_cells(shape)
        self._directions = distance.directions(shape[0] * shape[1])
        self._points: list[Pair] = []
        self._clouds: list[Pair] = []
        self._last: Pair | None = None

    def add(self, x: NDArray[np.floating], o: NDArray[np.floating]) -> Means:
        """Take the next block in.

        Args:
            x: Members [M, T, lat, lon].
            o: Truth [T, lat, lon].

        Returns:
            `increment` and `true_increment` [T], the mean squared change since the hour before; the first hour of
            the series has none and gets that of the second.
        """
        flat = x.reshape(*x.shape[:2], -1), o.reshape(o.shape[0], -1)
        self._points.append((flat[0][..., self._cells], flat[1][..., self._cells]))
        self._clouds.append((flat[0] @ self._directions, flat[1] @ self._directions))
        before = self._last or (flat[0][:, :1], flat[1][:1])
        found = {
            "increment": _changes(before[0], flat[0]).mean(axis=0),
            "true_increment": _changes(before[1], flat[1]),
        }
        if self._last is None:
            for values in found.values():
                values[0] = values[min(1, values.size - 1)]
        self._last = flat[0][:, -1:].copy(), flat[1][-1:].copy()
        return found

    def points(self) -> Pair:
        """Series of members [M, T, P] and truth [T, P] at a few cells."""
        return _chained(self._points)

    def clouds(self, scale: float) -> Pair:
        """Projections of members [M, T, D] and truth [T, D], in units of the scale."""
        x, o = _chained(self._clouds)
        return x / scale, o / scale


def _changes(before: NDArray[np.floating], fields: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean squared change from hour to hour [..., T] of fields [..., T, cells]."""
    joined = np.concatenate([before, fields], axis=-2)
    return np.asarray(np.square(np.diff(joined, axis=-2), dtype=np.float64).mean(axis=-1))


def _chained(parts: list[Pair]) -> Pair:
    return np.concatenate([p[0] for p in parts], axis=1), np.concatenate([p[1] for p in parts], axis=0)

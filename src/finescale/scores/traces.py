"""What is kept of the fields while they stream by: points, projections, the cycle of the day, steps in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from finescale.scores import distance, series
from finescale.scores.bootstrap import Means

Pair = tuple[NDArray[np.floating], NDArray[np.floating]]


class Traces:
    """Gathers, block after block, what later scores need of the whole series."""

    def __init__(self, shape: tuple[int, int], clock: NDArray[np.int64]) -> None:
        """Begin with nothing.

        Args:
            shape: Rows and columns of the grid.
            clock: Hour of the day of every hour of the series [T].
        """
        self._cells = series.point_cells(shape)
        self._directions = distance.directions(shape[0] * shape[1])
        self._clock = clock
        self._seen = 0
        self._points: list[Pair] = []
        self._clouds: list[Pair] = []
        self._sums = (np.zeros((24, shape[0] * shape[1])), np.zeros((24, shape[0] * shape[1])))
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
        hours = slice(self._seen, self._seen + o.shape[0])
        self._seen = hours.stop
        self._points.append((flat[0][..., self._cells], flat[1][..., self._cells]))
        self._clouds.append((flat[0] @ self._directions, flat[1] @ self._directions))
        for total, fields in zip(self._sums, (flat[0].mean(axis=0, dtype=np.float64), flat[1]), strict=True):
            np.add.at(total, self._clock[hours], fields)
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

    def cycles(self) -> Pair:
        """Mean cycle of the day of members and truth [24, cells], about its mean; NaN at hours that never came."""
        counts = np.bincount(self._clock, minlength=24)[:, None]
        means = [total / np.where(counts > 0, counts, np.nan) for total in self._sums]
        return means[0] - np.nanmean(means[0], axis=0), means[1] - np.nanmean(means[1], axis=0)


def _changes(before: NDArray[np.floating], fields: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean squared change from hour to hour [..., T] of fields [..., T, cells]."""
    joined = np.concatenate([before, fields], axis=-2)
    return np.asarray(np.square(np.diff(joined, axis=-2), dtype=np.float64).mean(axis=-1))


def _chained(parts: list[Pair]) -> Pair:
    return np.concatenate([p[0] for p in parts], axis=1), np.concatenate([p[1] for p in parts], axis=0)

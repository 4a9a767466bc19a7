"""What one pass over a series of maps remembers: enough to judge it, never the series itself."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
SAMPLE = 1024  # values drawn from each piece for the quantiles: a tenth of a standard deviation at the 1st percentile
ENOUGH_CELLS = 4  # a map of fewer cells may repeat itself by chance
TELLING = 16  # wet cells
GOLDEN = 0.6180339887498949  # multiples of it spread evenly over any array: no row or column is favoured


@dataclass
class Tally:
    """Counts and extremes of one field in one period, in the field's own units."""

    steps: int = 0
    count: int = 0
    missing: int = 0
    infinite: int = 0
    low: float = np.nan
    high: float = np.nan
    mean: float = 0.0
    squares: float = 0.0
    constant: int = 0
    frozen: int = 0
    repeated: int = 0
    stuck: int = 0
    zero_share: float = 0.0
    flat_share: float = np.nan
    jump_time: float = np.nan
    spike: float = np.nan
    jump_space: float = np.nan
    sample: list[Array] = field(default_factory=list)

    def moments(self, values: Array) -> None:
        """Merge count, mean and sum of squared deviations of finite values (Chan et al. 1983)."""
        n = values.size
        if not n:
            return
        mean = float(values.mean(dtype=np.float64))
        deviation = values - values.dtype.type(mean)
        squares = float(np.einsum("i,i->", deviation, deviation, dtype=np.float64))
        gap, total = mean - self.mean, self.count + n
        self.squares += squares + gap * gap * self.count * n / total
        self.mean += gap * n / total
        self.count = total

    def reached(self, name: str, value: float) -> None:
        """Raise an extreme to a value if the value is higher; NaN never wins."""
        setattr(self, name, float(np.fmax(getattr(self, name), value)))


class Series:
    """One pass over one field, pieces in the order of time.

    Args:
        natural_zero: whether zero repeated in time or space is weather (no rain) and not a fault.
    """

    def __init__(self, *, natural_zero: bool) -> None:
        self.tallies: dict[str, Tally] = {}
        self.always_missing: NDArray[np.bool_] | None = None
        self._natural_zero = natural_zero
        self._before: Array | None = None
        self._run: NDArray[np.int32] | None = None
        self._seen: dict[tuple[int, float, float], int] = {}
        self._clock = 0

    def add(self, piece: Array, period: str, *, follows: bool, copied: bool = False) -> None:
        """Take in the next times.

        Args:
            piece: values [time, y, x].
            period: the period that all these times lie in.
            follows: whether the first time follows the last piece's last time at the regular step.
            copied: whether the maps came a second time on purpose, so that to be repeated is no fault of theirs.
        """
        tally = self.tallies.setdefault(period, Tally())
        shape, cells = piece.shape, int(np.prod(piece.shape[1:]))
        x = np.ascontiguousarray(piece if piece.dtype.kind == "f" else piece.astype(np.float32))
        with np.errstate(invalid="ignore", over="ignore"):
            x, whole = self._clean(x, tally)
            flat = x.reshape(shape[0], cells)
            low, high = np.fmin.reduce(flat, axis=1), np.fmax.reduce(flat, axis=1)
            if np.fmax.reduce(np.abs([*low, *high])) > 1e15:  # squares and sums overflow in single precision
                x = x.astype(np.float64)
                flat = x.reshape(shape[0], cells)
            tally.steps += shape[0]
            tally.low = float(np.fmin(tally.low, np.fmin.reduce(low)))
            tally.reached("high", float(np.fmax.reduce(high)))
            tally.moments(flat.ravel() if whole else flat[~np.isnan(flat)])
            if cells > 1:
                tally.constant += int(np.count_nonzero((low == high) & ~(self._natural_zero & (low == 0))))
                share = np.count_nonzero(flat == 0, axis=1).max() / cells
                tally.zero_share = max(tally.zero_share, float(share))
            self._in_space(x, tally)
            before = tally.frozen
            self._in_time(flat, tally, follows=follows)
            if copied:
                tally.frozen, self._clock = before, self._clock + shape[0]
            else:
                self._fingerprints(flat, low, high, tally)
            at = np.floor((np.arange(min(SAMPLE, flat.size)) * GOLDEN % 1.0) * flat.size).astype(np.intp)
            tally.sample.append(flat.ravel()[at])

    def _clean(self, x: Array, tally: Tally) -> tuple[Array, bool]:
        """Count what is no number; infinities become NaN so that other checks see the rest."""
        if np.isfinite(x.sum(dtype=np.float64)):
            self.always_missing = np.zeros(x.shape[1:], bool)
            return x, True
        infinite = np.isinf(x)
        tally.infinite += int(np.count_nonzero(infinite))
        x = np.where(infinite, x.dtype.type(np.nan), x)
        missing = np.isnan(x)
        tally.missing += int(np.count_nonzero(missing & ~infinite))
        always = np.asarray(missing.all(axis=0))
        self.always_missing = always if self.always_missing is None else self.always_missing & always
        return x, False

    def _in_space(self, x: Array, tally: Tally) -> None:
        for axis in (1, 2):
            if x.shape[axis] > 1:
                step = np.diff(x, axis=axis)
                tally.reached("jump_space", _largest(step))
                same = np.count_nonzero(step == 0, axis=(1, 2)).max() / (step[0].size or 1)
                tally.reached("flat_share", float(same))

    def _in_time(self, flat: Array, tally: Tally, *, follows: bool) -> None:
        before = self._before if follows and self._before is not None else flat[:0]
        if not len(before):
            self._run = np.zeros(flat.shape[1], np.int32)
        joined = np.concatenate([before, flat]) if len(before) else flat
        self._before = joined[-2:].copy()
        if len(joined) < 2:
            return
        step = np.diff(joined, axis=0)
        if len(step) > 1:
            # There and back: the geometric mean of two opposite jumps in a row, counted in the later one's period.
            back = float(np.fmin.reduce(step[:-1] * step[1:], axis=None))
            tally.reached("spike", np.sqrt(max(0.0, -back)))
        new = step[max(0, len(before) - 1) :]
        tally.reached("jump_time", _largest(new))
        same = new == 0
        counts = np.count_nonzero(same, axis=1)
        if not counts.any():
            self._run = np.zeros(flat.shape[1], np.int32)
            return
        known = np.count_nonzero(~np.isnan(new), axis=1)
        now = flat[-len(new) :]
        if self._natural_zero:
            same &= now != 0  # no rain follows no rain; the rest of the map must still change
            known = np.count_nonzero(~np.isnan(new) & (now != 0), axis=1)
            counts = np.count_nonzero(same, axis=1)
        tally.frozen += int(np.count_nonzero((counts == known) & (known > 1)))
        self._stuck(same, counts, tally)

    def _stuck(self, same: NDArray[np.bool_], counts: NDArray[np.intp], tally: Tally) -> None:
        run = self._run if self._run is not None else np.zeros(same.shape[1], np.int32)
        for row, any_same in zip(same, counts, strict=True):
            run = (run + 1) * row if any_same else np.zeros_like(run)
            if any_same:
                tally.stuck = max(tally.stuck, int(run.max()))
        self._run = run.astype(np.int32)

    def _fingerprints(self, flat: Array, low: Array, high: Array, tally: Tally) -> None:
        for row, least, most in zip(flat, low, high, strict=True):
            # A few cells may come back by chance, be they the whole map or one shower on a dry one.
            telling = (
                np.count_nonzero((row < 0) | (row > 0)) >= TELLING
                if self._natural_zero
                else row.size >= ENOUGH_CELLS
            )
            if telling and least < most:
                key = (zlib.crc32(row.tobytes()), float(least), float(most))
                last = self._seen.get(key)
                tally.repeated += last is not None and last != self._clock - 1
                self._seen[key] = self._clock
            self._clock += 1


def _largest(step: Array) -> float:
    return float(np.fmax(np.fmax.reduce(step, axis=None), -np.fmin.reduce(step, axis=None)))

"""A long series from a prior of short windows: which windows there are, and how their results are joined.

Windows are cut at hours of the absolute clock, so the same hour is treated alike in every request; only near the
two ends of a series are windows moved to lie flush. Two ways to join them:

- `centre` (Schmidt et al. 2025 with stride 1): each frame comes from the one window in whose middle it lies.
- `taper`: overlapping windows are averaged with triangular weights. The average is over denoised means, not over
  noisy states, so no variance is lost.

`shift` moves all windows by another offset at every noise level, so that no hour is always at a seam.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from finescale.errors import FinescaleError

GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class WindowSpec:
    """How a prior's windows cover a series; the field names are the keys of the settings.

    Attributes:
        stride: frames between two windows; None takes half a window and a bit (`taper`) or 1 (`centre`).
        blend: how windows are joined.
        shift: whether the windows move from level to level.
    """

    stride: int | None = None
    blend: Literal["centre", "taper"] = "taper"
    shift: bool = False

    def build(self, size: int) -> "Windows":
        """The rule for windows of `size` frames."""
        usual = 1 if self.blend == "centre" else (size + 1) // 2
        return Windows(size, self.stride or usual, self.blend, self.shift)


@dataclass(frozen=True)
class Windows:
    """A rule that covers any series with windows.

    Attributes:
        size: frames of a window.
        stride: frames between two windows.
        blend: how windows are joined.
        shift: whether the windows move from level to level.
        power: of the triangle that tapers; more trusts the middle of a window more.
    """

    size: int
    stride: int
    blend: Literal["centre", "taper"] = "taper"
    shift: bool = False
    power: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.size:
            raise FinescaleError(
                f"windows must touch: stride {self.stride} with windows of {self.size} frames; "
                f"choose a stride from 1 to {self.size}"
            )

    def starts(self, first: int, stop: int, level: int = 0) -> NDArray[np.int64]:
        """First frames of the windows that cover [first, stop), ascending."""
        if stop - first < self.size:
            raise FinescaleError(
                f"a series is at least as long as the window of the prior: {stop - first} frames, window "
                f"{self.size}; lengthen the period"
            )
        offset = int(level * GOLDEN % 1 * self.stride) if self.shift else 0
        last = stop - self.size
        inner = np.arange(first + 1 + (offset - first - 1) % self.stride, last, self.stride)
        return np.unique(np.concatenate([[first], inner, [last]])).astype(np.int64)

    def weights(self, starts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Share of each window in each of its frames, ``[n, size]``; the shares in a frame sum to one."""
        raw = self._centred(starts) if self.blend == "centre" else self._tapered(len(starts))
        frames = starts[:, None] - starts[0] + np.arange(self.size)
        total = np.zeros(frames[-1, -1] + 1)
        np.add.at(total, frames, raw)
        return np.asarray(raw / total[frames], dtype=np.float32)

    def _tapered(self, count: int) -> NDArray[np.float64]:
        ramp = np.arange(1.0, self.size + 1)
        return np.tile(np.minimum(ramp, ramp[::-1]) ** self.power, (count, 1))

    def _centred(self, starts: NDArray[np.int64]) -> NDArray[np.float64]:
        # Window j keeps from its own middle to that of the next one; the outer windows keep their outer ends.
        begin = starts + (self.size - self.stride) // 2
        if len(starts) > 1:
            begin[-1] = max(begin[-1], begin[-2] + self.stride) if starts[-1] > starts[-2] + 1 else begin[-1]
        begin[0] = starts[0]
        end = np.append(begin[1:], starts[-1] + self.size)
        frames = starts[:, None] + np.arange(self.size)
        return ((frames >= begin[:, None]) & (frames < end[:, None])).astype(np.float64)

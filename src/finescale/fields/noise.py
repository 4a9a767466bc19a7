"""Gaussian noise as a function of where it is used: (seed, member, stream, variable, absolute hour, cell).

Counter-based: nothing is drawn in order, so an ensemble does not depend on batch size, block order, number of
workers, restarts or the length of the request. With a memory, noise turns slowly from one independent field to the
next: every hour by itself is as before, and hours near each other resemble one another. The generator is Philox
(Salmon et al. 2011), whose raw words NumPy keeps fixed across releases; the normals are made here (Box and Muller
1958), because NumPy does not promise those.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finescale.errors import FinescaleError

WORD = 2**64
# Half a step of a 32-bit uniform keeps log(u) finite; the largest normal is then 6.7.
STEP = 2.0**-32
TOGETHER = 2**15


@dataclass(frozen=True)
class Noise:
    """Standard normal fields of an ensemble.

    Attributes:
        seed: of the whole run.
        variables: names of the channels; noise belongs to the name, not to its place in the list.
        shape: rows and columns of the whole grid; cells count from its first row.
        step: hours between two frames.
        memory: hours from one independent field to the next; 0 for independent hours.
    """

    seed: int
    variables: tuple[str, ...]
    shape: tuple[int, int]
    step: int = 1
    memory: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < WORD:
            raise FinescaleError(f"a seed is a whole number from 0 to 2**64 - 1: {self.seed}; choose another")

    def __call__(self, members: Sequence[int], hours: Sequence[int] | range, stream: int = 0) -> Tensor:
        """Draw the fields of some members at some frames.

        Args:
            members: numbers of the members, from 0.
            hours: absolute hours over `step` (any epoch, the same in every call).
            stream: which of the independent uses of noise: 0 starts the sampler, others refresh it.

        Returns:
            float32 ``[M, T, C, H, W]``.
        """
        at = [self.step * hour for hour in hours]
        if not self.memory:
            return self._draw(members, at, stream)
        anchors = sorted({hour // self.memory + d for hour in at for d in (0, 1)})
        turn = torch.zeros(len(at), len(anchors))
        for t, hour in enumerate(at):
            k, angle = anchors.index(hour // self.memory), np.pi / 2 * (hour % self.memory) / self.memory
            turn[t, k], turn[t, k + 1] = float(np.cos(angle)), float(np.sin(angle))
        fields = self._draw(members, [self.memory * k for k in anchors], stream)
        return torch.einsum("ta,ma...->mt...", turn, fields)

    def _draw(self, members: Sequence[int], hours: Sequence[int], stream: int) -> Tensor:
        rows, columns = self.shape
        keys = [zlib.crc32(name.encode()) for name in self.variables]
        places = [(member, (hour, key, stream)) for member in members for hour in hours for key in keys]
        out = np.empty((len(places), rows * columns), np.float32)
        # Many small draws become normals together: words are cheap, calls of NumPy are not.
        few = max(1, TOGETHER // (rows * columns))
        for begin in range(0, len(places), few):
            bits = words(self.seed, places[begin : begin + few], rows * columns)
            out[begin : begin + few] = _box_muller(bits)[:, : rows * columns]
        return torch.from_numpy(out.reshape(len(members), len(hours), len(keys), rows, columns))


def normals(seed: int, member: int, place: tuple[int, int, int], count: int) -> NDArray[np.float32]:
    """Draw `count` standard normals that belong to (seed, member, place), float32 ``[count]``.

    A longer draw begins with a shorter one.
    """
    return _box_muller(words(seed, [(member, place)], count))[0, :count]


def words(seed: int, places: Sequence[tuple[int, tuple[int, int, int]]], count: int) -> NDArray[np.uint64]:
    """Raw words for `count` normals of each member and place, two normals from each word ``[places, words]``."""
    keys = np.array([[seed, member % WORD] for member, _ in places], np.uint64)
    counters = np.array([[0, *(word % WORD for word in place)] for _, place in places], np.uint64)
    out = np.empty((len(places), (count + 1) // 2), np.uint64)
    # One generator, sent from place to place: to make one takes longer than what it is made for.
    bits = np.random.Philox(0)
    there = bits.state
    for row, key, counter in zip(out, keys, counters, strict=True):
        there["state"] = {"key": key, "counter": counter}
        bits.state = there
        row[:] = bits.random_raw(len(row))
    return out


def _box_muller(words: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Two normals from each word ``[..., n]``, side by side ``[..., 2 n]``."""
    u = (words >> np.uint64(32)).astype(np.float64) * STEP + STEP / 2
    angle = ((words & np.uint64(0xFFFFFFFF)).astype(np.float64) * (2 * np.pi * STEP)).astype(np.float32)
    radius = np.sqrt(-2 * np.log(u)).astype(np.float32)
    out = np.empty((*words.shape[:-1], 2 * words.shape[-1]), np.float32)
    out[..., 0::2], out[..., 1::2] = radius * np.cos(angle), radius * np.sin(angle)
    return out

"""A domain larger than what a network was trained on: crops to learn from, overlapping tiles to draw by.

Training looks at random crops. On the whole domain the network answers for overlapping tiles of the size of a crop, and
its answers are averaged by the rule that joins windows in time (`prior.window`). A denoised mean is linear in what its
network answers, with factors that are the same in every cell, so this averages denoised means and never noisy states:
no variance is lost.

At the border of a tile half of the neighbourhood is missing, and even an exact denoised mean is at its worst. Weights
that fall linearly give that border a share that shows as a seam; the cube of the triangle does not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.context import Context
from finescale.prior.window import Windows

# (inputs [B, T, Q, h, w], log sigma [B], context) to [B, T, C, h, w].
Network = Callable[[Tensor, Tensor, Context | None], Tensor]


@dataclass(frozen=True)
class Tiles:
    """Squares of one size in a domain.

    Attributes:
        size: cells along each side of a square.
        shape: rows and columns of the domain.
        step: squares begin at multiples of this, in training and in use: a network that is told coarse data knows
            where in a coarse cell it is.
        overlap: cells that neighbouring tiles share at least; None for half a tile, in whole steps.
        batch: tiles in one call of the network.
        power: of the triangle by which tiles are weighed.
    """

    size: int
    shape: tuple[int, int]
    step: int = 1
    overlap: int | None = None
    batch: int = 32
    power: int = 3

    def __post_init__(self) -> None:
        if self.size > min(self.shape):
            raise FinescaleError(
                f"a crop lies within the domain: {self.size} cells a side in {self.shape[0]} x {self.shape[1]}; "
                f"choose at most {min(self.shape)} or leave crop out"
            )
        if any(n % self.step for n in (self.size, *self.shape)):
            raise FinescaleError(
                f"crops hold whole coarse and latent cells, {self.step} fine cells a side: the crop has {self.size}, "
                f"the domain {self.shape[0]} x {self.shape[1]}; choose multiples of {self.step}"
            )
        if not 0 <= self._shared < self.size:
            raise FinescaleError(
                f"tiles overlap by less than their size: {self.overlap} of {self.size} cells; choose an overlap "
                f"from 0 to {self.size - 1}"
            )
        if self._shared % self.step:
            raise FinescaleError(
                f"tiles begin on whole coarse cells, {self.step} cells a side: overlap is {self.overlap}; choose a "
                f"multiple of {self.step}"
            )

    @classmethod
    def of(cls, crop: int | None, shape: tuple[int, int], divisor: int, step: int = 1) -> "Tiles | None":
        """Tiles of a network whose grid must be a multiple of `divisor`; None for one that is trained on the whole."""
        if crop is None:
            return None
        if crop % divisor:
            raise FinescaleError(
                f"a crop divides among the levels of the network: {crop} cells a side, the network halves {divisor}; "
                f"choose a multiple of {divisor}"
            )
        return cls(crop, shape, step)

    @property
    def count(self) -> int:
        """Tiles that cover the domain."""
        return len(self.places)

    @property
    def _shared(self) -> int:
        if self.overlap is not None:
            return self.overlap
        half = -(-self.size // (2 * self.step)) * self.step
        return min(half, self.size - self.step)

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Places of random squares ``[count, 2]``."""
        free = [(side - self.size) // self.step + 1 for side in self.shape]
        return self.step * np.stack([rng.integers(0, n, count) for n in free], axis=1)

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Places of the tiles that cover the domain ``[n, 2]``."""
        rows, columns = (starts for starts, _ in self._axes)
        return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """Share of each tile in each of its cells ``[n, size, size]``; the shares in a cell sum to one."""
        rows, columns = (weights for _, weights in self._axes)
        shares = rows[:, None, :, None] * columns[None, :, None, :]
        return shares.reshape(-1, self.size, self.size)

    @cached_property
    def _axes(self) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        lines = Windows(self.size, self.size - self._shared, power=self.power)
        starts = [lines.starts(0, side) for side in self.shape]
        return [(found, lines.weights(found)) for found in starts]

    def compose(self, network: Network, inputs: Tensor, log_sigma: Tensor, context: Context | None) -> Tensor:
        """What a network answers for the domain, ``[B, T, C, H, W]``.

        Args:
            network: of crops.
            inputs: of the whole domain ``[B, T, Q, H, W]``.
            log_sigma: ``[B]``.
            context: of the whole domain; its coarse frames are never cut.
        """
        places, weights = torch.from_numpy(self.places), torch.from_numpy(self.weights).to(inputs.device)
        count = len(inputs) * len(places)
        out = None
        for begin in range(0, count, self.batch):
            which = torch.arange(begin, min(begin + self.batch, count))
            rows, tiles = which // len(places), which % len(places)
            at = [(r, *self._span(places[n])) for r, n in zip(rows.tolist(), tiles, strict=True)]
            part = torch.stack([inputs[r, ..., y, x] for r, y, x in at])
            there = (
                None
                if context is None
                else context.crops(rows.to(part.device), places[tiles].to(part.device))
            )
            found = network(part, log_sigma[rows.to(log_sigma.device)], there)
            if out is None:
                out = found.new_zeros(len(inputs), *found.shape[1:-2], *self.shape)
            for (r, y, x), weight, answer in zip(at, weights[tiles], found, strict=True):
                out[r, ..., y, x] += weight * answer
        assert out is not None
        return out

    def _span(self, place: Tensor) -> tuple[slice, slice]:
        row, column = place.tolist()
        return slice(row, row + self.size), slice(column, column + self.size)

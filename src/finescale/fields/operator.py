"""The torch face of linear observation: what a product sees of a series of fine fields, and its transpose.

A `View` is space x time: a spatial part (area means of coarse cells, or stations between cells) and a clock (instants
or means over hours). Both are linear in the scaled state too, because rows sum to one and the scaling is one number
a variable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid


class Space(Protocol):
    """A linear map from fine fields to `size` values: a dataclass whose fields say all of it."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def size(self) -> int:
        """Number of values."""
        ...

    def apply(self, x: Tensor) -> Tensor:
        """Fields ``[..., H, W]`` to values ``[..., size]``."""
        ...

    def adjoint(self, y: Tensor) -> Tensor:
        """Values ``[..., size]`` to fields ``[..., H, W]``."""
        ...

    def diagonal(self) -> Tensor:
        """The diagonal of H H^T, ``[size]``."""
        ...


@dataclass(frozen=True)
class AreaMean:
    """Area-weighted means of coarse cells, separable: rows ``[h, H]`` and columns ``[w, W]``, rows sum to one."""

    rows: Tensor
    columns: Tensor

    @classmethod
    def of(cls, coarsening: Coarsening, dtype: torch.dtype = torch.float32) -> "AreaMean":
        """The spatial part of a coarsening, from its own two matrices."""
        return cls(*(torch.from_numpy(m).to(dtype) for m in (coarsening.lat_matrix, coarsening.lon_matrix)))

    @property
    def size(self) -> int:
        """Number of coarse cells."""
        return self.rows.shape[0] * self.columns.shape[0]

    def apply(self, x: Tensor) -> Tensor:
        """Fields ``[..., H, W]`` to cell means ``[..., h * w]``."""
        rows, columns = self.rows.to(x), self.columns.to(x)
        return (rows @ (x @ columns.T)).flatten(-2)

    def adjoint(self, y: Tensor) -> Tensor:
        """Cell values ``[..., h * w]`` to fields ``[..., H, W]``."""
        rows, columns = self.rows.to(y), self.columns.to(y)
        cells = y.reshape(*y.shape[:-1], rows.shape[0], columns.shape[0])
        return rows.T @ cells @ columns

    def diagonal(self) -> Tensor:
        """The diagonal of H H^T, ``[h * w]``: one over the number of fine cells if they were equal."""
        return torch.outer(self.rows.square().sum(1), self.columns.square().sum(1)).flatten()


def bilinear(means: Tensor) -> Tensor:
    """Interpolation along one axis from coarse centres to fine cells ``[fine, coarse]``, constant beyond the ends.

    Args:
        means: weights of the fine cells in each coarse one ``[coarse, fine]``; they place its centre.
    """
    coarse, fine = means.shape
    cells = torch.arange(fine, dtype=torch.float64)
    centres = means.double() @ cells
    right = torch.searchsorted(centres, cells).clamp(1, coarse - 1)
    share = ((cells - centres[right - 1]) / (centres[right] - centres[right - 1])).clamp(0, 1)
    out = torch.zeros(fine, coarse, dtype=torch.float64)
    out.scatter_(1, (right - 1)[:, None], (1 - share)[:, None])
    out.scatter_(1, right[:, None], share[:, None])
    return out


@dataclass(frozen=True)
class Stations:
    """Bilinear values at points: for each of n points four cells (flat index) and their weights, both ``[n, 4]``."""

    shape: tuple[int, int]
    cells: Tensor
    weights: Tensor

    @classmethod
    def at(cls, grid: Grid, lat: Sequence[float], lon: Sequence[float]) -> "Stations":
        """Points inside the outermost cell centres of a grid, longitudes of any turn; others are refused."""
        turned = _turned(grid.lon, lon)
        (i, a), (j, b) = _bracket("lat", grid.lat, lat), _bracket("lon", grid.lon, turned.tolist())
        width = grid.shape[1]
        cells = np.stack([i * width + j, i * width + j + 1, (i + 1) * width + j, (i + 1) * width + j + 1], 1)
        weights = np.stack([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b], 1)
        return cls(grid.shape, torch.from_numpy(cells), torch.from_numpy(weights).float())

    @property
    def size(self) -> int:
        """Number of points."""
        return self.cells.shape[0]

    def apply(self, x: Tensor) -> Tensor:
        """Fields ``[..., H, W]`` to values at the points ``[..., n]``."""
        return (x.flatten(-2)[..., self.cells] * self.weights.to(x)).sum(-1)

    def adjoint(self, y: Tensor) -> Tensor:
        """Values ``[..., n]`` to fields ``[..., H, W]``."""
        spread = (y[..., None] * self.weights.to(y)).flatten(-2)
        out = y.new_zeros((*y.shape[:-1], self.shape[0] * self.shape[1]))
        out.index_add_(-1, self.cells.flatten(), spread)
        return out.reshape(*y.shape[:-1], *self.shape)

    def diagonal(self) -> Tensor:
        """The diagonal of H H^T, ``[n]``."""
        return self.weights.square().sum(1)


@dataclass(frozen=True)
class Clock:
    """When a product is observed: at absolute hours divisible by `every`, as instants or means of the hours before.

    A mean at hour t is over t - every + 1, ..., t, as in `finescale.grid.Coarsening`.
    """

    every: int = 6
    how: Literal["instant", "mean"] = "instant"

    @property
    def lead(self) -> int:
        """Hours before a stamp that it tells of."""
        return 0 if self.how == "instant" else self.every - 1

    def hours(self, first: int, stop: int) -> list[int]:
        """Stamps whose hours all lie in [first, stop)."""
        begin = first + self.lead
        return list(range(begin + (-begin) % self.every, stop, self.every))

    def matrix(self, first: int, stop: int) -> NDArray[np.float64]:
        """Weights of the hours [first, stop) in each stamp, ``[K, T]``."""
        stamps = self.hours(first, stop)
        out = np.zeros((len(stamps), stop - first))
        for k, stamp in enumerate(stamps):
            out[k, stamp - self.lead - first : stamp + 1 - first] = 1 / (1 + self.lead)
        return out


@dataclass(frozen=True)
class View:
    """H over the hours [first, stop): state ``[..., T, C, H, W]`` to values ``[..., K, C, size]``."""

    space: Space
    clock: Clock
    first: int
    stop: int

    @cached_property
    def time(self) -> Tensor:
        """Weights of the hours in each stamp, ``[K, T]``."""
        return torch.from_numpy(self.clock.matrix(self.first, self.stop))

    def apply(self, x: Tensor) -> Tensor:
        """H x."""
        if self.clock.how == "instant":
            begin = self.clock.hours(self.first, self.stop)
            kept = (
                x[..., begin[0] - self.first :: self.clock.every, :, :, :] if begin else x[..., :0, :, :, :]
            )
            return self.space.apply(kept)
        return self.read(self.space.apply(x))

    def read(self, seen: Tensor) -> Tensor:
        """The values ``[..., K, C, size]`` of what is seen at every hour ``[..., T, C, size]``."""
        return torch.einsum("kt,...tcn->...kcn", self.time.to(seen), seen)

    def adjoint(self, y: Tensor) -> Tensor:
        """H^T y."""
        return self.space.adjoint(torch.einsum("kt,...kcn->...tcn", self.time.to(y), y))


def _turned(axis: Sequence[float], points: Sequence[float]) -> NDArray[np.float64]:
    """Longitudes as those of a grid's centres count: by whole turns to half a turn about the middle of the grid."""
    turns = np.round((np.asarray(points, float) - (axis[0] + axis[-1]) / 2) / 360)
    # Rounded as those of a grid: a turn must not carry a point past the outermost centre.
    return np.round(np.asarray(points, float) - 360 * turns, 9)


def _bracket(
    name: str, axis: Sequence[float], points: Sequence[float]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    centres, wanted = np.asarray(axis, float), np.asarray(points, float)
    outside = ~((wanted >= centres[0]) & (wanted <= centres[-1]))
    if outside.any():
        raise FinescaleError(
            f"stations lie within the fine grid: {name} {wanted[outside][0]:g} is outside "
            f"{centres[0]:g} to {centres[-1]:g}; drop the station or widen the grid"
        )
    left = np.clip(np.searchsorted(centres, wanted, side="right") - 1, 0, centres.size - 2)
    return left, (wanted - centres[left]) / (centres[left + 1] - centres[left])

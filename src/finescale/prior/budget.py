"""What is usual in training data: the gap of flux balances, and what transport leaves after a fit by coarse cells."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from finescale.fields.context import Context

BEYOND = 0.95


@dataclass(frozen=True)
class Budget:
    """The usual of one training period.

    Attributes:
        offset: mean of the fine flux balance less the coarse one, by block of b x b coarse cells
            ``[h - b + 1, w - b + 1]``: one begins at every coarse cell that it fits in at, because those of crops do.
        gap: 95th percentile of the distance from that mean.
        coefficients: diffusivity in m2 s-1, then the source's waves in K s-1, by coarse cell ``[h, w, F]``; None
            without winds.
        usual: 95th percentile of the size of what they leave ``[h, w]``, K s-1.
    """

    offset: Tensor
    gap: Tensor
    coefficients: Tensor | None = None
    usual: Tensor | None = None

    def map(self, change: Callable[[Tensor], Tensor]) -> "Budget":
        """The same with every tensor changed."""
        values = (self.offset, self.gap, self.coefficients, self.usual)
        return Budget(*(None if v is None else change(v) for v in values))  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """For the card."""
        return {name: None if value is None else value.tolist() for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Budget":
        """From the card."""
        coefficients, usual = values["coefficients"], values["usual"]
        return cls(
            torch.tensor(values["offset"]),
            torch.tensor(values["gap"]),
            None if coefficients is None else torch.tensor(coefficients),
            None if usual is None else torch.tensor(usual),
        )


def by_cell(values: Tensor, owner: tuple[Tensor, Tensor], what: Callable[[Tensor], Tensor]) -> Tensor:
    """A statistic of the values ``[N, H, W, ...]`` of each coarse cell ``[h, w, ...]``.

    Args:
        values: on fine cells.
        owner: coarse row of each fine row, coarse column of each fine column.
        what: of the values of one cell ``[N, rows, columns, ...]``.
    """
    down, across = owner
    rows = [
        torch.stack([what(values[:, down == i][:, :, across == j]) for j in range(int(across.max()) + 1)])
        for i in range(int(down.max()) + 1)
    ]
    return torch.stack(rows)


def fit_transport(left: Tensor, known: Tensor, owner: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Diffusivity and source of each coarse cell, and the usual size of what they leave.

    Args:
        left: ``dT/dt + u.grad T`` ``[N, H, W]``.
        known: the Laplacian, then the waves of the source ``[N, H, W, F]``.
        owner: see `by_cell`.
    """
    left, known = left.double(), known.double()
    kappa = _solve(left, known, owner)[..., 0]
    # Where the fit would sharpen instead of diffuse, nothing diffuses.
    fixed = torch.where(kappa > 0, kappa, 0.0)
    rest = left - spread(fixed, owner) * known[..., 0]
    coefficients = torch.cat([fixed[..., None], _solve(rest, known[..., 1:], owner)], -1)
    fitted = spread(coefficients.movedim(-1, 0), owner).movedim(0, -1)
    size = (left - (known * fitted).sum(-1)).abs()
    usual = by_cell(size, owner, lambda part: torch.quantile(part.flatten().float(), BEYOND))
    return coefficients.float(), usual.float()


def spread(cells: Tensor, owner: tuple[Tensor, Tensor]) -> Tensor:
    """Values of coarse cells ``[..., h, w]`` at their fine cells ``[..., H, W]``.

    The owners of crops, ``[B, 1, H]`` and ``[B, 1, W]``, give ``[..., B, 1, H, W]``.
    """
    return cells[..., owner[0][..., :, None], owner[1][..., None, :]]


def excess(values: Tensor, usual: Tensor, own: Tensor | None) -> Tensor:
    """Huber's penalty on the size of values ``[B, ...]`` beyond the larger of usual and own, by row ``[B]``."""
    allowed = usual if own is None else torch.maximum(own.abs(), usual)
    beyond = ((values.abs() - allowed) / usual).clamp_min(0)
    return torch.where(beyond < 1, beyond.square() / 2, beyond - 0.5).flatten(1).mean(1)


def waves(context: Context) -> Tensor:
    """A constant, two waves of the day and one of the year between the frames ``[B, T - 1, 7]``."""
    year, day = context.clock[:, :-1].unbind(-1)
    angles = [2 * math.pi * day, 4 * math.pi * day, 2 * math.pi * year]
    return torch.stack([torch.ones_like(day), *(f(a) for a in angles for f in (torch.cos, torch.sin))], -1)


def _solve(left: Tensor, known: Tensor, owner: tuple[Tensor, Tensor]) -> Tensor:
    """Least squares in every coarse cell ``[h, w, F]``."""
    both = torch.cat([known, left[..., None]], -1)
    # Columns of one size: a Laplacian is ten orders of magnitude smaller than a wave.
    size = both.flatten(0, -2).square().mean(0).sqrt().clamp_min(1e-300)
    moments = by_cell(both / size, owner, lambda part: part.flatten(0, -2).T @ part.flatten(0, -2))
    square, right = moments[..., :-1, :-1], moments[..., :-1, -1:]
    ridge = 1e-8 * square.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    eye = torch.eye(square.shape[-1], dtype=square.dtype)
    solved: Tensor = torch.linalg.solve(square + ridge * eye, right)[..., 0]
    return solved * size[-1] / size[:-1]

"""Unified coordinate guidance: compare with the coarse field on the fine grid.

    x_s <- x_s - zeta grad_{x_t} || sqrt(w) (U y - U H x̂_0(x_t)) ||_2      (Tie et al. 2026, arXiv 2601.21760)

U re-projects coarse fields to the fine grid by bilinear interpolation and w are latitude weights of mean one. As
U^T U is about the number of fine cells in a coarse one, the step no longer shrinks with the coarsening factor,
which is what makes `dps` fail at large ones. The norm is over one frame of one member. `residual = coarse` compares
on the coarse grid, for the ablation.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.operator import AreaMean
from finescale.guidance.dps import step
from finescale.guidance.guidance import Moment
from finescale.guidance.solver import Level


@dataclass(frozen=True)
class Ucg:
    """The guidance; products are area means.

    Attributes:
        zeta: length of the step, in scaled units.
        lat: latitude of the fine rows, degrees; empty for equal weights.
        residual: on which grid fields are compared.
        reach: hours of margin.
    """

    zeta: float = 0.1
    lat: tuple[float, ...] = ()
    residual: Literal["fine", "coarse"] = "fine"
    reach: int = 0

    def backward(self, level: Level) -> bool:
        """At every level."""
        return True

    def __call__(self, moment: Moment) -> Tensor:
        """Return the mean whose step ends where the published one does."""
        segment = moment.segment
        pieces = []
        for (source, _), r in zip(segment.parts, segment.split(segment.residual(moment.x_0)), strict=True):
            if not isinstance(source.space, AreaMean):
                raise FinescaleError(
                    "ucg re-projects area means to the fine grid: a product has stations; choose gaussian-cov"
                )
            fine = self._spread(source.space, r)
            size = fine.square().sum((-1, -2, -3), keepdim=True).sqrt()
            pieces.append(self._gather(source.space, fine / size.clamp_min(1e-12)).flatten(-3))
        uphill = -segment.adjoint(torch.cat(pieces, -1), moment.x_0)
        return (moment.x_0 - self.zeta * step(moment, uphill))[:, moment.own]

    def _spread(self, space: AreaMean, r: Tensor) -> Tensor:
        """sqrt(w) U r: values ``[..., n]`` to weighted fields ``[..., H, W]`` (or left coarse ``[..., h, w]``)."""
        cells = r.reshape(*r.shape[:-1], space.rows.shape[0], space.columns.shape[0])
        if self.residual == "coarse":
            return cells
        up, across = bilinear(space.rows).to(r), bilinear(space.columns).to(r)
        return up @ cells @ across.T * self._weights(space).to(r)

    def _gather(self, space: AreaMean, x: Tensor) -> Tensor:
        """The transpose of `_spread`."""
        if self.residual == "coarse":
            return x.flatten(-2)
        up, across = bilinear(space.rows).to(x), bilinear(space.columns).to(x)
        return (up.T @ (x * self._weights(space).to(x)) @ across).flatten(-2)

    def _weights(self, space: AreaMean) -> Tensor:
        """Square roots of the latitude weights ``[H, 1]``."""
        if not self.lat:
            return torch.ones(space.rows.shape[1], 1)
        cos = torch.cos(torch.deg2rad(torch.tensor(self.lat, dtype=torch.float64)))
        return (cos / cos.mean()).sqrt()[:, None]


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

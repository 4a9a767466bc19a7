"""Diffusion posterior sampling: step down the gradient of the misfit after every level.

    x_s <- x_s - zeta grad_{x_t} || y - H x̂_0(x_t) ||_2        (Chung et al. 2023, arXiv 2209.14687)

The norm is not squared and is taken over one frame of one member. (Their code takes it over the batch, so that its
guidance fades as the ensemble grows.) Published for the variance-preserving walk with ancestral steps, in whose units
the gradient is taken here too. H^T shrinks a residual by the coarsening factor, so zeta must grow with it; see `ucg`.

Published for a thousand levels, each a short step. With ten levels a step that is long enough below is far too long
above, where the state is almost all noise: with `limit` it ends where it is nearest to y.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.guidance.guidance import Moment
from finescale.guidance.solver import Level


@dataclass(frozen=True)
class Dps:
    """The published guidance.

    Attributes:
        zeta: length of the step, in scaled units.
        limit: never step beyond the point nearest to y; for single frames.
        reach: hours of margin.
    """

    zeta: float = 0.3
    limit: bool = False
    reach: int = 0

    def backward(self, level: Level) -> bool:
        """At every level."""
        return True

    def __call__(self, moment: Moment) -> Tensor:
        """Return the mean whose step ends where the published one does."""
        segment = moment.segment
        units = []
        for r in segment.split(segment.residual(moment.x_0)):
            size = r.square().sum((-1, -2), keepdim=True).sqrt()
            units.append((r / size.clamp_min(1e-12)).flatten(-3))
        uphill = -segment.adjoint(torch.cat(units, -1), moment.x_0)
        shift = -self.zeta * step(moment, uphill)
        if self.limit:
            shift = shift * share(moment, shift, lambda h: h)
        return (moment.x_0 + shift)[:, moment.own]


def step(moment: Moment, uphill: Tensor) -> Tensor:
    """Shift of x̂_0 that moves the next state by the gradient of a norm, in variance-preserving units.

    Args:
        moment: where.
        uphill: gradient of the norm by x̂_0.
    """
    level = moment.level
    if level.rule not in ("euler", "ancestral"):
        raise FinescaleError(
            f"gradient steps on the state need one evaluation a step: solver rule {level.rule}; "
            "choose the solver euler or ancestral"
        )
    vp = math.sqrt((1 + level.sigma**2) * (1 + level.target**2))
    return moment.pull(uphill) * vp / level.gain


def share(moment: Moment, shift: Tensor, metric: Callable[[Tensor], Tensor]) -> Tensor:
    """The part of a shift of x̂_0 that brings each frame nearest to y, at most all of it ``[M, T, 1, 1, 1]``.

    Args:
        moment: where; one product, whose every stamp is a frame.
        shift: ``[M, T, C, H, W]``.
        metric: multiplies coarse values ``[M, T, C, n]`` by the matrix of the squared norm.
    """
    segment = moment.segment
    (r,), (h,) = segment.split(segment.residual(moment.x_0)), segment.split(segment.apply(shift))
    if h.shape[1] != shift.shape[1]:
        raise FinescaleError(
            f"steps are limited frame by frame: {h.shape[1]} stamps in {shift.shape[1]} frames; set limit to false"
        )
    mine = metric(h)
    size = (mine * h).sum((-1, -2)).clamp_min(1e-30)
    return ((mine * r).sum((-1, -2)) / size).clamp(0, 1)[..., None, None, None]

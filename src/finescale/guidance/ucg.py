"""Unified coordinate guidance: compare model and sample on the fine grid, through one common coarse scale.

    x_s <- x_s - zeta grad_{x_t} || sqrt(w) U A (y - H x̂_0(x_t)) ||_2      (Tie et al. 2026, arXiv 2601.21760)

A averages the model's cells to those of a common scale, U re-projects these to the fine grid by bilinear interpolation
and w are latitude weights of mean one. Both sides go through the same operators: what U A cannot show is left to the
prior. As U^T U is about the number of fine cells in a common one, the step does not shrink with the factor, which is
what makes `dps` fail at large ones. The norm is over all variables of one frame of one member. With several scales the
norm is that of all rungs of a `ladder`, each weighted by its trust. `residual = coarse` compares on the common grid
itself, for the ablation.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.operator import AreaMean
from finescale.grid.grid import Grid
from finescale.guidance.conditions import Conditions
from finescale.guidance.dps import share, step
from finescale.guidance.guidance import Moment
from finescale.guidance.ladder import Ladder
from finescale.guidance.observation import Source
from finescale.guidance.solver import Level
from finescale.prior.gaussian import GaussianClimate


@dataclass(frozen=True)
class Ucg:
    """The guidance of one product of area means.

    Attributes:
        ladder: the common scales.
        zeta: length of the step, in scaled units.
        weights: of the fine rows, mean one ``[H]``; None for equal ones.
        residual: on which grid fields are compared.
        limit: as in `dps`.
        reach: hours of margin.
    """

    ladder: Ladder
    zeta: float = 0.1
    weights: Tensor | None = None
    residual: Literal["fine", "coarse"] = "fine"
    limit: bool = False
    reach: int = 0

    def backward(self, level: Level) -> bool:
        """At every level."""
        return True

    def __call__(self, moment: Moment) -> Tensor:
        """Return the mean whose step ends where the published one does."""
        segment = moment.segment
        if len(segment.parts) > 1:
            raise FinescaleError(
                f"ucg compares one product: there are {len(segment.parts)}; choose gaussian-cov or mmps"
            )
        space = area_means(segment.parts[0][0])
        (r,) = segment.split(segment.residual(moment.x_0))
        image, size = self.metric(r, space)
        uphill = -segment.adjoint((image / size).flatten(-3), moment.x_0)
        shift = -self.zeta * step(moment, uphill)
        if self.limit:
            shift = shift * share(moment, shift, lambda h: self.metric(h, space)[0])
        return (moment.x_0 + shift)[:, moment.own]

    def metric(self, r: Tensor, space: AreaMean) -> tuple[Tensor, Tensor]:
        """The matrix of the squared norm times residuals ``[..., C, n]``, and their norm ``[..., 1, 1]``."""
        cells = r.reshape(*r.shape[:-1], space.rows.shape[0], space.columns.shape[0])
        back, square = [], cells.new_zeros(())
        for k, (rung, detail) in enumerate(zip(self.ladder.rungs, self.ladder.details(cells), strict=True)):
            weight = 1.0 if self.ladder.trust is None else self.ladder.trust[k][:, None, None].to(detail)
            if self.residual == "coarse":
                pulled = weight * detail
            else:
                rows = 1.0 if self.weights is None else self.weights[:, None].to(detail)
                pulled = rung.spread_adjoint(weight * rows * rung.spread(detail))
            square = square + (detail * pulled).sum((-1, -2, -3))
            back.append(pulled)
        image = self.ladder.details_adjoint(back).flatten(-2)
        return image, square.clamp_min(1e-24).sqrt()[..., None, None]


def area_means(source: Source) -> AreaMean:
    """The spatial part of a product, which must be area means."""
    if not isinstance(source.space, AreaMean):
        raise FinescaleError(
            "ucg re-projects area means to the fine grid: a product has stations; choose gaussian-cov"
        )
    return source.space


def by_latitude(grid: Grid) -> Tensor:
    """Cosines of the latitude of the rows, mean one."""
    cos = torch.cos(torch.deg2rad(torch.tensor(grid.lat, dtype=torch.float64)))
    return cos / cos.mean()


def ladder_of(
    given: Conditions, fine: Grid, scales: tuple[int, ...], climate: GaussianClimate | None
) -> Ladder:
    """The common scales of a request; of several, each is trusted as far as its variance is that of the climate.

    Args:
        given: the request.
        fine: grid of the state.
        scales: in fine cells; none for the model's own.
        climate: of the reanalysis; only for several scales.
    """
    source = given.observation.sources[0]
    space = area_means(source)
    ladder = Ladder.of(space, fine, scales)
    if len(scales) < 2:
        return ladder
    if climate is None:
        raise FinescaleError(
            "several scales are weighted by a fitted Gaussian climate: none was given; fit one"
        )
    shape = (space.rows.shape[0], space.columns.shape[0])
    channels = list(source.channels)
    stamps = given.clock()[source.first - given.first :: source.clock.every][: len(source.y)]
    mean = space.apply(climate.mean(stamps).double()[:, channels])
    eofs = space.apply(climate.eofs[:, channels].double())
    model = (source.y - mean).reshape(*mean.shape[:2], *shape)
    found = [power.nanmean(0) for power in ladder.powers(model)]
    # The climate is asked about the cells that the model has.
    patterns = torch.where(torch.isfinite(model).any(0), eofs.reshape(-1, *model.shape[1:]), torch.nan)
    true = [climate.variance.double() @ power for power in ladder.powers(patterns)]
    return ladder.trusting(torch.stack(found), torch.stack(true))

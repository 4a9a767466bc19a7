"""Denoising diffusion restoration: what is observed is set, what is not is drawn, direction by direction.

Kawar, Elad, Ermon, Song (2022), "Denoising diffusion restoration models", arXiv 2201.11793. In the singular vectors of
H each number of the state is either observed, as y / s with error e = sqrt(R) / s, or free. For area means of disjoint
cells that decomposition is known: every row of H is a singular vector of its own, with s^2 its sum of squares, and all
other directions are free. So the decomposition is never made: H^T (H x / s^2) is the observed part of x.

    free             x_s = x̂_0 + sqrt(1 - eta^2) sigma_s (x_t - x̂_0) / sigma_t      + eta sigma_s z
    sigma_s < e      x_s = x̂_0 + sqrt(1 - eta^2) sigma_s (y / s - x̂_0) / e          + eta sigma_s z
    otherwise        x_s = (1 - eta_b) x̂_0 + eta_b y / s                             + sqrt(sigma_s^2 - eta_b^2 e^2) z

The first line is the solver `renoise`, whose eta it takes; the others are reached through the guided mean and through
noise of its own. Published: eta 0.85, eta_b 1, 20 of 1000 levels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.guidance.guidance import Moment
from finescale.guidance.observation import Segment, check_linear
from finescale.guidance.solver import Level


@dataclass(frozen=True)
class Ddrm:
    """The restoration; rows of H must not overlap.

    Attributes:
        eta_b: weight of the observation where the noise level is above its error.
        reach: hours of margin.
    """

    eta_b: float = 1.0
    reach: int = 0

    def backward(self, level: Level) -> bool:
        """Never."""
        return False

    def __call__(self, moment: Moment) -> Tensor:
        """Return the mean whose step ends where the published one does."""
        segment, level = moment.segment, moment.level
        check_linear("ddrm", [source for source, _ in segment.parts])
        if level.rule != "renoise":
            raise FinescaleError(
                f"ddrm is defined by its own step: solver rule {level.rule}; choose the solver renoise"
            )
        y, error = _observed(segment)
        mean, state = _coordinates(segment, moment.x_0), _coordinates(segment, moment.x_t)
        near = mean + level.ratio * level.target * (y - mean) / error.clamp_min(1e-30)
        far = (1 - self.eta_b) * mean + self.eta_b * y
        wanted = torch.where(level.target < error, near, far)
        guided = (wanted - (1 - level.gain) * state) / level.gain
        return (moment.x_0 + _state(segment, guided - mean, moment.x_0))[:, moment.own]

    def start(self, white: Tensor, level: Level, segment: Segment) -> Tensor:
        """The first state: observed directions lie at their value, as far as the error allows."""
        (y, error), sigma = _observed(segment), level.sigma
        size = torch.where(sigma > error, (sigma**2 - error**2).clamp_min(0).sqrt(), sigma)
        centre = torch.where(sigma > error, y, 0.0)
        seen = (size - sigma) * _coordinates(segment, white) + centre
        return sigma * white + _state(segment, seen, white)

    def fresh(self, white: Tensor, level: Level, segment: Segment) -> Tensor:
        """The noise after a step: more of it in observed directions, where no old direction is kept."""
        _, error = _observed(segment)
        far = (level.target**2 - (self.eta_b * error) ** 2).clamp_min(0).sqrt()
        size = torch.where(level.target < error, level.refresh, far)
        seen = (size - level.refresh) * _coordinates(segment, white)
        return level.refresh * white + _state(segment, seen, white)


def _observed(segment: Segment) -> tuple[Tensor, Tensor]:
    """Give y / s and its standard deviation sqrt(R) / s, both ``[n]``."""
    size = segment.diagonal.sqrt()
    return segment.y / size, segment.error.to(size).sqrt() / size


def _coordinates(segment: Segment, x: Tensor) -> Tensor:
    """A state ``[..., T, C, H, W]`` along the observed singular vectors ``[..., n]``."""
    return segment.apply(x) / segment.diagonal.sqrt()


def _state(segment: Segment, seen: Tensor, like: Tensor) -> Tensor:
    """The state with these coordinates along the observed singular vectors, zero elsewhere."""
    return segment.adjoint((seen / segment.diagonal.sqrt()).to(like), like)

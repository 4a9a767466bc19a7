"""Score-based data assimilation: the likelihood of y given x_t with an inflated variance.

    p(y | x_t) = N(y; H x̂_0, std^2 + gamma sigma_t^2)

Rozet and Louppe (2023), arXiv 2306.10574, with the exact gradient through the network; Schmidt et al. (2025),
npj Climate and Atmospheric Science 8:270, hold the network constant (`detached`), which needs no backward pass.
gamma stands for H C_t H^T / sigma_t^2. gamma = diag(H H^T) would be right for a prior without spatial correlation;
for smooth fields it guides far too weakly.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.scaling import Scaling
from finescale.guidance.guidance import Moment
from finescale.guidance.observation import Segment
from finescale.guidance.solver import Level

# Schmidt et al. normalise by the 5 % and 95 % quantiles; a Gaussian then has this standard deviation.
QUANT95_STD = 1 / 3.2897
PUBLISHED_GAMMA = 7.196856730e-4
PUBLISHED_STD = {"psl": 0.1692666615, "tas": 0.0425178630, "uas": 0.3268027589, "vas": 0.3268027589}


@dataclass(frozen=True)
class Sda:
    """Detached or exact-gradient guidance.

    Attributes:
        gamma: variance of H x_0 given x_t over sigma_t^2; None takes diag(H H^T).
        std: standard deviation of each channel's observation in scaled units; None takes R of the observation.
        gradient: `detached` or `exact`.
        reach: hours of margin for the exact gradient.
    """

    gamma: float | None = None
    std: tuple[float, ...] | None = None
    gradient: Literal["detached", "exact"] = "detached"
    reach: int = 0

    def backward(self, level: Level) -> bool:
        """At every level, for the exact gradient."""
        return self.gradient == "exact"

    def __call__(self, moment: Moment) -> Tensor:
        """Return x̂_0 + sigma_t^2 grad log p(y | x_t)."""
        segment, variance = moment.segment, moment.level.sigma**2
        spread = segment.diagonal if self.gamma is None else self.gamma
        pull = segment.residual(moment.x_0) / (self._error(segment) + spread * variance)
        gradient = segment.adjoint(pull, moment.x_0)
        if self.gradient == "exact":
            gradient = moment.pull(gradient)
        return (moment.x_0 + variance * gradient)[:, moment.own]

    def _error(self, segment: Segment) -> Tensor:
        if self.std is None:
            return segment.error
        pieces = []
        for source, view in segment.parts:
            std = torch.tensor([self.std[c] for c in source.channels]).to(segment.y)
            pieces.append(std[None, :, None].expand(len(view.time), -1, source.space.size).flatten())
        return torch.cat(pieces).square()


def published(scaling: Scaling) -> Sda:
    """The constants of Schmidt et al. (2025), found there by random search; theirs is the scaling `quant95`."""
    missing = [name for name in scaling.variables if name not in PUBLISHED_STD]
    if missing:
        raise FinescaleError(
            f"the published constants cover {', '.join(PUBLISHED_STD)}: not {', '.join(missing)}; set gamma and std"
        )
    unit = 1.0 if scaling.kind == "quant95" else QUANT95_STD
    return Sda(PUBLISHED_GAMMA, tuple(PUBLISHED_STD[name] / unit for name in scaling.variables))

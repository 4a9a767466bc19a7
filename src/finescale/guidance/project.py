"""Range-null-space projection: each coarse mean is replaced by the observed one at every level.

    x̂_0 + H^T (H H^T)^-1 (y - H x̂_0)

Wang et al. (2023), "Zero-shot image restoration using denoising diffusion null-space model", arXiv 2212.00490. The
members agree with y exactly whatever R is, and the other scales learn of y only through the network.
"""

from dataclasses import dataclass

from torch import Tensor

from finescale.guidance.guidance import Moment
from finescale.guidance.observation import check_linear
from finescale.guidance.solver import Level


@dataclass(frozen=True)
class Project:
    """The projection; rows of H must not overlap."""

    reach: int = 0

    def backward(self, level: Level) -> bool:
        """Never."""
        return False

    def __call__(self, moment: Moment) -> Tensor:
        """Return the state nearest to x̂_0 that has the observed means."""
        segment = moment.segment
        check_linear("project", [source for source, _ in segment.parts])
        step = segment.adjoint(segment.residual(moment.x_0) / segment.diagonal, moment.x_0)
        return (moment.x_0 + step)[:, moment.own]

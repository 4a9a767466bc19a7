"""Guidance by the covariance of a linear-Gaussian climate: no gradient through the network, no constant to tune.

    x̂_0 + C_t H^T (H C_t H^T + R)^-1 (y - H x̂_0)

C_t = (Sigma^-1 + I / sigma_t^2)^-1 with Sigma fitted to the training data takes the place of sigma_t^2 times the
Jacobian of the denoiser in the guidance of Rozet et al. (2024), arXiv 2405.13712. The network supplies what is not
Gaussian, the climate says how a coarse observation spreads over scales, hours and variables.
"""

from dataclasses import dataclass

from torch import Tensor

from finescale.guidance.covariance import Covariance
from finescale.guidance.guidance import Moment
from finescale.guidance.solver import Level


@dataclass(frozen=True)
class GaussianCov:
    """The closed-form correction.

    Attributes:
        covariance: C_t.
        reach: hours on either side of a block whose observations are used.
    """

    covariance: Covariance
    reach: int = 24

    def backward(self, level: Level) -> bool:
        """Never."""
        return False

    def __call__(self, moment: Moment) -> Tensor:
        """Return the corrected mean."""
        segment, sigma = moment.segment, moment.level.sigma
        residual = segment.residual(moment.x_0)
        if moment.error is not None:
            residual = residual - moment.error
        u = self.covariance.solve(segment, moment.x_0.shape[1], sigma, residual)
        return moment.x_0[:, moment.own] + self.covariance.spread(segment, u, moment.x_0, sigma, moment.own)

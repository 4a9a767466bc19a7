"""Moment matching posterior sampling: C_t = sigma_t^2 J^T from the network itself, by conjugate gradients.

Rozet, Andry, Lanusse, Louppe (2024), "Learning diffusion priors from observations by expectation maximization",
arXiv 2405.13712. Solves (R + sigma_t^2 H J^T H^T) u = y - H x̂_0, each product with J^T one backward pass. A known
covariance close to the true one (that of the fitted climate) gives the first guess and preconditions, so that one
or two iterations suffice; without it the start is zero and the preconditioner diag(H H^T). The products J^T H^T p
are kept and combined, so n iterations cost n backward passes, plus one with a first guess.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from finescale.guidance.covariance import Covariance
from finescale.guidance.guidance import Moment
from finescale.guidance.solver import Level


@dataclass(frozen=True)
class Mmps:
    """Conjugate gradients in the space of the observations, one system a member.

    Attributes:
        iterations: conjugate-gradient steps.
        covariance: first guess and preconditioner; None starts from zero.
        above: use gradients only above this noise level, and `covariance` alone below it: errors of a fitted
            covariance matter where the state knows little.
        reach: hours of margin on either side of a block.
    """

    iterations: int = 2
    covariance: Covariance | None = None
    above: float = 0.0
    reach: int = 24

    def backward(self, level: Level) -> bool:
        """Above the hand-over."""
        return self.covariance is None or level.sigma > self.above

    def __call__(self, moment: Moment) -> Tensor:
        """Return the corrected mean."""
        segment, sigma, cov = moment.segment, moment.level.sigma, self.covariance
        frames, own = moment.x_0.shape[1], moment.own
        r = segment.residual(moment.x_0)
        if cov is not None and not self.backward(moment.level):
            u = cov.solve(segment, frames, sigma, r)
            return moment.x_0[:, own] + cov.spread(segment, u, moment.x_0, sigma, own)

        def multiply(p: Tensor) -> tuple[Tensor, Tensor]:
            spread = sigma**2 * moment.pull(segment.adjoint(p, moment.x_0))
            return segment.error * p + segment.apply(spread), spread

        def precondition(v: Tensor) -> Tensor:
            if cov is not None:
                return cov.solve(segment, frames, sigma, v)
            return v / (segment.error + sigma**2 * segment.diagonal)

        step = torch.zeros_like(moment.x_0)
        if cov is not None:
            image, spread = multiply(precondition(r))
            r, step = r - image, spread
        total = moment.x_0 + step
        return _conjugate_gradients(multiply, precondition, r, self.iterations, total)[:, own]


def _conjugate_gradients(
    multiply: Callable[[Tensor], tuple[Tensor, Tensor]],
    precondition: Callable[[Tensor], Tensor],
    r: Tensor,
    iterations: int,
    total: Tensor,
) -> Tensor:
    """Solve for u and add its spread to `total`; scalars per member and in double precision."""
    z = precondition(r)
    p, rz = z, (r.double() * z.double()).sum(-1, keepdim=True)
    for i in range(iterations):
        image, spread = multiply(p)
        curvature = (p.double() * image.double()).sum(-1, keepdim=True)
        # A curvature that is not positive is rounding (or a network that is no gradient): that member stops.
        alpha = torch.where(curvature > 0, rz / curvature.clamp_min(1e-300), 0.0)
        total = total + alpha.to(r)[..., None, None, None] * spread
        if i + 1 < iterations:
            r = r - alpha.to(r) * image
            z = precondition(r)
            new = (r.double() * z.double()).sum(-1, keepdim=True)
            p, rz = z + (new / rz.clamp_min(1e-300)).to(r) * p, new
    return total

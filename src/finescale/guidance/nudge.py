"""Physics while sampling: each denoised mean takes a step towards fields that obey the heat equation.

    x̂_0 <- x̂_0 - w e(sigma) g / rms(g),    g = d L_pde(decode(x̂_0)) / d x̂_0

with e the error that is expected at the noise level. Only below the noise at which an estimate counts as a field, as in
training (`prior.physics`). The flux balance compares with the interpolated coarse data; coarse means are left to the
guidances that are made for them.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.context import Context
from finescale.grid.coarsening import Coarsening
from finescale.prior.budget import Budget
from finescale.prior.card import Prior
from finescale.prior.codec import Chain, Residual
from finescale.prior.latentspec import LatentSpec
from finescale.prior.physics import TEMPERATURE, Physics
from finescale.prior.regression import Regression


@dataclass(frozen=True)
class PhysicsNudge:
    """The step.

    Attributes:
        prior: whose states are moved.
        physics: the loss.
        mean: knows the coarse values of the prior's own variables.
        weight: w.
    """

    prior: Prior
    physics: Physics
    mean: Regression
    weight: float

    @classmethod
    def of(cls, prior: Prior, coarsening: Coarsening, weight: float) -> "PhysicsNudge":
        """Build the step for a latent prior."""
        if not isinstance(prior.spec, LatentSpec) or not isinstance(prior.codec, Chain):
            raise FinescaleError(
                "steps towards physics are for priors that are told the coarse data: this one is not; "
                "set guidance.physics to 0"
            )
        told = prior.predictors
        if told is None or TEMPERATURE not in told.variables or prior.card["budget"] is None:
            raise FinescaleError(
                f"steps towards physics need {TEMPERATURE}, coarse and fine: the prior draws {list(prior.variables)} "
                "and is not told it or has no fit of it; set guidance.physics to 0"
            )
        part = prior.codec.parts[0]
        assert isinstance(part, Residual)
        spread = part.mean.network.coarse
        assert spread is not None
        spec = replace(prior.spec.physics, consistency=0.0)
        physics = Physics.of(spec, prior.scaling, told, coarsening, (spread.rows, spread.columns))
        budget = Budget.from_dict(prior.card["budget"])
        if tuple(budget.gap.shape) != physics.starts:
            raise FinescaleError(
                f"steps towards physics need the usual flux of a block at each coarse cell, {physics.starts}: the "
                f"prior holds {tuple(budget.gap.shape)}; train its last stage again or set guidance.physics to 0"
            )
        return cls(prior, replace(physics, budget=budget), part.mean, weight)

    def __call__(self, x_0: Tensor, context: Context, sigma: float) -> Tensor:
        """Move denoised means ``[B, T, C, h, w]``."""
        level = torch.tensor([sigma], device=x_0.device)
        spread = float(self.prior.denoiser.sigma_data.mean())  # type: ignore[operator]
        if sigma >= self.physics.spec.below * spread:
            return x_0
        with torch.enable_grad():
            at = x_0.detach().requires_grad_()
            field = self.prior.codec.decode(at, context)
            loss = self.physics(field, self.mean.told(context), context, field.new_ones(len(field)))
            uphill: Tensor = torch.autograd.grad(loss, at)[0]
        size = uphill.square().mean((1, 2, 3, 4), keepdim=True).sqrt()
        error = self.prior.denoiser.error_scale(level, x_0.shape[1])[..., None, None]
        return x_0 - self.weight * error * uphill / size.clamp_min(1e-30)

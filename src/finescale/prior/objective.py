"""What training minimises: the squared error of the denoiser in units of the error that was expected.

The weight ``1 / error_scale^2`` makes every noise level equally important at the start; for the EDM
preconditioning it is the weight of Karras et al. (2022), for epsilon prediction the plain loss of Ho et al.
(2020).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from finescale.fields.context import Context
from finescale.prior.denoiser import Preconditioned
from finescale.prior.loader import Batch
from finescale.prior.schedule import KarrasSchedule, Schedule


@dataclass(frozen=True)
class NoiseLaw:
    """How noise levels are drawn in training.

    Attributes:
        schedule: bounds of the noise; a variance-preserving schedule draws its time uniformly and ignores the rest.
        mean: of ln sigma.
        std: of ln sigma.
        tail: share drawn uniformly in ln sigma between the bounds.
    """

    schedule: Schedule
    mean: float
    std: float
    tail: float

    def draw(self, rng: np.random.Generator) -> float:
        """One noise-to-signal ratio."""
        if not isinstance(self.schedule, KarrasSchedule):
            alpha, sigma = self.schedule(torch.tensor(rng.random(), dtype=torch.float64))
            return float(sigma / alpha)
        low, high = math.log(self.schedule.sigma_min), math.log(self.schedule.sigma_max)
        if rng.random() < self.tail:
            return math.exp(rng.uniform(low, high))
        return math.exp(min(max(rng.normal(self.mean, self.std), low), high))


@dataclass(frozen=True)
class Noised:
    """A batch with noise on it: clean and noisy states ``[B, T, C, H, W]``, ``sigma [B]``, context, part."""

    x: Tensor
    x_t: Tensor
    sigma: Tensor
    context: Context
    fold: int = 0

    def split(self, parts: int) -> list["Noised"]:
        """Equal parts of the batch, for accumulating gradients."""
        size = -(-len(self.x) // parts)
        cuts = [(a, min(a + size, len(self.x))) for a in range(0, len(self.x), size)]
        return [
            Noised(self.x[a:b], self.x_t[a:b], self.sigma[a:b], self.context.rows(a, b), self.fold)
            for a, b in cuts
        ]


def add_noise(
    batch: Batch, law: NoiseLaw, *, seed: int, step: int, drop: float, device: torch.device
) -> Noised:
    """Noise a batch; each window's noise depends on (seed, step, place in the global batch) alone."""
    x = batch.x.to(device)
    sigma, keep, eps = np.empty(len(x)), np.empty(len(x), dtype=bool), torch.empty_like(x)
    for i, index in enumerate(batch.index):
        entropy = np.random.SeedSequence([seed, step, int(index)])
        state = [int(word) for word in entropy.generate_state(2, np.uint64)]
        rng = np.random.Generator(np.random.Philox(state[0]))
        sigma[i], keep[i] = law.draw(rng), rng.random() >= drop
        generator = torch.Generator(device).manual_seed(state[1] >> 1)
        eps[i] = torch.randn(x.shape[1:], generator=generator, device=device)
    level = torch.from_numpy(sigma).float().to(device)
    context = batch.context(device, torch.from_numpy(keep).to(device))
    return Noised(x, x + level.view(-1, 1, 1, 1, 1) * eps, level, context, batch.fold)


def loss(denoiser: torch.nn.Module, scale_of: Preconditioned, noised: Noised) -> Tensor:
    """Mean over windows of the weighted squared error, per valid cell.

    Args:
        denoiser: what is called; may be wrapped for several processes.
        scale_of: the denoiser itself.
        noised: the batch.
    """
    return weighted_error(denoiser(noised.x_t, noised.sigma, noised.context), scale_of, noised)


def weighted_error(estimate: Tensor, scale_of: Preconditioned, noised: Noised) -> Tensor:
    """The loss of an estimate of the clean states."""
    scale = scale_of.error_scale(noised.sigma, noised.x.shape[1])[..., None, None]
    error = (estimate - noised.x) / scale
    mask = scale_of.valid(noised.x, noised.context)
    # Crops may hold no valid cell at all: they cost nothing.
    valid = mask.float().mean().clamp_min(1 / mask.numel())
    value: Tensor = (error.square() * mask).mean() / valid
    return value

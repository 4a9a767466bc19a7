"""Noise schedules, in azula's vocabulary: a time t in [0, 1] gives alpha_t (signal) and sigma_t (noise).

Samplers work in the variance-exploding form ``x_t = x_0 + sigma eps``; ``levels`` gives them the
noise-to-signal ratios to visit, largest first, zero last.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

_STEPS = 1000


class Schedule(Protocol):
    """What turns a time into noise."""

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """``alpha_t, sigma_t`` at times ``t [*]``."""
        ...

    def levels(self, steps: int) -> Tensor:
        """Noise-to-signal ratios of a sampler, ``[steps + 1]`` in float64, falling to 0."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """For the card."""
        ...


@dataclass(frozen=True)
class KarrasSchedule:
    """Variance exploding, dense at low noise (Karras et al. 2022, arXiv 2206.00364, eq. 5).

    Attributes:
        sigma_min: smallest noise, scaled units.
        sigma_max: largest noise; well above the spread of the data.
        rho: 7 as published; larger is denser at low noise.
    """

    sigma_min: float = 0.01
    sigma_max: float = 80.0
    rho: float = 7.0

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """``alpha_t = 1`` and ``sigma_t`` from ``sigma_min`` at t = 0 to ``sigma_max`` at t = 1."""
        low, high = self.sigma_min ** (1 / self.rho), self.sigma_max ** (1 / self.rho)
        return torch.ones_like(t), (low + t * (high - low)) ** self.rho

    def levels(self, steps: int) -> Tensor:
        """``steps`` levels from ``sigma_max`` to ``sigma_min``, then 0."""
        t = torch.linspace(1, 0, steps, dtype=torch.float64)
        return torch.cat([self(t)[1], t.new_zeros(1)])

    def to_dict(self) -> dict[str, Any]:
        """For the card."""
        return {"kind": "karras", "sigma_min": self.sigma_min, "sigma_max": self.sigma_max, "rho": self.rho}


@dataclass(frozen=True)
class CosineSchedule:
    """The schedule of Schmidt et al. (2025), npj Clim. Atmos. Sci. 8:270, after Rozet & Louppe (2023).

    ``alpha_t = cos(arccos(sqrt(eta)) t)^2``, ``sigma_t = sqrt(1 - alpha_t^2 + eta^2)``.
    """

    eta: float = 1e-3

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """``alpha_t, sigma_t``; their ratio runs from ``eta`` to ``1 / eta``."""
        alpha = torch.cos(math.acos(math.sqrt(self.eta)) * t) ** 2
        return alpha, torch.sqrt(1 - alpha**2 + self.eta**2)

    def levels(self, steps: int) -> Tensor:
        """Ratios at uniform times 1, 1 - 1/steps, ..., 1/steps, then 0."""
        t = torch.linspace(1, 0, steps + 1, dtype=torch.float64)[:-1]
        alpha, sigma = self(t)
        return torch.cat([sigma / alpha, t.new_zeros(1)])

    def time_of(self, ratio: Tensor) -> tuple[Tensor, Tensor]:
        """``alpha_t`` and t where sigma_t / alpha_t equals ``ratio`` (clamped to the schedule's ends)."""
        alpha = torch.sqrt((1 + self.eta**2) / (1 + ratio**2)).clamp(self.eta, 1.0)
        return alpha, torch.arccos(torch.sqrt(alpha)) / math.acos(math.sqrt(self.eta))

    def to_dict(self) -> dict[str, Any]:
        """For the card."""
        return {"kind": "cosine", "eta": self.eta}


@dataclass(frozen=True)
class LinearSchedule:
    """Variance preserving, ``beta`` growing as the square of a line in 1000 steps (Rombach et al. 2022).

    The schedule of Jiang et al. (2025), arXiv 2510.23866: from 1e-4 to 2e-2.
    """

    first: float = 1e-4
    last: float = 2e-2

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """``alpha_t, sigma_t`` with ``alpha_t^2 + sigma_t^2 = 1``, at the nearest of the 1000 steps."""
        betas = torch.linspace(self.first**0.5, self.last**0.5, _STEPS, dtype=torch.float64).square()
        kept = torch.cumprod(1 - betas, 0)[(t * (_STEPS - 1)).round().long()]
        return kept.sqrt(), (1 - kept).sqrt()

    def levels(self, steps: int) -> Tensor:
        """Ratios at uniform times from 1 to 0, then 0."""
        alpha, sigma = self(torch.linspace(1, 0, steps, dtype=torch.float64))
        return torch.cat([sigma / alpha, sigma.new_zeros(1)])

    def to_dict(self) -> dict[str, Any]:
        """For the card."""
        return {"kind": "linear", "first": self.first, "last": self.last}


def schedule_from(values: dict[str, Any]) -> Schedule:
    """The inverse of ``to_dict``."""
    rest = {key: value for key, value in values.items() if key != "kind"}
    kinds = {"cosine": CosineSchedule, "linear": LinearSchedule, "karras": KarrasSchedule}
    found: Schedule = kinds[values["kind"]](**rest)
    return found

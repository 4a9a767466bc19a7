"""The contract of every guidance: make the denoised mean of the prior that of the posterior.

E[x_0 | x_t, y] = x̂_0 + C_t H^T (H C_t H^T + R)^-1 (y - H x̂_0) for a Gaussian posterior p(x_0 | x_t) with mean
x̂_0 and covariance C_t = sigma_t^2 d x̂_0 / d x_t. The guidances differ in what they put for C_t, or in the norm
whose gradient they follow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from finescale.guidance.observation import Segment
from finescale.guidance.solver import Level


@dataclass(frozen=True)
class Moment:
    """One stretch of hours at one noise level.

    Attributes:
        x_t: noisy state ``[M, T, C, H, W]`` of M members.
        x_0: what the prior makes of it, same shape.
        level: noise level and the step that follows.
        segment: what was observed in these hours.
        own: the frames that are wanted; the others are margin.
        vjp: multiplies a state by the transposed Jacobian of the denoiser; only for guidances that ask for it.
        error: draws of the observation error ``[M, n]`` where x_0 is a draw and not a mean.
    """

    x_t: Tensor
    x_0: Tensor
    level: Level
    segment: Segment
    own: slice
    vjp: Callable[[Tensor], Tensor] | None = None
    error: Tensor | None = None

    def pull(self, v: Tensor) -> Tensor:
        """J^T v, with J = d x̂_0 / d x_t."""
        assert self.vjp is not None, "the guidance must ask for gradients"
        return self.vjp(v)


class Guidance(Protocol):
    """Corrects the denoised mean of each stretch of hours towards the observation."""

    @property
    def reach(self) -> int:
        """Hours on either side of a block whose observations still matter to it."""
        ...

    def backward(self, level: Level) -> bool:
        """Whether this level needs gradients through the network."""
        ...

    def __call__(self, moment: Moment) -> Tensor:
        """Return the guided mean of the wanted frames ``[M, own, C, H, W]``."""
        ...


@runtime_checkable
class OwnNoise(Guidance, Protocol):
    """A guidance whose noise is not the same in all directions: it makes the first state and every fresh noise."""

    def start(self, white: Tensor, level: Level, segment: Segment) -> Tensor:
        """Return the first state from standard normal noise ``[M, T, C, H, W]``."""
        ...

    def fresh(self, white: Tensor, level: Level, segment: Segment) -> Tensor:
        """Return what is added after a step, from standard normal noise ``[M, T, C, H, W]``."""
        ...

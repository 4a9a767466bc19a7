"""A prior at the hours of one request: what it is told of them, and how its states decode to fields."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.context import Context
from finescale.fields.paired import CoarseFrames
from finescale.guidance.conditions import Conditions
from finescale.guidance.days import Days
from finescale.guidance.heed import on_windows
from finescale.guidance.observation import Observation, Segment
from finescale.guidance.wave import Denoise
from finescale.prior.card import Prior
from finescale.prior.codec import Chain, Residual

# Correction of a denoised mean by (mean, context, noise level).
Nudge = Callable[[Tensor, Context, float], Tensor]


@dataclass(frozen=True)
class Scene:
    """See the module.

    Attributes:
        prior: what fine weather looks like.
        given: the request.
        coarse: the coarse data, for a paired prior.
        device: where to compute.
        weight: heed of the context; see `guidance.heed`.
        nudge: what is done to each denoised mean before any guidance.
        days: what fields of ordinary days become; None where they are the request's own.
    """

    prior: Prior
    given: Conditions
    coarse: xr.Dataset
    device: str = "cpu"
    weight: float = 1.0
    nudge: Nudge | None = None
    days: Days | None = None

    @cached_property
    def context(self) -> Context:
        """Of all hours, as one window: clock ``[1, T, 2]`` and coarse frames ``[1, T, K, h, w]``."""
        told = None
        if self.prior.predictors is not None:
            frames = CoarseFrames.of(self.coarse, self.prior.predictors)
            hours = np.arange(self.given.first, self.given.stop)
            told = torch.from_numpy(frames(hours))[None]
        return Context(self.given.clock()[None], None, told).to(self.device)

    @cached_property
    def denoise(self) -> Denoise:
        """Denoised means of windows that begin at some frames."""
        heeded = on_windows(self.prior, self.context, self.given.first, self.weight)
        if self.nudge is None:
            return heeded
        nudge, size = self.nudge, torch.arange(self.prior.window)

        def moved(x: Tensor, sigma: float, starts: list[int]) -> Tensor:
            rows = torch.tensor(starts)[:, None] - self.given.first + size
            return nudge(heeded(x, sigma, starts), self.context.windows(rows), sigma)

        return moved

    def fields(self, x: Tensor, first: int) -> Tensor:
        """Scaled fields of states ``[M, T, C, H, W]`` whose first frame is an absolute hour."""
        at = first - self.given.first
        out = self.prior.codec.decode(x, self.context.frames(at, at + x.shape[1]))
        return out if self.days is None else self.days.restored(out, first)

    @torch.no_grad()
    def mean(self, first: int, stop: int) -> NDArray[np.float32]:
        """The reference network's scaled mean of the hours [first, stop), ``[T, C, H, W]``."""
        parts = self.prior.codec.parts if isinstance(self.prior.codec, Chain) else ()
        for part in parts:
            if isinstance(part, Residual):
                at = self.given.first
                found: Tensor = part.mean(self.context.frames(first - at, stop - at))
                return np.asarray(found[0].cpu().numpy(), dtype=np.float32)
        raise FinescaleError(
            "a mean is answered by a latent prior: this one has no reference network; draw instead"
        )

    def observation(self) -> Observation:
        """The observation as the prior's states see it: through the decoder where there is one."""
        seen = self.given.observation
        return seen if self.prior.codec.linear else DecodedObservation(seen.sources, self)


@dataclass(frozen=True)
class DecodedSegment(Segment):
    """A segment whose operator is H o decode; only its gradient at a state is linear.

    Attributes:
        decode: states ``[..., T, C, h, w]`` of these hours to fields.
    """

    decode: Callable[[Tensor], Tensor]

    def apply(self, x: Tensor) -> Tensor:
        """H decode(x)."""
        return super().apply(self.decode(x))

    def adjoint(self, v: Tensor, like: Tensor) -> Tensor:
        """The transposed Jacobian of H o decode at the state ``like``, times v."""
        with torch.enable_grad():
            at = like.detach().requires_grad_()
            field = self.decode(at)
            out: Tensor = torch.autograd.grad(field, at, super().adjoint(v, field.detach()))[0]
        return out

    @property
    def diagonal(self) -> Tensor:
        """There is none."""
        raise FinescaleError(
            "the diagonal of H H^T is that of a linear operator: this one decodes latents; give sda a gamma"
        )


@dataclass(frozen=True)
class DecodedObservation(Observation):
    """An observation of decoded states.

    Attributes:
        scene: decodes.
    """

    scene: Scene

    def segment(self, first: int, stop: int, members: tuple[int, ...] | None = None) -> Segment | None:
        """The observation of the hours [first, stop)."""
        plain = super().segment(first, stop, members)
        if plain is None:
            return None
        decode = partial(self.scene.fields, first=first)
        return DecodedSegment(plain.parts, plain.y, plain.mask, plain.error, decode)

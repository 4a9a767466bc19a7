"""Denoisers: E[x_0 | x_t] for windows of scaled fields, where ``x_t = x_0 + sigma eps``.

The network never sees raw scales: a preconditioning wraps it, in float32 whatever the precision inside, and
says how large its error is expected to be (``error_scale``), which is also the weight of the training loss.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from finescale.fields.context import Context
from finescale.fields.crop import cut
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.schedule import CosineSchedule
from finescale.prior.tiling import Tiles


@runtime_checkable
class Denoiser(Protocol):
    """E[x_0 | x_t] of a window of consecutive frames."""

    def __call__(self, x_t: Tensor, sigma: Tensor, context: Context | None = None) -> Tensor:
        """Denoise.

        Args:
            x_t: ``[B, T, C, H, W]``, scaled units, ``x_0 + sigma eps``.
            sigma: noise-to-signal ratio, ``[B]`` or a scalar.
            context: when the frames are; may be None only for a prior without context and without
                climatology.

        Returns:
            ``[B, T, C, H, W]``.
        """
        ...


class Preconditioned(nn.Module, ABC):
    """What all trained denoisers share: a network, a mask and a working precision.

    Attributes:
        network: ``(inputs [B, T, Q * C, H, W], log sigma [B], context) -> [B, T, C, H, W]``; ``streams`` = Q.
        mask: valid cells ``[C, H, W]``; the estimate is zero elsewhere.
        bf16: run the network (not the preconditioning) in bfloat16.
    """

    streams = 1
    mask: Tensor

    def __init__(self, network: nn.Module, mask: Tensor) -> None:
        super().__init__()
        self.network = network
        self.bf16 = False
        self.register_buffer("mask", mask)

    def estimate(self, inputs: Tensor, log_sigma: Tensor, context: Context | None) -> Tensor:
        """The network in its working precision; float32 in, float32 out."""
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.bf16):
            return cast(Tensor, self.network(inputs, log_sigma, context)).float()

    @property
    def tiles(self) -> Tiles | None:
        """The crops that the network was trained on; None for the whole domain."""
        found = getattr(self.network, "tiles", None)
        return found if isinstance(found, Tiles) else None

    def valid(self, like: Tensor, context: Context | None) -> Tensor:
        """The mask of windows ``[B, T, C, h, w]`` where they lie, ``[C, H, W]`` or ``[B, 1, C, h, w]``."""
        if context is None or context.place is None:
            return self.mask
        return cut(self.mask, context.place, (like.shape[-2], like.shape[-1]))[:, None]

    @abstractmethod
    def error_scale(self, sigma: Tensor, frames: int) -> Tensor:
        """Expected size of the error before the network has learned anything, ``[B, T or 1, C]``."""


def per_sample(sigma: Tensor, batch: int) -> Tensor:
    """``sigma`` as ``[B, 1, 1]``, to spread over frames and variables."""
    return sigma.reshape(-1, 1, 1).expand(batch, 1, 1)


class KarrasDenoiser(Preconditioned):
    """Preconditioning of Karras et al. (2022), arXiv 2206.00364, with centre and spread per variable.

    ``D(x) = m + c_skip (x - m) + c_out F(c_in (x - m), log sigma)``.
    """

    centre: Tensor
    sigma_data: Tensor

    def __init__(self, network: nn.Module, mask: Tensor, centre: Tensor, sigma_data: Tensor) -> None:
        super().__init__(network, mask)
        self.register_buffer("centre", centre.reshape(-1, 1, 1))
        self.register_buffer("sigma_data", sigma_data.reshape(-1))

    def error_scale(self, sigma: Tensor, frames: int) -> Tensor:
        """``c_out``: ``sigma sigma_data / sqrt(sigma^2 + sigma_data^2)``."""
        s = sigma.reshape(-1, 1, 1)
        return s * self.sigma_data / torch.sqrt(s**2 + self.sigma_data**2)

    def forward(self, x_t: Tensor, sigma: Tensor, context: Context | None = None) -> Tensor:
        """See ``Denoiser``."""
        s = per_sample(sigma, x_t.shape[0])
        total = s**2 + self.sigma_data**2
        c_skip, c_out = _wide(self.sigma_data**2 / total), _wide(self.error_scale(s, 1))
        mask = self.valid(x_t, context)
        a = (x_t - self.centre) * mask
        f = self.estimate(a * _wide(total**-0.5), s.flatten().log(), context)
        return (self.centre + c_skip * a + c_out * f) * mask


class WienerDenoiser(Preconditioned):
    """A network that corrects the exact denoiser of a fitted linear-Gaussian climate.

    ``D(x) = W(x) + e(sigma) F([(W - m) / k(sigma), (x - W) / d(sigma)], log sigma)``: what is linear and
    Gaussian needs no learning. ``e`` is the error of W that the climate itself expects, ``k^2 = spread^2 -
    e^2`` the variance of what W keeps and ``d^2 = sigma^2 - e^2`` of what it removes, so both streams and the
    target have unit variance at every noise level. The network sees the weather as W does, not under the
    noise, and the second stream keeps the small differences that a bfloat16 copy of ``x`` would round away.
    """

    streams = 2
    spread: Tensor

    def __init__(self, network: nn.Module, gaussian: GaussianClimate) -> None:
        super().__init__(network, gaussian.mask.clone())
        self.gaussian = gaussian
        self.register_buffer("spread", gaussian.total_variance().sqrt())

    @contextmanager
    def over(self, gaussian: GaussianClimate) -> Iterator[None]:
        """Correct another climate of the same variables for a while."""
        own, self.gaussian = self.gaussian, gaussian
        try:
            yield
        finally:
            self.gaussian = own

    def error_scale(self, sigma: Tensor, frames: int) -> Tensor:
        """Root mean posterior variance of the climate, per frame and variable."""
        return self.gaussian.posterior_variance(sigma, frames).clamp_min(1e-12).sqrt()

    def forward(self, x_t: Tensor, sigma: Tensor, context: Context | None = None) -> Tensor:
        """See ``Denoiser``; the context is needed for the climatological mean."""
        assert context is not None
        batch, frames = x_t.shape[:2]
        s = per_sample(sigma, batch)
        # Members share their hours.
        hours, when = torch.unique(context.clock.flatten(0, 1), dim=0, return_inverse=True)
        mean = self.gaussian.mean(hours)[when].view(*context.clock.shape[:2], *self.mask.shape)
        a = self._cut(x_t - mean)
        w = self._cut(self.gaussian.shrink(a, s.flatten()))
        distinct, which = torch.unique(s, return_inverse=True)
        e = self.error_scale(distinct, frames)[which.flatten()]
        removed = (s**2 - e**2).clamp_min(1e-3 * s**2).sqrt()
        kept = (self.spread**2 - e**2).clamp_min(1e-2 * self.spread**2).sqrt()
        streams = torch.cat([w / _wide(kept), (a - w) / _wide(removed)], dim=2)
        f = self.estimate(streams, s.flatten().log(), context)
        return self._cut(torch.addcmul(mean + w, _wide(e), f))

    def _cut(self, x: Tensor) -> Tensor:
        """Zero where a variable has no values."""
        return x if bool(self.mask.all()) else x * self.mask


class Linear:
    """A Gaussian climate as a denoiser by itself: the yardstick of every network."""

    def __init__(self, gaussian: GaussianClimate) -> None:
        self.gaussian = gaussian

    def __call__(self, x_t: Tensor, sigma: Tensor, context: Context | None = None) -> Tensor:
        """See ``Denoiser``; the context is needed for the climatological mean."""
        assert context is not None
        return self.gaussian.denoise(x_t, sigma, context.clock)


class EpsilonDenoiser(Preconditioned):
    """Epsilon prediction on the schedule of Schmidt et al. (2025): ``D(x) = x - sigma eps(alpha x, t)``.

    The network is told log sigma here too: an embedding of the time itself, as published, hardly varies.
    """

    def __init__(self, network: nn.Module, mask: Tensor, schedule: CosineSchedule) -> None:
        super().__init__(network, mask)
        self.schedule = schedule

    def error_scale(self, sigma: Tensor, frames: int) -> Tensor:
        """``sigma``: an unweighted loss on epsilon."""
        return sigma.reshape(-1, 1, 1).expand(-1, 1, self.mask.shape[0])

    def forward(self, x_t: Tensor, sigma: Tensor, context: Context | None = None) -> Tensor:
        """See ``Denoiser``."""
        s = per_sample(sigma, x_t.shape[0])
        alpha, _ = self.schedule.time_of(s)
        mask = self.valid(x_t, context)
        eps = self.estimate(_wide(alpha) * x_t * mask, s.flatten().log(), context)
        return (x_t - _wide(s) * eps) * mask


def _wide(v: Tensor) -> Tensor:
    """``[B, T, C]`` to ``[B, T, C, 1, 1]``."""
    return v[..., None, None]

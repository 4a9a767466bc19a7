"""The autoencoder of residual fields: deterministic, or variational with a Kullback-Leibler term."""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from finescale.errors import FinescaleError
from finescale.prior.latentspec import AutoencoderSpec

_REFINE = 8


class Autoencoder(nn.Module):
    """Fields ``[N, C, H, W]`` of unit variance to latents ``[N, latent, H / factor, W / factor]`` and back.

    Cells of a latent cell become channels, so that all layers but the last work on the small grid. Both ways are a
    linear map, which learns the principal patterns at once, plus what a network adds. Nothing is normalised on the
    way: an anomaly twice as large stays twice as large. Sides that the factor does not divide are padded.
    """

    def __init__(self, variables: int, spec: AutoencoderSpec) -> None:
        super().__init__()
        if not 1 <= spec.latent <= variables * spec.factor**2:
            raise FinescaleError(
                f"an autoencoder compresses: {spec.latent} numbers for {variables * spec.factor**2} values; "
                "choose latent below variables times factor squared"
            )
        self.variables, self.factor, self.variational = variables, spec.factor, spec.kl > 0
        cells, outputs = variables * spec.factor**2, spec.latent * (2 if self.variational else 1)
        self.encode_linear = nn.Conv2d(cells, spec.latent, 1, bias=False)
        self.encode_network = _network(cells, outputs, spec)
        self.decode_linear = nn.Conv2d(spec.latent, cells, 1, bias=False)
        self.decode_network = _network(spec.latent, cells, spec)
        self.refine = _Block(variables, _REFINE)
        nn.init.orthogonal_(self.encode_linear.weight)
        with torch.no_grad():
            self.decode_linear.weight.copy_(self.encode_linear.weight.transpose(0, 1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def latent_shape(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the latents of a field."""
        return math.ceil(height / self.factor), math.ceil(width / self.factor)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the latents of ``x [N, C, H, W]``."""
        down, right = -x.shape[-2] % self.factor, -x.shape[-1] % self.factor
        cells = F.pixel_unshuffle(F.pad(x, (0, right, 0, down), mode="replicate"), self.factor)
        out: Tensor = self.encode_network(cells)
        linear: Tensor = self.encode_linear(cells)
        if not self.variational:
            return linear + out, out.new_full((), -math.inf)
        mean, log_variance = out.chunk(2, dim=1)
        return linear + mean, log_variance.clamp(-20, 10)

    def encode(self, x: Tensor) -> Tensor:
        """The mean of the latents."""
        return self.posterior(x)[0]

    def decode(self, z: Tensor, height: int, width: int) -> Tensor:
        """Latents to fields ``[N, C, height, width]``."""
        cells = self.decode_linear(z) + self.decode_network(z)
        x = F.pixel_shuffle(cells, self.factor)[..., :height, :width]
        return cast(Tensor, self.refine(x))

    def forward(self, x: Tensor, noise: Tensor, kl: float) -> Tensor:
        """The loss: mean squared error of the reconstruction, plus the divergence where variational.

        Args:
            x: ``[N, C, H, W]``.
            noise: standard normals of the shape of the latents.
            kl: weight of the divergence, per latent number.
        """
        mean, log_variance = self.posterior(x)
        z = mean + torch.exp(log_variance / 2) * noise
        error = (self.decode(z, *x.shape[-2:]) - x).square().mean()
        if not self.variational:
            return error
        return error + kl * (mean.square() + log_variance.exp() - 1 - log_variance).mean() / 2


class _Block(nn.Module):
    """``x + conv(silu(conv(x)))``."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.last = nn.Conv2d(width, channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(cast(Tensor, self.last.bias))

    def forward(self, x: Tensor) -> Tensor:
        return x + cast(Tensor, self.last(F.silu(self.first(x))))


def _network(inputs: int, outputs: int, spec: AutoencoderSpec) -> nn.Sequential:
    blocks = [_Block(spec.width, spec.width) for _ in range(spec.blocks)]
    last = nn.Conv2d(spec.width, outputs, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(cast(Tensor, last.bias))
    return nn.Sequential(nn.Conv2d(inputs, spec.width, 1), *blocks, last)

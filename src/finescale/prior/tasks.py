"""The three trainings of a latent prior as tasks of the one loop: mean, autoencoder, diffusion."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from finescale.fields.context import Context
from finescale.prior.autoencoder import Autoencoder
from finescale.prior.codec import Chain, Residual
from finescale.prior.denoiser import KarrasDenoiser
from finescale.prior.latentspec import AutoencoderSpec, LatentSpec
from finescale.prior.loader import Batch, WindowLoader
from finescale.prior.objective import Noised, NoiseLaw, add_noise, loss, weighted_error
from finescale.prior.physics import Physics, balance
from finescale.prior.regression import Regression
from finescale.prior.spec import TrainingSpec
from finescale.prior.validation import Validation, score

Fields = tuple[Tensor, Context]
CHUNK = 16


@dataclass(frozen=True)
class MeanTask:
    """Least squares of the fine field on coarse data, static fields and time."""

    module: Regression
    recipe: TrainingSpec
    loader: WindowLoader
    held_out: Batch
    identity: str
    device: torch.device

    def parts(self, batch: Batch, step: int) -> list[Fields]:
        """Fields and their context."""
        return _pieces(batch.x.to(self.device), batch.context(self.device), self.recipe.accumulate)

    def example(self, count: int) -> Fields:
        """Copies of one held-out frame."""
        return _example(self.held_out, self.device, count)

    def loss(self, module: nn.Module, part: Fields) -> Tensor:
        """Mean squared error, scaled units."""
        x, context = part
        error: Tensor = (module(context) - x).square().mean()
        return error

    @torch.no_grad()
    def validate(self) -> tuple[float, dict[str, float]]:
        """Mean squared and mean absolute error of held-out frames, scaled units."""
        errors = [
            self.module(context) - x
            for x, context in _pieces(
                self.held_out.x.to(self.device),
                self.held_out.context(self.device),
                -(-len(self.held_out.x) // CHUNK),
            )
        ]
        error = torch.cat(errors)
        squared = float(error.square().mean())
        return squared, {"mse": squared, "mae": float(error.abs().mean())}


@dataclass(frozen=True)
class AutoencoderTask:
    """Reconstruction of the residual."""

    module: Autoencoder
    spec: AutoencoderSpec
    loader: WindowLoader
    codec: Residual
    held_out: Batch
    identity: str
    device: torch.device

    @property
    def recipe(self) -> TrainingSpec:
        """How."""
        return self.spec.training

    def parts(self, batch: Batch, step: int) -> list[tuple[Tensor, Tensor]]:
        """Residuals ``[N, C, H, W]`` and the noise of their latents."""
        x = self._residual(batch.x.to(self.device), batch.context(self.device))
        shape = (self.spec.latent, *self.module.latent_shape(*x.shape[-2:]))
        noise = torch.stack([_normal((self.recipe.seed, step, int(i)), shape) for i in batch.index])
        return list(
            zip(
                x.chunk(self.recipe.accumulate),
                noise.to(self.device).chunk(self.recipe.accumulate),
                strict=True,
            )
        )

    def example(self, count: int) -> tuple[Tensor, Tensor]:
        """Copies of one held-out residual."""
        x = self._residual(*_example(self.held_out, self.device, count))
        return x, x.new_zeros(count, self.spec.latent, *self.module.latent_shape(*x.shape[-2:]))

    def loss(self, module: nn.Module, part: tuple[Tensor, Tensor]) -> Tensor:
        """Error of the reconstruction, and the divergence where variational."""
        value: Tensor = module(*part, self.spec.kl)
        return value

    @torch.no_grad()
    def validate(self) -> tuple[float, dict[str, float]]:
        """Error of the reconstruction from the mean latents, in standard deviations of the held-out residual."""
        error = square = 0.0
        x, context = self.held_out.x.to(self.device), self.held_out.context(self.device)
        for piece in _pieces(x, context, -(-len(x) // CHUNK)):
            r = self._residual(*piece)
            again = self.module.decode(self.module.encode(r), *r.shape[-2:])
            error += float((again - r).square().sum())
            square += float(r.square().sum())
        relative = (error / square) ** 0.5
        return relative, {"reconstruction": relative}

    @torch.no_grad()
    def _residual(self, x: Tensor, context: Context) -> Tensor:
        return self.codec.encode(x, context).flatten(0, 1)


@dataclass(frozen=True)
class DiffusionTask:
    """Denoising of latents, and the physics of what they decode to.

    Attributes:
        module: the denoiser.
        spec: the prior.
        loader: of fields.
        codec: frozen; it decodes for the physics and is not trained.
        law: of the noise.
        held_out: fixed noisy latents.
        example_batch: a few fields for measuring the cost.
        physics: what decoded fields are held to; None leaves it out.
        identity: of this training.
        device: where to compute.
    """

    module: KarrasDenoiser
    spec: LatentSpec
    loader: WindowLoader
    codec: Chain
    law: NoiseLaw
    held_out: Validation
    example_batch: Batch
    physics: Physics | None
    identity: str
    device: torch.device

    @property
    def recipe(self) -> TrainingSpec:
        """How."""
        return self.spec.training

    def parts(self, batch: Batch, step: int) -> list[tuple[Noised, Tensor]]:
        """Noisy latents and the fields behind them."""
        x = batch.x.to(self.device)
        with torch.no_grad():
            z = self.codec.encode(x, batch.context(self.device))
        told = batch.context(torch.device("cpu")).shrunk(self.spec.autoencoder.factor)
        noised = add_noise(
            Batch(z, told.clock, batch.index, told.coarse, place=told.place),
            self.law,
            seed=self.recipe.seed,
            step=step,
            drop=self.recipe.drop_context,
            device=self.device,
        )
        pieces = noised.split(self.recipe.accumulate)
        return list(zip(pieces, torch.split(x, len(pieces[0].x)), strict=True))

    def example(self, count: int) -> tuple[Noised, Tensor]:
        """Copies of one window at the noise of the latents' own spread."""
        x, context = _example(self.example_batch, self.device, count)
        with torch.no_grad():
            z = self.codec.encode(x, context)
        sigma = self.module.sigma_data.mean().expand(count) * self.spec.physics.below / 2
        keep = torch.ones(count, dtype=torch.bool, device=z.device)
        context = replace(context.shrunk(self.spec.autoencoder.factor), keep=keep)
        return Noised(z, z + sigma.view(-1, 1, 1, 1, 1), sigma, context), x

    def loss(self, module: nn.Module, part: tuple[Noised, Tensor]) -> Tensor:
        """The denoising loss, and rho of its gradient's length of physics."""
        noised, x = part
        if self.physics is None:
            return loss(module, self.module, noised)
        estimate = module(noised.x_t, noised.sigma, noised.context)
        denoising = weighted_error(estimate, self.module, noised)
        ratio = noised.sigma / self.module.sigma_data.mean()
        near = ratio < self.spec.physics.below
        if not near.any():
            return denoising
        context = noised.context.where(near).grown(self.spec.autoencoder.factor)
        physics = self.physics.at(context.place, (x.shape[-2], x.shape[-1]))
        # The decoder is frozen: it has no gradients of its own, and the mean is added back.
        decoded = self.codec.decode(estimate[near], context)
        means = physics.means(x[near])
        physical = physics(decoded, means, context, 1 / (1 + ratio[near] ** 2), x[near])
        return balance(denoising, physical, self.last_layer, self.spec.physics.rho)

    @property
    def last_layer(self) -> nn.Parameter:
        """The weights that all of the estimate passes last."""
        backbone = cast(nn.Module, self.module.network.backbone)
        return [p for p in backbone.parameters() if p.ndim > 1][-1]

    def validate(self) -> tuple[float, dict[str, float]]:
        """The mean logarithmic error over noise bands, and the error of each."""
        bands = self.held_out.bands(self.module)
        return score(bands), {f"mse_{level}": error for level, error in bands.items()}


def _pieces(x: Tensor, context: Context, count: int) -> list[Fields]:
    size = -(-len(x) // count)
    return [(x[a : a + size], context.rows(a, a + size)) for a in range(0, len(x), size)]


def _example(batch: Batch, device: torch.device, count: int) -> Fields:
    x, context = batch.x[:1].to(device), batch.context(device).rows(0, 1)
    rows = torch.zeros(count, dtype=torch.long, device=device)
    return x[rows], context.where(rows)


def _normal(key: tuple[int, int, int], shape: tuple[int, ...]) -> Tensor:
    """Standard normals that belong to (seed, step, place)."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)
    generator = torch.Generator().manual_seed(int(state[0]) >> 1)
    return torch.randn(shape, generator=generator)

"""The three parts of a latent prior, put together untrained or from a folder."""

import math
from typing import Any

import torch
from torch import Tensor

from finescale.fields.scaling import Scaling
from finescale.prior.autoencoder import Autoencoder
from finescale.prior.backbone import build_backbone
from finescale.prior.codec import Chain, Latent, Residual
from finescale.prior.conditioning import Spread, WindowNetwork
from finescale.prior.denoiser import KarrasDenoiser
from finescale.prior.latentspec import LatentSpec
from finescale.prior.regression import Places, Regression
from finescale.prior.schedule import KarrasSchedule, LinearSchedule, Schedule
from finescale.prior.tiling import Tiles


def latent_places(fine: Places, factor: int) -> Places:
    """The grid of the latents: static fields keep every cell as a channel, the rest is averaged."""
    down, right = -fine.static.shape[-2] % factor, -fine.static.shape[-1] % factor

    def whole(x: Tensor) -> Tensor:
        return torch.nn.functional.pad(x[None], (0, right, 0, down), mode="replicate")[0]

    def thin(matrix: Tensor, extra: int) -> Tensor:
        padded = torch.cat([matrix, matrix[-1:].expand(extra, -1)])
        return padded.view(-1, factor, padded.shape[1]).mean(1)

    static = torch.nn.functional.pixel_unshuffle(whole(fine.static)[None], factor)[0]
    position = torch.nn.functional.avg_pool2d(whole(fine.position)[None], factor)[0]
    return Places(static, position, thin(fine.rows, down), thin(fine.columns, right))


def latent_denoiser(spec: LatentSpec, places: Places, centre: Tensor, spread: Tensor) -> KarrasDenoiser:
    """An untrained denoiser of latents.

    Args:
        spec: the prior.
        places: the grid of the latents.
        centre: mean of each latent channel.
        spread: standard deviation of each.
    """
    channels, shape = spec.autoencoder.latent, (len(places.rows), len(places.columns))
    crop = None if spec.crop is None else spec.crop // spec.autoencoder.factor
    extra = WindowNetwork.extra_channels(
        spec.context, spec.window, len(places.static), 2 * len(spec.predictors)
    )
    backbone, divisor = build_backbone(spec.network, spec.window * channels + extra, spec.window * channels)
    network = WindowNetwork(
        backbone,
        window=spec.window,
        variables=channels,
        embedding=spec.network.embedding,
        names=spec.context,
        static=places.static,
        position=places.position,
        divisor=divisor,
        tokens=spec.network.tokens,
        harmonics=spec.network.harmonics,
        coarse=Spread(places.rows, places.columns),
        tiles=Tiles.of(crop, shape, divisor, places.step),
        streams=1,
    )
    mask = torch.ones(channels, *shape, dtype=torch.bool)
    return KarrasDenoiser(network, mask, centre, spread)


def latent_schedule(spec: LatentSpec, spread: float, cells: int) -> Schedule:
    """The noise levels of a latent prior.

    Args:
        spec: the prior.
        spread: mean standard deviation of the latent channels.
        cells: latent cells.
    """
    if spec.noise == "v":
        return LinearSchedule()
    highest = spec.sigma_max or 4 * math.sqrt(spec.window * cells)
    return KarrasSchedule(spec.sigma_min * spread, highest * spread)


def regression(tensors: dict[str, Tensor], card: dict[str, Any]) -> Regression:
    """The reference network of a folder that has one; its weights are named ``mean.*``."""
    spec = LatentSpec.from_dict(card["spec"])
    own = within(tensors, "mean.")
    module = Regression(
        spec.mean.network,
        spec.context,
        _places(own),
        Scaling.from_dict(card["scaling"]),
        Scaling.from_dict(card["predictors"]),
        spec.crop,
    )
    module.load_state_dict(own)
    module.bf16 = bool(card["bf16"])
    return module


def residual(tensors: dict[str, Tensor], card: dict[str, Any]) -> Residual:
    """The codec that takes the mean away; weights ``mean.*`` and ``spread``."""
    return Residual(regression(tensors, card), tensors["spread"])


def latent_prior(tensors: dict[str, Tensor], card: dict[str, Any]) -> tuple[KarrasDenoiser, Chain]:
    """Denoiser and codec of a whole latent prior."""
    spec = LatentSpec.from_dict(card["spec"])
    first, last = within(tensors, "codec.parts.0."), within(tensors, "codec.parts.1.autoencoder.")
    autoencoder = Autoencoder(len(spec.variables), spec.autoencoder)
    autoencoder.load_state_dict(last)
    shape = tuple(first["mean.network.static"].shape[-2:])
    codec = Chain([residual(first, card), Latent(autoencoder, (shape[0], shape[1]))])
    own = {name: tensor for name, tensor in tensors.items() if not name.startswith("codec.")}
    denoiser = latent_denoiser(spec, _places(own), own["centre"], own["sigma_data"])
    denoiser.load_state_dict(own)
    denoiser.bf16 = bool(card["bf16"])
    return denoiser, codec


def within(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, without that beginning."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _places(tensors: dict[str, Tensor]) -> Places:
    names = ("static", "position", "coarse.rows", "coarse.columns")
    return Places(*(tensors[f"network.{name}"] for name in names))

"""The backbones that a prior may choose, and how a denoiser is put together from a specification."""

import importlib
import math
from typing import Any, cast

import torch
from torch import Tensor, nn

from finescale.errors import FinescaleError
from finescale.prior.conditioning import WindowNetwork
from finescale.prior.denoiser import EpsilonDenoiser, KarrasDenoiser, Preconditioned, WienerDenoiser
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.network import UNet
from finescale.prior.schedule import CosineSchedule, KarrasSchedule, Schedule
from finescale.prior.spec import NetworkSpec, PriorSpec
from finescale.prior.tiling import Tiles

_VIT_PATCH = 4


class _Foreign(nn.Module):
    """A backbone of azula behind our signature: no tokens, the embedding is its modulation."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, emb: Tensor, tokens: Tensor | None) -> Tensor:
        return cast(Tensor, self.network(x, emb))


def build_backbone(spec: NetworkSpec, inputs: int, outputs: int) -> tuple[nn.Module, int]:
    """A backbone and the number that its grid must be a multiple of."""
    if spec.architecture == "unet":
        unet = UNet(
            inputs,
            outputs,
            channels=spec.channels,
            blocks=spec.blocks,
            attention=spec.attention,
            heads=spec.heads,
            embedding=spec.embedding,
            patch=spec.patch,
            tokens=spec.tokens,
        )
        return unet, spec.patch * 2 ** (len(spec.channels) - 1)
    if spec.tokens:
        raise FinescaleError(
            f"cross-attention to context tokens is a matter of the unet: {spec.architecture} has none; "
            "set tokens to 0 or choose architecture unet"
        )
    if spec.architecture == "azula-unet":
        network = _azula("unet").UNet(
            inputs,
            outputs,
            hid_channels=spec.channels,
            hid_blocks=spec.blocks,
            mod_features=spec.embedding,
        )
        return _Foreign(network), 2 ** (len(spec.channels) - 1)
    network = _azula("vit").ViT(
        inputs,
        outputs,
        mod_features=spec.embedding,
        hid_channels=spec.channels[-1],
        hid_blocks=sum(spec.blocks),
        attention_heads=spec.heads,
        patch_size=_VIT_PATCH,
    )
    return _Foreign(network), _VIT_PATCH


def _azula(module: str) -> Any:  # noqa: ANN401
    try:
        return importlib.import_module(f"azula.nn.{module}")
    except ImportError as error:
        raise FinescaleError(
            f"architecture azula-{module} needs the azula package: it cannot be imported ({error}); "
            "install azula or choose architecture unet"
        ) from error


def build_schedule(spec: PriorSpec, spread: float, cells: int) -> Schedule:
    """The schedule of a specification.

    Args:
        spec: the prior.
        spread: the data's standard deviation in scaled units.
        cells: of the grid.
    """
    if spec.objective == "epsilon":
        return CosineSchedule()
    cells = cells if spec.crop is None else spec.crop**2
    highest = spec.sigma_max or 4 * math.sqrt(spec.window * cells)
    return KarrasSchedule(spec.sigma_min * spread, highest * spread)


def build_denoiser(
    spec: PriorSpec,
    *,
    mask: Tensor,
    static: Tensor,
    position: Tensor,
    centre: Tensor,
    spread: Tensor,
    gaussian: GaussianClimate | None = None,
) -> Preconditioned:
    """Put an untrained denoiser together.

    Args:
        spec: the prior.
        mask: valid cells ``[C, H, W]``.
        static: context channels ``[S, H, W]``.
        position: latitude and longitude ``[2, H, W]``.
        centre: mean per variable in scaled units, ``[C]``.
        spread: standard deviation per variable in scaled units, ``[C]``.
        gaussian: needed for ``preconditioning: wiener``.
    """
    wiener = spec.objective == "denoise" and spec.preconditioning == "wiener"
    if wiener and gaussian is None:
        raise FinescaleError(
            "preconditioning wiener corrects a Gaussian climate: none was given; "
            "fit one first or choose preconditioning edm"
        )
    if wiener and spec.crop is not None:
        raise FinescaleError(
            f"preconditioning wiener corrects a climate of the whole domain, which says nothing of a crop: crop is "
            f"{spec.crop}; choose preconditioning edm or leave crop out"
        )
    channels = len(spec.variables)
    streams = WienerDenoiser.streams if wiener else 1
    extra = WindowNetwork.extra_channels(spec.context, spec.window, len(static))
    inputs = spec.window * channels * streams + extra
    backbone, divisor = build_backbone(spec.network, inputs, spec.window * channels)
    network = WindowNetwork(
        backbone,
        window=spec.window,
        variables=channels,
        embedding=spec.network.embedding,
        names=spec.context,
        static=static,
        position=position,
        divisor=divisor,
        tokens=spec.network.tokens,
        harmonics=spec.network.harmonics,
        tiles=Tiles.of(spec.crop, (mask.shape[1], mask.shape[2]), divisor),
        streams=streams,
    )
    if spec.network.compile:
        backbone.compile()
    if wiener:
        assert gaussian is not None
        return WienerDenoiser(network, gaussian)
    if spec.objective == "epsilon":
        return EpsilonDenoiser(network, mask, CosineSchedule())
    return KarrasDenoiser(network, mask, centre, spread)


def parameters(module: nn.Module) -> int:
    """Number of trainable numbers."""
    return sum(p.numel() for p in module.parameters())


def bf16_is_fast(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16 rather than emulating it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())

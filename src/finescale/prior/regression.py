"""The reference network: coarse data, static fields and time to the mean of the fine field."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import torch
from torch import Tensor, nn

from finescale.fields.context import Context
from finescale.fields.scaling import Scaling
from finescale.prior.backbone import build_backbone
from finescale.prior.conditioning import Spread, WindowNetwork
from finescale.prior.spec import NetworkSpec
from finescale.prior.tiling import Tiles


@dataclass(frozen=True)
class Places:
    """Where fields lie, on the fine grid or on that of the latents.

    Attributes:
        static: context channels ``[S, H, W]``.
        position: latitude and longitude ``[2, H, W]``.
        rows: interpolation from the coarse rows ``[H, h]``.
        columns: from the coarse columns ``[W, w]``.
    """

    static: Tensor
    position: Tensor
    rows: Tensor
    columns: Tensor

    @property
    def step(self) -> int:
        """The least square that is made of whole cells and of whole coarse cells: cells along its side."""
        sides = (Fraction(*matrix.shape).numerator for matrix in (self.rows, self.columns))
        return math.lcm(*sides)


class Regression(nn.Module):
    """Interpolated coarse fields plus what a network adds, frame by frame.

    Args:
        spec: size of the network.
        names: of the context.
        places: the fine grid.
        scaling: of the fine variables.
        predictors: scaling of the coarse variables.
        crop: cells along each side of the crops that it is trained on; None for the whole grid.
    """

    source: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        spec: NetworkSpec,
        names: tuple[str, ...],
        places: Places,
        scaling: Scaling,
        predictors: Scaling,
        crop: int | None = None,
    ) -> None:
        super().__init__()
        self.bf16 = False
        variables, told = scaling.variables, predictors.variables
        inputs = WindowNetwork.extra_channels(names, 1, len(places.static), 2 * len(told))
        backbone, divisor = build_backbone(spec, inputs, len(variables))
        self.network = WindowNetwork(
            backbone,
            window=1,
            variables=len(variables),
            embedding=spec.embedding,
            names=names,
            static=places.static,
            position=places.position,
            divisor=divisor,
            tokens=spec.tokens,
            harmonics=spec.harmonics,
            coarse=Spread(places.rows, places.columns),
            tiles=Tiles.of(crop, (len(places.rows), len(places.columns)), divisor, places.step),
        )
        # A variable that is among the predictors starts from its own interpolation, the others from their mean.
        here = [told.index(name) if name in told else 0 for name in variables]
        ratio = [predictors.scale[i] / s for i, s in zip(here, scaling.scale, strict=True)]
        shift = [
            (predictors.centre[i] - c) / s
            for i, c, s in zip(here, scaling.centre, scaling.scale, strict=True)
        ]
        known = [float(name in told) for name in variables]
        self.register_buffer("source", torch.tensor(here))
        self.register_buffer("scale", torch.tensor(ratio) * torch.tensor(known))
        self.register_buffer("shift", torch.tensor(shift) * torch.tensor(known))

    def told(self, context: Context) -> Tensor:
        """What the coarse frames say of the fine variables ``[B, T, C, h, w]``, in the fine scaled units."""
        assert context.coarse is not None
        own = context.coarse[:, :, self.source]
        return torch.addcmul(self.shift[:, None, None], own, self.scale[:, None, None])

    def forward(self, context: Context) -> Tensor:
        """The mean at the frames and the place of a context, ``[B, T, C, H, W]`` in scaled units."""
        batch, frames = context.clock.shape[:2]
        single = context.single()
        tiles = self.network.tiles
        shape = (tiles.size, tiles.size) if tiles is not None else None
        base = cast(Spread, self.network.coarse)(self.told(single), single.place, shape)
        count = batch * frames
        nothing = base.new_zeros(count, 1, 0, *base.shape[-2:])
        with torch.autocast(base.device.type, torch.bfloat16, enabled=self.bf16):
            added: Tensor = self.network(nothing, base.new_zeros(count), single)
        total: Tensor = base + added.float()
        return total.view(batch, frames, -1, *base.shape[-2:])

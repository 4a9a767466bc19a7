"""One UNet, its layers chosen for speed on CPU and GPU.

``channels_last`` throughout: there the normalisation over channels is one fused kernel on a free view, and
half of a plain implementation's time (variance and mean written as reductions) vanishes. Zero-initialised
outputs make every block the identity at first, and the network zero.
"""

from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class ChannelNorm(nn.Module):
    """Layer normalisation over channels, without parameters, shifted and scaled by an embedding.

    Statistics are gathered in float32 by the kernel whatever the input precision, so the input need not be
    widened.
    """

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.modulate = nn.Linear(embedding, 2 * channels)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """``x [B, C, H, W]``, ``emb [B, E]``."""
        scale, shift = self.modulate(emb)[:, None, None, :].to(x.dtype).chunk(2, dim=-1)
        with torch.autocast(x.device.type, enabled=False):
            y = F.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],))
            return torch.addcmul(shift, y, 1 + scale).permute(0, 3, 1, 2)


class Residual(nn.Module):
    """``x + conv(silu(conv(norm(x))))``."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels, embedding)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = _zero(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """``x [B, C, H, W]``, ``emb [B, E]``."""
        return x + cast(Tensor, self.last(F.silu(self.first(self.norm(x, emb)))))


class Attention(nn.Module):
    """Self-attention over cells, and over context tokens when there are any."""

    def __init__(self, channels: int, embedding: int, heads: int, tokens: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = ChannelNorm(channels, embedding)
        self.query = nn.Linear(channels, channels)
        self.pair = nn.Linear(channels, 2 * channels)
        self.pair_of_tokens = nn.Linear(tokens, 2 * channels) if tokens else None
        self.out = _zero(nn.Linear(channels, channels))

    def forward(self, x: Tensor, emb: Tensor, tokens: Tensor | None) -> Tensor:
        """``x [B, C, H, W]``, ``tokens [B, N, D]``."""
        y = self.norm(x, emb).permute(0, 2, 3, 1).flatten(1, 2)
        pairs = self.pair(y)
        if self.pair_of_tokens is not None and tokens is not None:
            pairs = torch.cat([pairs, self.pair_of_tokens(tokens).to(pairs.dtype)], dim=1)
        key, value = pairs.chunk(2, dim=-1)
        q, k, v = (self._split(part) for part in (self.query(y), key, value))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        update: Tensor = self.out(mixed).view(x.shape[0], *x.shape[2:], x.shape[1])
        return x + update.permute(0, 3, 1, 2)

    def _split(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)


class UNet(nn.Module):
    """Residual blocks on halving grids; skips are added, not concatenated, which is half the work.

    Args:
        inputs: channels in.
        outputs: channels out.
        channels: width of each level.
        blocks: blocks of each level, each way.
        attention: number of deepest levels with attention after every block.
        heads: attention heads.
        embedding: width of ``emb``.
        patch: the first level works on patches of ``patch x patch`` cells.
        tokens: width of the context tokens, or 0.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        channels: tuple[int, ...],
        blocks: tuple[int, ...],
        attention: int,
        heads: int,
        embedding: int,
        patch: int = 1,
        tokens: int = 0,
    ) -> None:
        super().__init__()
        self.patch = patch
        levels = len(channels)

        def stage(level: int) -> nn.ModuleList:
            layers = nn.ModuleList()
            for _ in range(blocks[level]):
                layers.append(Residual(channels[level], embedding))
                if level >= levels - attention:
                    layers.append(Attention(channels[level], embedding, heads, tokens))
            return layers

        # Patches are cut and joined by layers without overlap: a quarter of the work at patch 2.
        width, padding = (3, 1) if patch == 1 else (patch, 0)
        self.stem = nn.Conv2d(inputs, channels[0], width, stride=patch, padding=padding)
        self.down = nn.ModuleList(stage(level) for level in range(levels))
        self.up = nn.ModuleList(stage(level) for level in range(levels))
        self.shrink = nn.ModuleList(
            nn.Conv2d(channels[i], channels[i + 1], 3, stride=2, padding=1) for i in range(levels - 1)
        )
        self.grow = nn.ModuleList(
            nn.Conv2d(channels[i + 1], channels[i], 3, padding=1) for i in range(levels - 1)
        )
        self.norm = ChannelNorm(channels[0], embedding)
        width, padding = (3, 1) if patch == 1 else (1, 0)
        self.head = _zero(nn.Conv2d(channels[0], outputs * patch**2, width, padding=padding))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor, emb: Tensor, tokens: Tensor | None = None) -> Tensor:
        """``[B, inputs, H, W]``, sides multiples of ``patch 2^(levels - 1)``, to ``[B, outputs, H, W]``."""
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        skips = []
        for level, layers in enumerate(self.down):
            if level:
                skips.append(x)
                x = self.shrink[level - 1](x)
            x = _run(layers, x, emb, tokens)
        for level in reversed(range(len(self.up))):
            x = _run(self.up[level], x, emb, tokens)
            if level:
                x = self.grow[level - 1](F.interpolate(x, scale_factor=2.0, mode="nearest")) + skips.pop()
        # Without this norm the features drift into the flat side of the activation, and learning stops for
        # good.
        x = F.silu(self.norm(x, emb))
        # The output layer sets the precision of the smallest scales: float32.
        with torch.autocast(x.device.type, enabled=False):
            return F.pixel_shuffle(cast(Tensor, self.head(x.float())), self.patch)


def _run(layers: nn.Module, x: Tensor, emb: Tensor, tokens: Tensor | None) -> Tensor:
    for layer in cast(nn.ModuleList, layers):
        x = layer(x, emb, tokens) if isinstance(layer, Attention) else layer(x, emb)
    return x


def _zero(layer: Layer) -> Layer:
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer

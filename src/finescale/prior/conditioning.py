"""From noise level and context to what a backbone takes: channels, an embedding, tokens."""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from finescale.fields.context import Context
from finescale.fields.crop import cut, lines
from finescale.fields.sun import cos_zenith
from finescale.prior.tiling import Tiles

_FREQUENCIES = 16


class WindowNetwork(nn.Module):
    """A backbone for windows: frames and variables become channels, context joins in three ways.

    Static fields and the solar zenith angle are extra channels; noise level and season and hour modulate
    every block; with ``tokens > 0`` a coarse view of the static fields and the time are tokens for
    cross-attention (the zero-shot prior of Tie et al. 2026, arXiv 2601.21760). Fields of any size are padded
    to what the backbone can halve. What goes through unchanged, above all noise that is to be taken off, has a
    way of its own beside the backbone, with a gain for each variable and noise level: channels that are fewer
    than the numbers of a patch could not carry it.

    Args:
        backbone: ``(x [B, inputs, H, W], emb [B, E], tokens) -> [B, T * C, H, W]``.
        window: T.
        variables: C.
        embedding: E.
        names: of the context.
        static: static channels ``[S, H, W]``, in the order of the names.
        position: latitude and longitude, ``[2, H, W]`` in degrees.
        divisor: fields are padded to a multiple of this.
        tokens: width of the context tokens, or 0.
        harmonics: waves of the year (which place month and day) and of the day (which place the hour).
        coarse: for a paired prior, the interpolation from the coarse data to the cells.
        tiles: the crops that it is trained on; it answers for the whole domain by them.
        streams: Q, how many forms of the state are among the inputs.
    """

    static: Tensor
    position: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        *,
        window: int,
        variables: int,
        embedding: int,
        names: tuple[str, ...],
        static: Tensor,
        position: Tensor,
        divisor: int,
        tokens: int = 0,
        harmonics: int = 2,
        coarse: "Spread | None" = None,
        tiles: Tiles | None = None,
        streams: int = 0,
    ) -> None:
        super().__init__()
        self.tiles = tiles
        self.backbone, self.names, self.harmonics, self.coarse = backbone, names, harmonics, coarse
        self.window, self.variables, self.divisor = window, variables, divisor
        self.register_buffer("static", static)
        self.register_buffer("position", position)
        self.noise = _mlp(2 * _FREQUENCIES, embedding, embedding)
        self.gain = nn.Linear(embedding, streams * variables) if streams else None
        if self.gain is not None:
            nn.init.zeros_(self.gain.weight)
            nn.init.zeros_(self.gain.bias)
        waves = 2 * harmonics * sum(name in names for name in ("year", "day"))
        self.time = _mlp(waves, embedding, embedding) if waves else None
        self.time_tokens = _mlp(waves, tokens, 2 * tokens) if waves and tokens else None
        side = tiles.size if tiles else max(static.shape[-2:])
        self.static_tokens = (
            nn.Conv2d(len(static), tokens, kernel_size=_patch(side), stride=_patch(side))
            if len(static) and tokens
            else None
        )

    @staticmethod
    def extra_channels(names: tuple[str, ...], window: int, still: int, coarse: int = 0) -> int:
        """Context channels besides the state: a constant, the static fields, the sun, the coarse data.

        Args:
            names: of the context.
            window: frames.
            still: static channels.
            coarse: channels of a coarse frame.
        """
        return 1 + still + (("zenith" in names) + coarse) * len(_key_frames(window))

    def forward(self, inputs: Tensor, log_sigma: Tensor, context: Context | None) -> Tensor:
        """``inputs [B, T, Q * C, H, W]``, ``log_sigma [B]``; returns ``[B, T, C, H, W]``."""
        if self.tiles is None or (context is not None and context.place is not None):
            return self._answer(inputs, log_sigma, context)
        return self.tiles.compose(self._answer, inputs, log_sigma, context)

    def _answer(self, inputs: Tensor, log_sigma: Tensor, context: Context | None) -> Tensor:
        """For a domain or a part of it that is taken in at once."""
        batch, frames, _, height, width = inputs.shape
        keep = self._keep(batch, context, inputs)
        still, where = self._here(self.static, context, inputs), self._here(self.position, context, inputs)
        x = torch.cat([inputs.flatten(1, 2), self._channels(context, keep, still, where)], dim=1)
        down, right = -height % self.divisor, -width % self.divisor
        if down or right:
            x = F.pad(x, (0, right, 0, down), mode="replicate")
        emb, tokens = self._embedding(log_sigma, context, keep, still)
        y = self.backbone(x, emb, tokens)[..., :height, :width]
        y = y.reshape(batch, frames, self.variables, height, width)
        return cast(Tensor, y if self.gain is None else y + self._through(inputs, emb))

    def _through(self, inputs: Tensor, emb: Tensor) -> Tensor:
        """The forms of the state ``[B, T, Q * C, H, W]``, each variable times its gain, summed: ``[B, T, C, H, W]``."""
        assert self.gain is not None
        batch, frames, _, height, width = inputs.shape
        with torch.autocast(emb.device.type, enabled=False):
            gains = self.gain(emb.float()).view(batch, 1, -1, self.variables, 1, 1)
            return cast(
                Tensor, (gains * inputs.view(batch, frames, -1, self.variables, height, width)).sum(2)
            )

    def _keep(self, batch: int, context: Context | None, like: Tensor) -> Tensor:
        if context is None or context.keep is None:
            return torch.full((batch,), float(context is not None), device=like.device)
        return context.keep.to(like.dtype).expand(batch)

    def _here(self, field: Tensor, context: Context | None, like: Tensor) -> Tensor:
        """A field of the domain ``[S, H, W]`` at the windows' place ``[1 or B, S, h, w]``; at none without context."""
        height, width = like.shape[-2:]
        if context is None or context.place is None:
            return field[None, :, :height, :width]
        return cut(field, context.place, (height, width))

    def _channels(self, context: Context | None, keep: Tensor, still: Tensor, where: Tensor) -> Tensor:
        batch, (height, width) = len(keep), still.shape[-2:]
        fields = [torch.ones(batch, 1, height, width, device=still.device)]
        if still.shape[1]:
            fields.append(still.expand(batch, -1, -1, -1))
        if "zenith" in self.names:
            if context is None:
                fields.append(torch.zeros(batch, len(_key_frames(self.window)), height, width).to(still))
            else:
                moments = context.clock[:, _key_frames(self.window)]
                lat, lon = where[:, None].unbind(2)
                fields.append(cos_zenith(moments, lat, lon).expand(batch, -1, -1, -1))
        if self.coarse is not None:
            assert context is not None
            assert context.coarse is not None
            frames = context.coarse[:, _key_frames(self.window)]
            known = self.coarse(frames, context.place, (height, width)).flatten(1, 2)
            fields.append(known.to(still.dtype).expand(batch, -1, -1, -1))
        return torch.cat(fields, dim=1) * keep[:, None, None, None]

    def _embedding(
        self, log_sigma: Tensor, context: Context | None, keep: Tensor, still: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        powers = torch.linspace(math.log(0.1), math.log(4.0), _FREQUENCIES, device=log_sigma.device).exp()
        angle = log_sigma.float()[:, None] * powers
        emb = self.noise(torch.cat([angle.cos(), angle.sin()], dim=1))
        tokens = []
        if self.time is not None and context is not None:
            waves = self._waves(context).expand(len(keep), -1)
            emb = emb + self.time(waves) * keep[:, None]
            if self.time_tokens is not None:
                tokens.append(self.time_tokens(waves).view(len(keep), 2, -1))
        if self.static_tokens is not None:
            view = self.static_tokens(still).flatten(2).transpose(1, 2)
            tokens.append(view.expand(len(keep), -1, -1))
        joined = torch.cat(tokens, dim=1) * keep[:, None, None] if tokens else None
        return F.silu(emb), joined

    def _waves(self, context: Context) -> Tensor:
        """Harmonics of year and day at the central frame, ``[B, F]``."""
        centre = context.clock[:, context.clock.shape[1] // 2]
        columns = [i for i, name in enumerate(("year", "day")) if name in self.names]
        n = torch.arange(1, self.harmonics + 1, device=centre.device)
        angle = (2 * math.pi * centre[:, columns, None] * n).flatten(1)
        return torch.cat([angle.cos(), angle.sin()], dim=1)


class Spread(nn.Module):
    """Coarse frames ``[..., h, w]`` to cells ``[..., H, W]`` by bilinear interpolation.

    Args:
        rows: ``[H, h]``.
        columns: ``[W, w]``.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, rows: Tensor, columns: Tensor) -> None:
        super().__init__()
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)

    def forward(
        self, coarse: Tensor, place: Tensor | None = None, shape: tuple[int, int] | None = None
    ) -> Tensor:
        """Interpolate, in float32 whatever the precision around it.

        Args:
            coarse: of the whole domain; with places ``[B, T, K, h, w]``.
            place: first row and column of a part of the domain for each row of the batch ``[B, 2]``.
            shape: rows and columns of the parts.
        """
        rows, columns = self.rows, self.columns
        if place is not None:
            assert shape is not None
            chosen = lines(place, shape)
            rows, columns = rows[chosen[0]][:, None, None], columns[chosen[1]][:, None, None]
        with torch.autocast(coarse.device.type, enabled=False):
            return rows @ coarse.float() @ columns.mT


def _key_frames(window: int) -> list[int]:
    """First, central and last frame: sun and coarse data move smoothly between them."""
    return sorted({0, window // 2, window - 1})


def _patch(side: int) -> int:
    return max(1, side // 16)


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))

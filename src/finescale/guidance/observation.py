"""What was observed: values y of one or several products, their operators and error variances.

A `Segment` is the part of an observation that lies in a stretch of hours, flattened to one vector over all products.
Cells that are NaN in y are unobserved: their rows carry no information and are masked, never filled.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.operator import Clock, Space, View


@dataclass(frozen=True)
class Source:
    """One product in scaled units.

    Attributes:
        space: its spatial operator.
        clock: its times.
        channels: which channels of the state it observes.
        first: absolute hour of the first value.
        y: values ``[K, C, n]``, one every `clock.every` hours; NaN where unobserved.
        error: error variance R of each of its channels ``[C]``, in scaled units squared, independent from value to
            value; zero is exact.
        lasting: further error variance ``[C]`` of an error that lasts and reaches as weather does; None for none.
    """

    space: Space
    clock: Clock
    channels: tuple[int, ...]
    first: int
    y: Tensor
    error: Tensor
    lasting: Tensor | None = None

    def __post_init__(self) -> None:
        if self.first % self.clock.every:
            raise FinescaleError(
                f"observations lie on the clock: first hour {self.first} is not a multiple of "
                f"{self.clock.every}; shift the times"
            )
        wanted = (len(self.channels), self.space.size)
        if tuple(self.y.shape[1:]) != wanted or self.error.shape != (wanted[0],):
            raise FinescaleError(
                f"observed values are [time, {wanted[0]}, {wanted[1]}]: got {tuple(self.y.shape)} with "
                f"{tuple(self.error.shape)} error variances; check variables and grid"
            )
        if bool((self.error < 0).any()):
            raise FinescaleError(f"an error variance is not negative: {self.error.tolist()}; mend it")

    @property
    def exact(self) -> bool:
        """Whether it has no error of its own."""
        return self.lasting is None and not bool(self.error.any())

    @cached_property
    def kind(self) -> bytes:
        """What it sees and how well, whatever it saw: sources of one kind have the same law."""
        parts = [getattr(self.space, f.name) for f in fields(self.space)] + [self.error]
        whole = hashlib.sha256(repr((type(self.space), self.clock, self.channels)).encode())
        for part in parts:
            whole.update(
                part.numpy(force=True).tobytes() if isinstance(part, Tensor) else repr(part).encode()
            )
        return whole.digest()

    def independent(self) -> "Source":
        """The same product, all of its error independent from value to value."""
        return self if self.lasting is None else replace(self, error=self.error + self.lasting, lasting=None)

    def between(self, first: int, stop: int) -> tuple[View, Tensor]:
        """The operator on the hours [first, stop) and its values ``[K, C, n]``, NaN outside the product's time."""
        hours = self.clock.hours(first, stop)
        y = self.y.new_full((len(hours), *self.y.shape[1:]), torch.nan)
        for k, hour in enumerate(hours):
            at = (hour - self.first) // self.clock.every
            if 0 <= at < len(self.y):
                y[k] = self.y[at]
        return View(self.space, self.clock, first, stop), y


@dataclass(frozen=True)
class Segment:
    """The observation of the hours [first, stop) as one vector of n values.

    Attributes:
        parts: the sources that have stamps in these hours, with their operators.
        y: values ``[n]``, or of each member ``[M, n]``, zero where masked.
        mask: ``[n]``, True where observed.
        error: error variance ``[n]``.
    """

    parts: tuple[tuple[Source, View], ...]
    y: Tensor
    mask: Tensor
    error: Tensor

    @property
    def size(self) -> int:
        """Length n of the vector."""
        return self.mask.numel()

    def apply(self, x: Tensor) -> Tensor:
        """H x: state ``[..., T, C, H, W]`` to ``[..., n]``, zero where masked."""
        seen = [view.apply(x[..., list(source.channels), :, :]).flatten(-3) for source, view in self.parts]
        return torch.cat(seen, -1) * self.mask.to(x.device)

    def adjoint(self, v: Tensor, like: Tensor) -> Tensor:
        """H^T v: ``[..., n]`` to a state of the shape of `like` ``[..., T, C, H, W]``."""
        out = torch.zeros_like(like)
        for (source, view), piece in zip(self.parts, self.split(v), strict=True):
            out[..., list(source.channels), :, :] += view.adjoint(piece)
        return out

    def split(self, v: Tensor) -> list[Tensor]:
        """The values of each product ``[..., K, C, size]``, zero where masked."""
        shapes = [(len(view.time), len(source.channels), source.space.size) for source, view in self.parts]
        pieces = torch.split(v * self.mask.to(v.device), [math.prod(shape) for shape in shapes], -1)
        return [p.reshape(*v.shape[:-1], *shape) for p, shape in zip(pieces, shapes, strict=True)]

    def residual(self, x: Tensor) -> Tensor:
        """Return y - H x ``[..., n]``, zero where masked."""
        return (self.y * self.mask).to(x.device) - self.apply(x)

    @cached_property
    def diagonal(self) -> Tensor:
        """The diagonal of H H^T ``[n]``."""
        pieces = []
        for source, view in self.parts:
            time = view.time.square().sum(1)[:, None, None]
            space = source.space.diagonal().to(time)[None, None]
            pieces.append((time * space).expand(-1, len(source.channels), -1).flatten())
        return torch.cat(pieces).to(self.y)

    @cached_property
    def pattern(self) -> tuple[object, ...]:
        """What the factor of H C H^T + R depends on: equal patterns may share it."""
        return (*self.layout, self.mask.numpy(force=True).tobytes())

    @cached_property
    def layout(self) -> tuple[object, ...]:
        """Where the stamps of each product lie in the stretch."""
        return tuple((s.kind, v.stop - v.first, v.first % s.clock.every) for s, v in self.parts)


@dataclass(frozen=True)
class Observation:
    """All products of a run."""

    sources: tuple[Source, ...]

    def segment(self, first: int, stop: int, members: tuple[int, ...] | None = None) -> Segment | None:
        """The observation of the hours [first, stop), or None where nothing is observed.

        Args:
            first: hour.
            stop: one past the last.
            members: whose data; here all have the same.
        """
        parts, ys, errors = [], [], []
        for source in self.sources:
            view, y = source.between(first, stop)
            if len(y):
                parts.append((source, view))
                ys.append(y.flatten())
                errors.append(source.error[None, :, None].expand_as(y).flatten())
        if not parts:
            return None
        y = torch.cat(ys)
        mask = torch.isfinite(y)
        return (
            Segment(tuple(parts), torch.where(mask, y, 0.0), mask, torch.cat(errors)) if mask.any() else None
        )


def check_linear(name: str, sources: Sequence[Source]) -> None:
    """Refuse overlapping rows for a guidance that divides by the diagonal of H H^T."""
    if len(sources) > 1:
        raise FinescaleError(
            f"{name} needs observations that do not overlap: {len(sources)} products at once; "
            "choose gaussian-cov or mmps"
        )

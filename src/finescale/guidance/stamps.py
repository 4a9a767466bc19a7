"""What a product tells of which frames, and what it would see of the climate's mean."""

from collections.abc import Iterator

import torch
from torch import Tensor

from finescale.guidance.observation import Source
from finescale.prior.gaussian import GaussianClimate


def stamps(source: Source, first: int, frames: int) -> Iterator[tuple[int, slice]]:
    """Each value of a product that tells of some of the frames from `first` on: its number, and which."""
    for k in range(len(source.y)):
        stamp = source.first + k * source.clock.every - first
        if stamp >= 0 and stamp - source.clock.lead < frames:
            yield k, slice(max(stamp - source.clock.lead, 0), stamp + 1)


def seen(source: Source, climate: GaussianClimate, basis: Tensor, first: int) -> Tensor:
    """What a product sees of a mean ``[K, C, n]``; zero for values beyond the frames.

    Args:
        source: the product.
        climate: whose coefficients belong to the basis.
        basis: functions of the frames from `first` on ``[T, P]``.
        first: number of the first frame.
    """
    held = climate.coefficients[:, list(source.channels)] * climate.mask[list(source.channels)]
    coefficients, out = source.space.apply(held.to(source.y)), torch.zeros_like(source.y)
    for k, rows in stamps(source, first, len(basis)):
        out[k] = torch.einsum("p,pcn->cn", basis[rows].mean(0).to(out), coefficients)
    return out

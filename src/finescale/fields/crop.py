"""Rectangles cut from fields, each row of a batch at a place of its own.

A place is the first row and the first column of a rectangle, ``[B, 2]``, in cells of the field that is cut.
"""

import torch
from torch import Tensor


def lines(place: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Numbers of the rows ``[B, h]`` and columns ``[B, w]`` of rectangles of h x w cells."""
    rows, columns = (torch.arange(side, device=place.device) for side in shape)
    return place[:, :1] + rows, place[:, 1:] + columns


def cut(field: Tensor, place: Tensor, shape: tuple[int, int]) -> Tensor:
    """Rectangles ``[B, ..., h, w]`` of one field ``[..., H, W]``."""
    rows, columns = lines(place, shape)
    return field[..., rows[:, :, None], columns[:, None, :]].movedim(-3, 0)

"""Cosine waves of a field, sorted by length and cut into bands: a basis in which small scales stand apart from large.

The transform is the orthonormal DCT-II along both axes, so white noise stays white and energy is kept. A band holds
waves of similar length; what no EOF explains is taken as white within a band, and the bands carry its spectrum.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# Waves in a band: few enough for a spectrum, many enough for the EOFs of a band to be worth their search.
FEWEST, MOST, BANDS = 64, 2048, 9


class Bands(nn.Module):
    """The transform of one grid; it moves between devices with the module that holds it.

    Attributes:
        rows: cosine waves along the first axis ``[H, H]``.
        columns: along the second ``[W, W]``.
        order: flat index of each wave, long ones first ``[N]``, N = H W.
        place: its inverse.
    """

    rows: Tensor
    columns: Tensor
    order: Tensor
    place: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.shape = (height, width)
        order = np.argsort(_wavenumber(height, width).ravel(), kind="stable")
        parts = {"rows": _cosines(height), "columns": _cosines(width)}
        for name, value in parts.items():
            self.register_buffer(name, torch.from_numpy(value).float(), persistent=False)
        self.register_buffer("order", torch.from_numpy(order), persistent=False)
        self.register_buffer("place", torch.from_numpy(np.argsort(order)), persistent=False)

    def forward(self, a: Tensor) -> Tensor:
        """Waves ``[..., N]`` of fields ``[..., H, W]``, sorted."""
        return _picked((self.rows.to(a) @ (a @ self.columns.to(a).T)).flatten(-2), self.order)

    def inverse(self, waves: Tensor) -> Tensor:
        """Fields ``[..., H, W]`` of sorted waves ``[..., N]``."""
        flat = _picked(waves, self.place).view(*waves.shape[:-1], *self.shape)
        out: Tensor = self.rows.to(waves).T @ (flat @ self.columns.to(waves))
        return out


def band_edges(height: int, width: int) -> list[int]:
    """Where bands begin and end among the sorted waves, ``[B + 1]``."""
    waves = height * width
    size = min(max(math.ceil(waves / BANDS), FEWEST), MOST)
    count = max(1, round(waves / size))
    return [round(i * waves / count) for i in range(count + 1)]


def _picked(x: Tensor, index: Tensor) -> Tensor:
    """Elements of the last axis; on a matrix this is a tenth of the time of any other way."""
    return x.reshape(-1, x.shape[-1]).index_select(1, index).view(x.shape)


def _wavenumber(height: int, width: int) -> NDArray[np.float64]:
    return np.hypot(np.arange(height)[:, None] / height, np.arange(width)[None, :] / width)


def _cosines(size: int) -> NDArray[np.float64]:
    n = np.arange(size)
    basis = np.sqrt(2 / size) * np.cos(np.pi * (n[None, :] + 0.5) * n[:, None] / size)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis)

"""Per-variable scaling between physical units and the units of the diffusion.

One centre and one scale a variable, never a cell: a scaling per cell would erase the geography that the prior
must learn and would not commute with the area mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.pack import blocks

Kind = Literal["mean-std", "quant95"]


@dataclass(frozen=True)
class Scaling:
    """``scaled = (physical - centre) / scale``, per variable.

    Attributes:
        kind: ``mean-std``, or ``quant95``: 5 % and 95 % quantiles go to 0 and 1 (Schmidt et al. 2025).
        variables: names, in channel order.
        centre: physical units, one a variable.
        scale: physical units, one a variable.
    """

    kind: Kind
    variables: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, ds: xr.Dataset, variables: Sequence[str], kind: Kind = "mean-std") -> "Scaling":
        """Learn the scaling from training data in one streaming pass.

        Quantiles come from a histogram of 2**16 bins over the range of a first pass, so their error is below
        2e-5 of the range. Cells missing at every time (land-only data) are left out; any other NaN is an
        error.
        """
        if kind not in get_args(Kind):
            raise FinescaleError(f"scaling is one of {', '.join(get_args(Kind))}: got {kind}; choose one")
        moments = _Moments(tuple(variables))
        for start, block in blocks(ds, variables):
            moments.add(ds, start, block)
        mean, std = moments.finish()
        if kind == "mean-std":
            return cls(kind, tuple(variables), tuple(mean.tolist()), tuple(std.tolist()))
        low, high = _quantiles(ds, variables, moments.low, moments.high, (0.05, 0.95))
        return cls(kind, tuple(variables), tuple(low.tolist()), tuple((high - low).tolist()))

    def apply(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        """Physical ``[..., C, H, W]`` to scaled float32."""
        centre, scale = self._columns()
        return ((x - centre) / scale).astype(np.float32)

    def invert(self, x: NDArray[np.floating] | Tensor) -> NDArray[np.float32]:
        """Scaled ``[..., C, H, W]`` to physical float32."""
        array = x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else x
        centre, scale = self._columns()
        return (array.astype(np.float64) * scale + centre).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """For the card."""
        return {
            "kind": self.kind,
            "variables": list(self.variables),
            "centre": list(self.centre),
            "scale": list(self.scale),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Scaling":
        """From the card."""
        return cls(
            values["kind"], tuple(values["variables"]), tuple(values["centre"]), tuple(values["scale"])
        )

    def _columns(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.asarray(self.centre)[:, None, None], np.asarray(self.scale)[:, None, None]


class _Moments:
    """Streaming count, mean, spread and range per variable, and the watch for gaps."""

    def __init__(self, variables: tuple[str, ...]) -> None:
        self.variables = variables
        n = len(variables)
        self.count, self.total, self.square = np.zeros(n), np.zeros(n), np.zeros(n)
        self.low, self.high = np.full(n, np.inf), np.full(n, -np.inf)
        self.shift: NDArray[np.float64] | None = None
        self.mask: NDArray[np.bool_] | None = None

    def add(self, ds: xr.Dataset, start: int, block: NDArray[np.float32]) -> None:
        self.mask = valid_cells(block) if self.mask is None else self.mask
        check_gaps(ds, start, block, self.mask, self.variables)
        axes = (0, 2, 3)
        x = np.where(self.mask, block, np.nan).astype(np.float64)
        if self.shift is None:
            # A first guess of the mean keeps the sum of squares from cancelling (pressure is 1e5 +- 1e3 Pa).
            self.shift = np.nan_to_num(np.nanmean(x, axis=axes))
        self.low = np.fmin(self.low, np.nanmin(x, axis=axes))
        self.high = np.fmax(self.high, np.nanmax(x, axis=axes))
        x -= self.shift[:, None, None]
        self.count += np.isfinite(x).sum(axis=axes)
        self.total += np.nansum(x, axis=axes)
        self.square += np.nansum(x * x, axis=axes)

    def finish(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if self.shift is None:
            raise FinescaleError(
                "training data must hold at least one frame: there is none; widen the period"
            )
        offset = self.total / self.count
        std = np.sqrt(np.maximum(self.square / self.count - offset**2, 0))
        for name, s, low, high in zip(self.variables, std, self.low, self.high, strict=True):
            if not high > low or s <= 1e-9 * max(abs(low), abs(high)):
                raise FinescaleError(
                    f"a training variable must vary: {name} is {low:g} everywhere; drop it or mend the data"
                )
        return self.shift + offset, std


def valid_cells(block: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Cells with data, ``[C, H, W]``, judged by the first frame: a mask must be the same at all times."""
    mask: NDArray[np.bool_] = np.isfinite(block[0])
    return mask


def check_gaps(
    ds: xr.Dataset,
    start: int,
    block: NDArray[np.float32],
    mask: NDArray[np.bool_],
    variables: Sequence[str],
) -> None:
    """Refuse a block in which other cells are missing than in the first frame of the series."""
    for c, name in enumerate(variables):
        if not mask[c].any():
            raise FinescaleError(f"a variable needs valid cells: {name} is missing everywhere; drop it")
        wrong = (np.isfinite(block[:, c]) != mask[c]).any(axis=(1, 2))
        if wrong.any():
            when = ds["time"].values[start + int(np.argmax(wrong))]
            raise FinescaleError(
                f"missing cells must be the same at all times: {name} has other gaps at {when}; "
                "mend or cut the series there"
            )


def _quantiles(
    ds: xr.Dataset,
    variables: Sequence[str],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    levels: Sequence[float],
) -> NDArray[np.float64]:
    bins = 2**16
    counts = np.zeros((len(variables), bins))
    for _, block in blocks(ds, variables):
        for c in range(len(variables)):
            values = block[:, c][np.isfinite(block[:, c])]
            counts[c] += np.histogram(values, bins=bins, range=(low[c], high[c]))[0]
    share = np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True)
    edges = low[:, None] + (high - low)[:, None] * np.arange(1, bins + 1) / bins
    return np.stack([[np.interp(q, share[c], edges[c]) for c in range(len(variables))] for q in levels])

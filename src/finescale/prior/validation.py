"""The loss that decides: fixed windows, fixed noise, one figure for each noise band."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.context import Context
from finescale.prior.denoiser import Denoiser

# Noise levels in units of the spread of the data; a band is named by its level.
BANDS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True)
class Validation:
    """A fixed set of noisy windows.

    Attributes:
        x: clean windows ``[N, T, C, H, W]``.
        clock: ``[N, T, 2]``.
        mask: valid cells ``[C, H, W]``, or of each window's crop ``[N, C, h, w]``.
        spread: standard deviation per variable in scaled units, ``[C]``.
        seed: of the noise.
        coarse: frames of the coarse data ``[N, T, K, h, w]``, for a paired prior.
        place: of each window's crop ``[N, 2]``, in cells of the state; None for the whole domain.
    """

    x: Tensor
    clock: Tensor
    mask: Tensor
    spread: Tensor
    seed: int
    coarse: Tensor | None = None
    place: Tensor | None = None

    def __post_init__(self) -> None:
        if not self.mask.any():
            raise FinescaleError(
                f"training is judged by cells with values: none of the {len(self.x)} held-out crops has one; choose "
                "more validation_windows, another seed or a larger crop"
            )

    @torch.no_grad()
    def bands(self, denoiser: Denoiser, batch: int = 16) -> dict[float, float]:
        """Mean squared error per band, in units of the variance of each variable, geometric mean over these."""
        masks = self.mask.expand(len(self.x), *self.mask.shape[-3:])
        valid = masks.float().mean(dim=(0, 2, 3))
        # All crops may miss a variable: the others are judged.
        judged = (valid > 0).cpu()
        whole = Context(self.clock, None, self.coarse, self.place)
        errors = {}
        for band, level in enumerate(BANDS):
            sigma = level * float(self.spread.mean())
            total = torch.zeros(self.x.shape[2], dtype=torch.float64)
            for start in range(0, len(self.x), batch):
                x, context = self.x[start : start + batch], whole.rows(start, start + batch)
                eps = torch.stack([self._noise(band, start + i) for i in range(len(x))]).to(x.device)
                d = denoiser(x + sigma * eps, torch.full((len(x),), sigma, device=x.device), context)
                mask = masks[start : start + batch, None]
                square = ((d - x).square() * mask).mean(dim=(1, 3, 4)).sum(0) / valid
                total += square.double().cpu()
            relative = total / len(self.x) / self.spread.cpu().double() ** 2
            errors[level] = float(relative[judged].log().mean().exp())
        return errors

    def _noise(self, band: int, window: int) -> Tensor:
        seed = (self.seed * 1_000_003 + band) * 1_000_003 + window
        generator = torch.Generator().manual_seed(seed % 2**63)
        return torch.randn(self.x.shape[1:], generator=generator)


def score(bands: dict[float, float]) -> float:
    """Mean over bands of the logarithm of the error: a tenth less at any noise level counts the same."""
    return sum(math.log(value) for value in bands.values()) / len(bands)

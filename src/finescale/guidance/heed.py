"""A prior as a wave calls it: windows in, denoised means out, with as much heed of the context as is wanted.

x̂_0 = x̂_0(x_t) + weight (x̂_0(x_t, context) - x̂_0(x_t))      Ho and Salimans (2022), arXiv 2207.12598
"""

import torch
from torch import Tensor

from finescale.fields.context import Context
from finescale.guidance.wave import Denoise
from finescale.prior.card import Prior


def on_windows(prior: Prior, whole: Context, first: int, weight: float) -> Denoise:
    """The denoiser of windows that begin at given frames.

    Args:
        prior: trained with context dropped now and then, for weights other than 1.
        whole: the context of all frames as one window.
        first: number of its first frame.
        weight: 1 heeds the context, 0 ignores it, more exaggerates it at twice the cost.
    """
    denoiser, frames = prior.denoiser, torch.arange(prior.window)

    def denoise(x: Tensor, sigma: float, starts: list[int]) -> Tensor:
        told = whole.windows(torch.tensor(starts)[:, None] - first + frames)
        level = torch.full((len(x),), sigma, device=x.device)
        if weight == 1:
            heeded: Tensor = denoiser(x, level, told)
            return heeded
        none = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        plain: Tensor = denoiser(x, level, Context(told.clock, none, told.coarse))
        return plain if weight == 0 else plain + weight * (denoiser(x, level, told) - plain)

    return denoise

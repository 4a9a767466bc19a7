"""Does a prior dream of the right weather? Unconditional draws against data, beside data against data.

Every figure stands beside its noise floor: the same figure between two halves of the data, stretches of days in turn.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from finescale.fields.axis import step_hours
from finescale.fields.context import Context
from finescale.fields.lanes import each
from finescale.prior.card import Prior
from finescale.prior.denoiser import WienerDenoiser
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.loader import even_windows
from finescale.prior.schedule import KarrasSchedule

Array = NDArray[np.float64]
# First and last noise level of a draw that begins in the climate's weather under noise, and ends in a draw of what
# noise hides; in units of the spread of the data.
FIRST, LAST = 10.0, 0.1
# Noise that hides everything.
BLIND = 1e6
# Noise levels of a draw that begins so, and of any other.
SHORT, LONG = 8, 48
# Days of a stretch after which weather is another's, and pairs of stretches at least.
APART, FEWEST = 10, 2
# The most even of sequences.
GOLDEN = (5**0.5 - 1) / 2
# Draws, few enough that the windows of the data, twice as many, have no more values than that.
DRAWS, VALUES = 512, 2**27
LEVELS = np.array([0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99])


def draw(
    prior: Prior,
    context: Context,
    *,
    seed: int,
    steps: int | None = None,
    batch: int = 16,
    pairs: bool = False,
) -> Tensor:
    """Unguided windows by DPM-Solver++(2M) (Lu et al. 2022, algorithm 2) on the prior's grid of noise levels.

    A prior that corrects a climate begins in a draw of it under noise and ends in a draw of what the last noise level
    hides of it, as its method does: the largest scales of a window stand out of any noise that a few steps come from,
    the smallest of a smooth variable lie below any that they reach. Its anomalies are then as large as those of a day
    of the season, whose activity coarse data would tell (`guidance.activity`).

    Args:
        prior: what to draw from.
        context: when, clock ``[N, T, 2]``, and the coarse frames for a paired prior.
        seed: of the noise; window n's noise depends on (seed, n) alone.
        steps: noise levels, a few if left out; the denoiser is called once at each.
        batch: windows at a time.
        pairs: give windows 2n and 2n + 1 opposite noise, so that chance weighs less in means and quantiles.

    Returns:
        States ``[N, T, C, H, W]``.
    """
    share = 2 if pairs else 1

    def white(start: int, count: int, use: int = 0) -> Tensor:
        rows = [
            _noise(prior, seed, n // share, use) * (1 - 2 * (n % share)) for n in range(start, start + count)
        ]
        return torch.stack(rows).to(device)

    denoiser, schedule = prior.denoiser, prior.schedule
    climate = denoiser.gaussian if isinstance(denoiser, WienerDenoiser) else None
    if isinstance(denoiser, WienerDenoiser) and isinstance(schedule, KarrasSchedule):
        low, high = (times * float(denoiser.spread.mean()) for times in (LAST, FIRST))
        low, high = max(schedule.sigma_min, low), min(schedule.sigma_max, high)
        schedule = replace(schedule, sigma_min=low, sigma_max=high)
    levels = schedule.levels(steps or (LONG if climate is None else SHORT)).tolist()
    device = denoiser.mask.device

    @torch.no_grad()
    def drawn(start: int) -> Tensor:
        when = context.rows(start, start + batch).to(device)
        x = levels[0] * white(start, len(when.clock))
        if climate is not None:
            blind = torch.tensor(BLIND, device=device)
            x = x + climate.mean(when.clock) + climate.hidden(white(start, len(x), 2), blind)
        before, last = torch.zeros_like(x), math.inf
        for sigma, lower in pairwise(levels):
            mean = denoiser(x, torch.tensor(sigma, device=device), when)
            # What the mean will be half way, by its change since the level before.
            on = math.log(sigma / lower) / math.log(last / sigma) / 2 if lower > 0 else 0.0
            ahead = mean + on * (mean - before)
            x, before, last = ahead + lower / sigma * (x - ahead), mean, sigma
        if climate is not None:
            x = x + climate.hidden(white(start, len(x), 1), torch.tensor(levels[-2], device=device))
            mean = climate.mean(when.clock) * climate.mask
            size = climate.size(when.clock) * _days(climate, seed, start, len(x), share).to(device)
            x = mean + size[..., None, None] * (x - mean)
        out: Tensor = x.cpu()
        return out

    return torch.cat(list(each(drawn, range(0, len(context.clock), batch), device)))


def unconditional(
    prior: Prior, ds: xr.Dataset, *, windows: int = DRAWS, seed: int = 0, steps: int | None = None
) -> dict[str, Any]:
    """Draw at the dates of windows of ``ds`` and compare with what the data did then.

    Args:
        prior: the prior.
        ds: a period that holds all seasons that the prior should know; the training period will do.
        windows: draws, in pairs of opposite noise, fewer on a large domain; the data have twice as many.
        seed: of the draws.
        steps: of the sampler, as in ``draw``.

    Returns:
        Per variable the figures of ``compare``, and the same between two halves of the data under ``floor``;
        ready for the card.
    """
    mask = prior.denoiser.mask.cpu().numpy()
    windows = max(2, min(windows, VALUES // (2 * prior.window * mask.size)))
    x, clock = even_windows(ds, prior.scaling, mask, prior.window, 2 * windows)
    draws = draw(prior, Context(clock[::2]), seed=seed, steps=steps, pairs=True).numpy()
    truth, names = x.numpy(), prior.variables
    days = step_hours(ds["time"]) * ds.sizes["time"] / 24
    stretches = 2 * max(FEWEST, round(days / APART / 2))
    half = np.arange(len(truth)) * stretches // len(truth) % 2 == 1
    return {
        "windows": len(draws),
        "draws": compare(draws, truth, mask, names),
        "floor": compare(truth[half], truth[~half], mask, names),
    }


def compare(
    one: NDArray[np.floating], two: NDArray[np.floating], mask: NDArray[np.bool_], names: Sequence[str]
) -> dict[str, Any]:
    """How far two sets of windows ``[N, T, C, H, W]`` differ, per variable.

    Returns:
        ``melr``: mean over wavenumbers of the absolute log ratio of radial spectra; ``quantiles``: mean
        absolute difference of marginal quantiles (1 % to 99 %) in standard deviations, and
        ``quantiles_worst`` the largest; ``increments``: ratio of root-mean-square differences between
        consecutive frames (absent for single frames); ``spread``: ratio of standard deviations.
        ``correlation``: largest difference between the correlations of two variables, under the name of the
        first.
    """
    gap = np.abs(_correlation(one, mask) - _correlation(two, mask)).max(axis=1)

    def figures(c: int) -> dict[str, float]:
        return _marginal(one[:, :, c].astype(np.float64), two[:, :, c].astype(np.float64), mask[c])

    found = each(figures, range(len(names)), "cpu")
    return {name: f | {"correlation": float(far)} for name, f, far in zip(names, found, gap, strict=True)}


def _marginal(a: Array, b: Array, inside: NDArray[np.bool_]) -> dict[str, float]:
    """The figures of one variable, windows ``[N, T, H, W]``."""
    scale = b[..., inside].std()
    apart = np.abs(np.quantile(a[..., inside], LEVELS) - np.quantile(b[..., inside], LEVELS)) / scale
    ratio = np.log(radial_spectrum(a * inside) / radial_spectrum(b * inside))
    found = {
        "melr": float(np.abs(ratio).mean()),
        "quantiles": float(apart.mean()),
        "quantiles_worst": float(apart.max()),
        "spread": float(a[..., inside].std() / scale),
    }
    if a.shape[1] > 1:
        steps = [np.diff(v[..., inside], axis=1) for v in (a, b)]
        found["increments"] = float(np.sqrt((steps[0] ** 2).mean() / (steps[1] ** 2).mean()))
    return found


def radial_spectrum(fields: Array) -> Array:
    """Power per ring of wavenumbers 1, 2, ... of Hann-windowed fields ``[..., H, W]``, mean over the rest."""
    height, width = fields.shape[-2:]
    taper = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[None, 1:-1]
    centred = fields - fields.mean(axis=(-2, -1), keepdims=True)
    power = np.abs(np.fft.fft2(centred * taper)) ** 2
    mean = power.reshape(-1, height, width).mean(axis=0) / (taper**2).mean()
    # Rings in cycles per cell, so that a long domain counts as finely along both sides.
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :]) * min(height, width)
    ring = np.rint(radius).astype(int)
    last = min(height, width) // 2
    return np.array([mean[ring == k].mean() for k in range(1, last + 1)])


def _correlation(x: NDArray[np.floating], mask: NDArray[np.bool_]) -> Array:
    shared = mask.all(axis=0)
    if not shared.any() or x.shape[2] == 1:
        return np.eye(x.shape[2])
    total, square, count = np.zeros(x.shape[2]), np.zeros((x.shape[2],) * 2), 0
    for window in x:
        # Window by window, in memory that is near: all of them at once take five times as long.
        series = np.moveaxis(window[..., shared], 1, 0).reshape(len(total), -1).astype(np.float64)
        total, square, count = total + series.sum(1), square + series @ series.T, count + series.shape[1]
    covariance = square / count - np.outer(total, total) / count**2
    scale = np.sqrt(covariance.diagonal())
    return np.asarray(covariance / np.outer(scale, scale))


def _days(climate: GaussianClimate, seed: int, start: int, count: int, share: int) -> Tensor:
    """How large the anomalies of windows are beside their season ``[N, 1, C]``, evenly spread over its law."""
    pair = torch.arange(start, start + count, dtype=torch.float64) // share
    z = torch.special.ndtri((GOLDEN * (pair + 1 + seed)) % 1)[:, None]
    wander = climate.wander.cpu()
    return torch.exp(wander * z - wander**2).float()[:, None]


def _noise(prior: Prior, seed: int, window: int, use: int = 0) -> Tensor:
    shape = (prior.window, *prior.denoiser.mask.shape)
    entropy = np.random.SeedSequence([seed, window, use])
    values = np.random.Generator(np.random.Philox(entropy)).standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(values)

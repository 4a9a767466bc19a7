"""What a fitted climate is worth on days that it has not seen, and what follows for its numbers.

EOFs explain the days that they were found in too well: of a short period the trailing ones, and what they leave
over, come out far too small, and covariances between many series, or places far apart, are mostly chance. So the
climate is first fitted without some days; how these fall out along its EOFs corrects its variances, and how well it
denoises them, and fills the hours between frames that are seen, tells how far to trust the covariances between EOFs
(a shrinkage as of Ledoit and Wolf 2004) and from which distance on covariances are let go.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from finescale.fields.axis import segments
from finescale.fields.context import clock
from finescale.fields.pack import blocks
from finescale.fields.scaling import Scaling
from finescale.prior import autoregression
from finescale.prior.arrays import Arrays
from finescale.prior.climatology import Harmonics
from finescale.prior.fitting import fit_arrays
from finescale.prior.joint import between
from finescale.prior.loader import even_windows

if TYPE_CHECKING:
    from finescale.prior.gaussian import GaussianClimate

Array = NDArray[np.float64]
# Frames for each number of an autoregression before days can be spared to check the fit.
SHORTEST = 20
STRETCHES = 4
TRUSTS = (1.0, 0.85, 0.7, 0.5, 0.3, 0.15, 0.0)
_NOISE = (0.1, 0.3, 1.0, 3.0)
_WINDOWS, _FRAMES = 32, 5
# Frames of a stretch of which the first, the middle and the last are seen, and the noise that they are seen under.
_LONG, _SEEN = 13, 1.0
_BLOCK = 256
# Independent amplitudes of large scales that a day is worth: about ten, and days come in twos.
_WORTH = 5.0
# Independent samples that one stretch must be worth before its variance is taken at its word.
_DOUBT = 16.0


@dataclass(frozen=True)
class Lesson:
    """What the days held out teach.

    Attributes:
        variance: found along EOFs, mean of each octave of ranks ``[O]``.
        correlation: autocorrelation of EOFs of each octave ``[O, p + 1]``.
        residual: autocovariance of each group's residual, a free wave's share ``[G, p + 1]``.
        trust: how far the leading EOFs are taken together.
        error: of denoising them, the logarithm, with all this applied.
    """

    variance: Array
    correlation: Array
    residual: Array
    trust: float = 0.0
    error: float = math.inf

    def applied(self, arrays: Arrays) -> Arrays:
        """The arrays of a climate of the same kind, corrected; a longer or shorter list of EOFs keeps its ranks."""
        fitted = arrays["variance"].astype(float)
        spans = _octaves(len(fitted))[: len(self.variance)]
        ratio = np.log(
            [found / fitted[a:b].mean() for found, (a, b) in zip(self.variance, spans, strict=False)]
        )
        samples = np.array([STRETCHES * (b - a) for a, b in spans])
        factor = np.exp(_between(ratio * samples / (samples + _DOUBT), spans, len(fitted)))
        # What the fit has not seen of an EOF has the memory of what it was found to have elsewhere.
        new = (1 - 1 / np.maximum(factor, 1))[:, None]
        lags = self.correlation.shape[1]
        mixed = (1 - new) * autoregression.correlation(arrays["phi"].astype(float), lags)
        mixed += new * _between(self.correlation[: len(spans)], spans, len(fitted))
        root = np.sqrt(factor[: arrays["cross"].shape[1]])
        return arrays | {
            "variance": fitted * factor,
            "phi": autoregression.levinson(mixed)[0],
            "residual_variance": self.residual[:, 0],
            "residual_phi": autoregression.levinson(self.residual)[0],
            "cross": arrays["cross"] * root[:, None] * root,
            "trust": np.full(1, self.trust),
        }


def checked(
    law: Callable[[Arrays], "GaussianClimate"],
    ds: xr.Dataset,
    scaling: Scaling,
    basis: Harmonics,
    radii: Sequence[float],
    **options: int,
) -> Arrays:
    """The arrays of a climate of a period, corrected by days of it that a fit of the others has not seen.

    Args:
        law: makes the climate of arrays.
        ds: the period.
        scaling: of its fields.
        basis: of its mean.
        radii: of `locality`, tried one after the other for as long as it helps.
        options: of the fit.
    """

    def fit(days: xr.Dataset, radius: float) -> Arrays:
        return fit_arrays(days, scaling, harmonics=basis, radius=radius, **options)

    seen, unseen = parts(ds)
    if ds.sizes["time"] < SHORTEST * (options["order"] + 1) or max(_lengths(unseen)) < _FRAMES:
        return fit(ds, radii[0])
    kept, best = radii[0], Lesson(*3 * (np.zeros(0),))
    for radius in radii:
        found = lesson(law(fit(seen, radius)), unseen)
        if found.error >= best.error:
            break
        kept, best = radius, found
    return best.applied(fit(ds, kept))


def parts(ds: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """The period without, and only, the last fifth of each of its quarters."""
    frames = ds.sizes["time"]
    fifth = np.arange(frames) * STRETCHES * 5 // frames % 5
    unseen = fifth == 4
    return ds.isel(time=~unseen), ds.isel(time=unseen)


def lesson(trial: "GaussianClimate", unseen: xr.Dataset) -> Lesson:
    """What days that were not in its fit say about a climate."""
    found, rest = _moments(trial, unseen)
    free = np.array([max(g.free, 1) for g in trial.groups])
    octaves = np.array([found[a:b].mean(axis=0) for a, b in _octaves(len(found))])
    variance, correlation = octaves[:, 0], octaves / octaves[:, :1]
    floor = 0.25 * trial.residual_variance.double().numpy()
    residual = rest / free[:, None]
    residual *= (np.maximum(residual[:, 0], floor) / np.maximum(residual[:, 0], 1e-30))[:, None]
    arrays, lead = trial.tensors(), trial.cross.shape[1]
    frames = max(min(_LONG, *_lengths(unseen)), _FRAMES)
    x, when = even_windows(unseen, trial.scaling, trial.mask.numpy(), frames, _WINDOWS)
    near, then = x[:, :_FRAMES], when[:, :_FRAMES]
    z = trial.project(torch.where(trial.mask, x - trial.mean(when), 0))[..., :lead].double()
    errors = []
    for trust in TRUSTS if lead else ():
        climate = trial.with_tensors(Lesson(variance, correlation, residual, trust).applied(arrays))
        errors.append(_error(climate, near, then) + _gap_error(climate, z))
    days = unseen.sizes["time"] * trial.step / 24
    told = Lesson(variance, correlation, residual, weighed(np.array(errors), days) if lead else 0.0)
    return replace(told, error=_error(trial.with_tensors(told.applied(arrays)), near, then))


def weighed(errors: Array, days: float) -> float:
    """The mean of `TRUSTS` by how likely each is after logarithms of squared errors on so many days ``[N]``.

    Few days tell few values apart, and then the best of them is best by chance.
    """
    likely = np.exp(-(errors - errors.min()) * _WORTH * days / 2)
    return float(likely @ np.array(TRUSTS) / likely.sum())


def _lengths(ds: xr.Dataset) -> list[int]:
    """Frames of each unbroken stretch."""
    counts: list[int] = np.unique(segments(ds["time"]), return_counts=True)[1].tolist()
    return counts


def _moments(trial: "GaussianClimate", unseen: xr.Dataset) -> tuple[Array, Array]:
    """Autocovariance along each EOF ``[K, p + 1]``, and of what each group leaves, summed ``[G, p + 1]``.

    That at a lag is the variance less half the mean square of what pairs differ by, so that the few pairs which are
    lost at the ends of blocks and stretches do not make weather rougher than it is.
    """
    lags = trial.phi.shape[1] + 1
    modes, rest = np.zeros((len(trial.variance), lags)), np.zeros((len(trial.groups), lags))
    pairs = np.zeros(lags)
    phases, stretch = torch.from_numpy(clock(unseen["time"])).float(), segments(unseen["time"])
    for start, block in blocks(unseen, trial.scaling.variables, _BLOCK):
        x = torch.from_numpy(trial.scaling.apply(block)).float()
        a = torch.where(trial.mask, x - trial.mean(phases[start : start + len(x)]), 0)
        waves = trial.bands(a)
        y = trial.to_patterns(waves)
        z = (y @ trial.rotation).double()
        left = [
            waves[:, g.variable, g.span] - y[:, g.rows] @ trial.patterns[g.rows, g.span] for g in trial.groups
        ]
        own = stretch[start : start + len(x)]
        modes[:, 0] += z.square().sum(0).numpy()
        rest[:, 0] += [float(r.double().square().sum()) for r in left]
        pairs[0] += len(x)
        for lag in range(1, min(lags, len(x))):
            new, old = slice(lag, None), slice(0, len(x) - lag)
            whole = torch.from_numpy(own[new] == own[old])
            modes[:, lag] += (z[new] - z[old])[whole].square().sum(0).numpy() / 2
            for number, r in enumerate(left):
                rest[number, lag] += float((r[new] - r[old])[whole].double().square().sum()) / 2
            pairs[lag] += int(whole.sum())
    modes, rest = modes / np.maximum(pairs, 1), rest / np.maximum(pairs, 1)
    modes[:, 1:], rest[:, 1:] = modes[:, :1] - modes[:, 1:], rest[:, :1] - rest[:, 1:]
    return modes, rest


def _octaves(count: int) -> list[tuple[int, int]]:
    """Spans of ranks that are pooled: the first eight, then as many again and again."""
    edges = [0, 8]
    while edges[-1] < count:
        edges.append(2 * edges[-1])
    edges[-1] = count
    return [(first, last) for first, last in pairwise(edges) if last > first]


def _between(values: Array, spans: list[tuple[int, int]], count: int) -> Array:
    """Values of octaves ``[O, ...]`` for each of their ranks, linear in the logarithm of the rank: ``[K, ...]``."""
    rank, centre = np.log(np.arange(count) + 1), np.log([(a + b + 1) / 2 for a, b in spans])
    columns = [np.interp(rank, centre, column) for column in values.reshape(len(spans), -1).T]
    return np.stack(columns, axis=1).reshape(count, *values.shape[1:])


def _error(climate: "GaussianClimate", x: Tensor, when: Tensor) -> float:
    """Mean over noise levels and variables of the log error of denoising windows ``[N, T, C, H, W]``."""
    eps = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    total = [_log_error(climate.denoise(x + s * eps, torch.tensor(s), when), x) for s in _NOISE]
    return float(np.mean(total))


def _gap_error(climate: "GaussianClimate", z: Tensor) -> float:
    """Log error of the leading EOFs' series ``[N, T, J]`` between three frames that are seen."""
    frames, lead = z.shape[1:]
    seen = [0, (frames - 1) // 2, frames - 1]
    hidden = [t for t in range(frames) if t not in seen]
    lags = climate.lead_covariances(frames)
    known = between(lags, seen, seen) + _SEEN**2 * torch.eye(len(seen) * lead)
    chance = torch.randn(len(z), len(seen) * lead, generator=torch.Generator().manual_seed(1))
    noisy = z[:, seen].flatten(1) + _SEEN * chance
    found = between(lags, hidden, seen) @ torch.linalg.solve(known, noisy.T)
    return float((found.T - z[:, hidden].flatten(1)).square().mean().log())


def _log_error(estimate: Tensor, x: Tensor) -> float:
    return float((estimate - x).square().mean(dim=(0, 1, 3, 4)).log().mean())

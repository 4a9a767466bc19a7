"""How active the weather is on each day, told from the coarse data, variable by variable.

A fitted climate knows one covariance for all days, yet fronts and clear nights are rougher than a calm spell, at large
and at small scales together. So weather is taken as a scale mixture of Gaussians, x = mean + s(t) x', with x' of the
climate's covariance: the whitened coarse anomalies of a day have variance s^2 in the mean, and what they say of s holds
for the scales that are not observed (the adaptive inflation of ensemble filters: Anderson 2009, Tellus A 61, 72-83).
The observation is divided by s, weather is drawn as on an ordinary day, and the draws are multiplied by it.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finescale.guidance.conditions import Conditions
from finescale.guidance.observation import Observation, Source
from finescale.guidance.seen import Seen, through_bands, through_eofs
from finescale.prior.autoregression import toeplitz
from finescale.prior.gaussian import GaussianClimate

# Coarse stamps that are judged together, cells of each that are looked at, ordinary values that are believed beside.
STAMPS, CELLS, BELIEF = 4, 600, 16
# Of the logarithm, what variables have in common: winds and pressure stay in balance, yet each has days of its own.
SHARED = 0.5


@dataclass(frozen=True)
class Activity:
    """Factors on the anomalies of a request.

    Attributes:
        climate: gives mean and covariance of an ordinary day.
        clock: fractions of year and day of the frames ``[T, 2]``.
        first: number of the first frame.
        factors: by frame and variable ``[T, C]``.
    """

    climate: GaussianClimate
    clock: Tensor
    first: int
    factors: Tensor

    @classmethod
    def of(cls, given: Conditions, climate: GaussianClimate) -> "Activity":
        """Judge the first product of a request."""
        clock, source = given.clock(), given.observation.sources[0]
        calm = cls(climate, clock, given.first, torch.ones(len(clock), len(climate.mask)))
        span = STAMPS * source.clock.every
        spans = range(given.first // span, (given.stop - 1) // span + 1)
        seen, frames = _Typical(source, climate), torch.arange(given.first, given.stop)
        found = np.stack([seen.variances(calm, span * number + 1) for number in spans])
        centres = [span * (number + 0.5) + 0.5 for number in spans]
        logs = [np.interp(frames.numpy(), centres, np.log(column) / 2) for column in found.T]
        every = torch.ones_like(calm.factors)
        every[:, list(source.channels)] = torch.from_numpy(np.exp(np.stack(logs, 1))).to(every)
        return replace(calm, factors=every)

    def normalised(self, given: Conditions) -> Conditions:
        """The request as it would be on ordinary days."""
        sources = []
        for source in given.observation.sources:
            mean, size = self._at_stamps(source)
            sources.append(replace(source, y=mean + (source.y - mean) / size))
        return replace(given, observation=Observation(tuple(sources)))

    def restored(self, x: Tensor, first: int) -> Tensor:
        """Fields ``[M, T, C, H, W]`` of ordinary days from a frame on, as active as theirs."""
        rows = slice(first - self.first, first - self.first + x.shape[1])
        mean = self.climate.mean(self.clock[rows].to(x.device)) * self.climate.mask
        return mean + self.factors[rows, :, None, None].to(x) * (x - mean)

    def anomalies(self, source: Source) -> Tensor:
        """Values of a product less the mean that it would see ``[K, C, n]``."""
        return source.y - self._at_stamps(source)[0]

    def _at_stamps(self, source: Source) -> tuple[Tensor, Tensor]:
        """What a product sees of the mean ``[K, C, n]``, and the factor of its stamps ``[K, C, 1]``."""
        channels, lead = list(source.channels), source.clock.every - 1 if source.clock.how == "mean" else 0
        means, sizes = torch.zeros_like(source.y), torch.ones_like(source.y[..., :1])
        for k in range(len(source.y)):
            stamp = source.first + k * source.clock.every - self.first
            rows = slice(max(stamp - lead, 0), stamp + 1)
            if rows.stop < 1 or rows.start >= len(self.clock):
                continue
            mean = self.climate.mean(self.clock[rows]).mean(0) * self.climate.mask
            means[k] = source.space.apply(mean[channels]).to(means)
            sizes[k] = self.factors[rows, channels].mean(0)[:, None]
        return means, sizes


class _Typical:
    """The covariance that a few stamps of a product have in the climate, one variable at a time, with its factor."""

    def __init__(self, source: Source, climate: GaussianClimate) -> None:
        self.source, self.span = source, STAMPS * source.clock.every
        self.lead = source.clock.every - 1 if source.clock.how == "mean" else 0
        size = source.space.size
        self.cells = torch.arange(0, size, -(-size // CELLS))
        frames = self.span + self.lead
        rho = np.concatenate([climate.autocovariance(frames), climate.residual_autocovariance(frames)])
        weights = torch.from_numpy(source.clock.matrix(1 - self.lead, 1 + self.span))
        time, modes = weights @ torch.from_numpy(toeplitz(rho)) @ weights.T, len(climate.variance)
        whole, self.pairs = Seen.of(source, climate), []
        for c in range(len(source.channels)):
            part = whole.only(c, self.cells)
            matrix = through_eofs(time[:modes], part, part) + through_bands(time[modes:], part, part)
            matrix.diagonal().add_(source.error[c].double() + 1e-6 * matrix.diagonal().mean())
            self.pairs.append((matrix, torch.linalg.cholesky(matrix)))

    def variances(self, calm: Activity, first: int) -> NDArray[np.float64]:
        """Variance of each variable's whitened anomalies from a frame on ``[C]``; one where nothing is observed."""
        view, y = self.source.between(first - self.lead, first + self.span)
        stamps = view.clock.hours(first - self.lead, first + self.span)
        anomalies = calm.anomalies(replace(self.source, first=stamps[0], y=y))[..., self.cells].double()
        out = []
        for c, (matrix, factor) in enumerate(self.pairs):
            r = anomalies[:, c].flatten()
            known = torch.isfinite(r)
            r, count = r[known, None], int(known.sum())
            if count < len(known):
                factor = torch.linalg.cholesky(matrix[known][:, known])
            white = torch.linalg.solve_triangular(factor, r, upper=False)
            out.append((BELIEF + float(white.square().sum())) / (BELIEF + count))
        logs = np.log(out)
        return np.asarray(np.exp((1 - SHARED) * logs + SHARED * logs.mean()))

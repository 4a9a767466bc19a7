"""How active the weather is on each day, told from the coarse data, variable by variable.

A fitted climate knows one covariance for all days, yet fronts and clear nights are rougher than a calm spell, at large
and at small scales together. So weather is taken as a scale mixture of Gaussians, x = mean + s(t) x', with x' of the
climate's covariance: the whitened coarse anomalies of a day have variance s^2 in the mean, and what they say of s holds
for the scales that are not observed (the adaptive inflation of ensemble filters: Anderson 2009, Tellus A 61, 72-83).
The observation is divided by s, weather is drawn as on an ordinary day, and the draws are multiplied by it. Where the
data tell little, days are as active as others of their season.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finescale.guidance.conditions import Conditions
from finescale.guidance.factor import factored
from finescale.guidance.observation import Observation, Source
from finescale.guidance.seen import Seen, through_bands, through_eofs
from finescale.guidance.stamps import seen, stamps
from finescale.prior.autoregression import toeplitz
from finescale.prior.gaussian import GaussianClimate

Array = NDArray[np.float64]
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
        clock, judged = given.clock(), Judged.of(given, climate)
        channels = list(given.observation.sources[0].channels)
        frames = np.arange(given.first, given.stop)
        between = np.stack([np.interp(frames, judged.centres, column) for column in judged.logs.T], 1)
        factors = torch.ones(len(clock), len(climate.mask))
        factors[:, channels] = torch.from_numpy(np.exp(between)).to(factors)
        return cls(climate, clock, given.first, factors)

    def normalised(self, given: Conditions) -> Conditions:
        """The request as it would be on ordinary days."""
        sources = []
        for source in given.observation.sources:
            mean, size = (
                seen(source, self.climate, self.climate.harmonics(self.clock), self.first),
                torch.ones_like(source.y),
            )
            for k, rows in stamps(source, self.first, len(self.clock)):
                size[k] = self.factors[rows, list(source.channels)].mean(0)[:, None]
            sources.append(replace(source, y=mean + (source.y - mean) / size))
        return replace(given, observation=Observation(tuple(sources)))

    def restored(self, x: Tensor, first: int) -> Tensor:
        """Fields ``[M, T, C, H, W]`` of ordinary days from a frame on, as active as theirs."""
        rows = slice(first - self.first, first - self.first + x.shape[1])
        mean = (self.climate.mean(self.clock[rows]) * self.climate.mask).to(x)
        return mean + self.factors[rows, :, None, None].to(x) * (x - mean)


@dataclass(frozen=True)
class Judged:
    """What the first product of a request says of activity, a few stamps at a time.

    Attributes:
        centres: middle of each span, in hours ``[S]``.
        logs: logarithm of each of its variables' activity ``[S, C]``.
    """

    centres: Array
    logs: Array

    @classmethod
    def of(cls, given: Conditions, climate: GaussianClimate) -> "Judged":
        """Whiten the anomalies by what the climate expects of them."""
        clock, source = given.clock(), given.observation.sources[0]
        typical = _Typical(source, climate)
        anomalies = source.y - seen(source, climate, climate.harmonics(clock), given.first)
        last = source.first + (len(source.y) - 1) * source.clock.every
        # A span holds the stamps after its begin, up to that of the next.
        spans = np.arange((source.first - 1) // typical.span, (last - 1) // typical.span + 1)
        middles = np.clip((spans + 0.5) * typical.span - given.first, 0, len(clock) - 1).astype(int)
        usual = climate.size(clock[middles]).square().numpy()[:, list(source.channels)]
        found = [typical.energy(anomalies, number * typical.span) for number in spans.tolist()]
        energy, count = (np.stack(part) for part in zip(*found, strict=True))
        logs = np.log((BELIEF * usual + energy) / (BELIEF + count)) / 2
        logs = (1 - SHARED) * logs + SHARED * logs.mean(axis=1, keepdims=True)
        centres = (spans + 0.5).astype(np.float64) * typical.span + 0.5
        return cls(centres, logs)


class _Typical:
    """The covariance that a few stamps of a product have in the climate, one variable at a time, with its factor."""

    def __init__(self, source: Source, climate: GaussianClimate) -> None:
        self.source, self.span = source, STAMPS * source.clock.every
        size, lead = source.space.size, source.clock.lead
        self.cells = torch.arange(0, size, -(-size // CELLS))
        frames = self.span + lead
        rho = np.concatenate([climate.autocovariance(frames), climate.residual_autocovariance(frames)])
        weights = torch.from_numpy(source.clock.matrix(1 - lead, 1 + self.span))
        time, modes = weights @ torch.from_numpy(toeplitz(rho)) @ weights.T, len(climate.variance)
        whole, self.pairs = Seen.of(source, climate), []
        for c in range(len(source.channels)):
            part = whole.only(c, self.cells)
            matrix = through_eofs(time[:modes], part, part) + through_bands(time[modes:], part, part)
            matrix.diagonal().add_(source.error[c].double() + 1e-6 * matrix.diagonal().mean())
            self.pairs.append((matrix, factored(matrix, 1e-6 * float(matrix.diagonal().mean()))))

    def energy(self, anomalies: Tensor, after: int) -> tuple[Array, Array]:
        """Sum of squares, and number, of each variable's whitened anomalies in the span after an hour, each ``[C]``.

        Args:
            anomalies: ``[K, C, n]``; NaN where nothing is observed.
            after: the hour.
        """
        begin = after + 1 - self.source.clock.lead
        _, values = replace(self.source, y=anomalies).between(begin, after + 1 + self.span)
        out = []
        for c, (matrix, factor) in enumerate(self.pairs):
            r = values[:, c, self.cells].double().flatten()
            known = torch.isfinite(r)
            r, count = r[known, None], int(known.sum())
            if count < len(known):
                factor = factored(matrix[known][:, known], 1e-6 * float(matrix.diagonal().mean()))
            white = torch.linalg.solve_triangular(factor, r, upper=False)
            out.append((float(white.square().sum()), float(count)))
        energy, counts = np.array(out).T
        return energy, counts

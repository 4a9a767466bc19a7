"""How far a day's own cycle goes, told from the coarse data: clear days swing more than cloudy ones.

A climate's mean has one daily cycle M for all days of a season, and the law of what departs from it knows no hour. So
what the coarse times of a clear day show of a larger cycle is spread evenly over the hours between, where the sun
is not even: the morning rises late and fast, the evening falls early. Here x = mean + a(t, x) M + x', with x' of the
climate's law. The share a is told by the coarse anomalies of the day and the neighbourhood: regressed on the cycle,
both less the mean of their neighbours six hours before and after, and drawn to zero where the cycle is small. How far
it is to be believed, variable by variable, is told by days of the past: a cycle that has no part in the hours between
was weather.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from finescale.fields.pack import pack
from finescale.grid.calculus import EARTH_RADIUS
from finescale.grid.grid import Grid
from finescale.guidance.conditions import Conditions
from finescale.guidance.covariance import ClimateCovariance
from finescale.guidance.observation import Observation, Source
from finescale.guidance.stamps import seen, stamps
from finescale.prior.gaussian import GaussianClimate

# By variable ``[C]``.
Belief = tuple[float, ...]
# Hours before and after a value with which it is compared, and those about an hour and kilometres about a place that
# share their cycle (standard deviations of a bell); values further than the reach, in hours, do not count.
APART, HOURS, KILOMETRES, REACH = 6, 5.0, 300.0, 24
# Of the cycle's mean square, what is added to that of a day: the share is drawn to zero where there is little cycle.
RIDGE = 0.5
# Days of the past that are looked at, at even distances, and hours on either side of each that are known.
DAYS, BESIDE = 90, 24
# Frames that are held at once where all are passed.
PIECE = 96


@dataclass(frozen=True)
class Swing:
    """The part of a request's anomalies that is daily cycle.

    Attributes:
        climate: gives the mean and its cycle.
        clock: fractions of year and day of the frames ``[T, 2]``.
        first: number of the first frame.
        pace: hours between two frames.
        source: the product that tells it.
        told: of each of its values, product of anomaly and cycle, square of the cycle, and whether there is
            a value ``[K, 3, C, n]``.
        belief: how far it is believed ``[C]``.
        bells: weights between rows and between columns of the grid ``[H, H]``, ``[W, W]``.
    """

    climate: GaussianClimate
    clock: Tensor
    first: int
    pace: int
    source: Source
    told: Tensor
    belief: Tensor
    bells: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, given: Conditions, climate: GaussianClimate, grid: Grid, belief: Belief) -> "Swing":
        """From the first product of a request."""
        clock, source = given.clock(), given.observation.sources[0]
        z = source.y - seen(source, climate, climate.harmonics(clock), given.first)
        m = seen(source, climate, _cycle(climate, clock), given.first)
        steps = max(1, round(APART / (source.clock.every * given.pace)))
        rise, base = _bent(z, steps), _bent(m, steps)
        known = torch.isfinite(rise)
        parts = (rise * base, base.square(), torch.ones_like(base))
        told = torch.stack([torch.where(known, part, 0) for part in parts], 1)
        return cls(
            climate, clock, given.first, given.pace, source, told.float(), torch.tensor(belief), _bells(grid)
        )

    def __call__(self, first: int, stop: int) -> Tensor:
        """What is added to the mean of the frames [first, stop): ``[T, C, H, W]``, scaled."""
        rows, channels = slice(first - self.first, stop - self.first), list(self.source.channels)
        clock = self.source.clock
        centres = self.source.first + torch.arange(len(self.told)) * clock.every - clock.lead / 2
        hours = (torch.arange(first, stop)[:, None] - centres) * self.pace
        bell = torch.exp(-hours.square() / (2 * HOURS**2)) * (hours.abs() <= REACH)
        down, across = self.bells
        near = torch.einsum("tk,kicn->ticn", bell, self.told)
        product, square, count = (down @ self.source.space.adjoint(near) @ across.T).unbind(1)
        share = product / (square + RIDGE * self._usual[:, None, None] * count).clamp_min(1e-30)
        basis = _cycle(self.climate, self.clock[rows])
        cycle = torch.einsum("tp,pchw->tchw", basis, self.climate.coefficients[:, channels])
        out = torch.zeros(len(cycle), *self.climate.mask.shape)
        out[:, channels] = share * self.belief[channels, None, None] * cycle
        return out * self.climate.mask

    @cached_property
    def _usual(self) -> Tensor:
        """Mean square of the cycle over the year and the valid cells ``[C]``, of the product's channels."""
        year, day = torch.meshgrid(torch.arange(12) / 12, torch.arange(24) / 24, indexing="ij")
        basis = _cycle(self.climate, torch.stack([year, day], -1).flatten(0, 1))
        channels = list(self.source.channels)
        held = (self.climate.coefficients * self.climate.mask)[:, channels].flatten(2)
        square = torch.einsum("pcn,pq,qcn->c", held, basis.T @ basis / len(basis), held)
        return square / self.climate.mask[channels].sum(dim=(1, 2))

    def without(self, given: Conditions) -> Conditions:
        """The request as it would be on days of the mean cycle."""
        sources, frames = given.observation.sources, len(self.clock)
        parts: list[list[Tensor]] = [[] for _ in sources]
        for begin in range(self.first, self.first + frames, PIECE):
            part = self(begin, min(begin + PIECE, self.first + frames))
            for source, own in zip(sources, parts, strict=True):
                own.append(source.space.apply(part[:, list(source.channels)].to(source.y)))
        taken = []
        for source, own in zip(sources, parts, strict=True):
            y, hourly = source.y.clone(), torch.cat(own)
            for k, rows in stamps(source, self.first, frames):
                y[k] -= hourly[rows].mean(0)
            taken.append(replace(source, y=y))
        return replace(given, observation=Observation(tuple(taken)))

    def restored(self, x: Tensor, first: int) -> Tensor:
        """Fields ``[M, T, C, H, W]`` of such days from a frame on, with the cycle of theirs."""
        return x + self(first, first + x.shape[1]).to(x)


def measured(given: Conditions, climate: GaussianClimate, grid: Grid, fine: xr.Dataset) -> Belief:
    """How far days of the past had the cycle that their coarse data tell: 0 for not at all, 1 for wholly.

    What the climate's posterior mean leaves of the hours of a day is regressed on what it would be moved by.

    Args:
        given: their coarse data, as a request.
        climate: its mean and covariance.
        grid: the fine one.
        fine: fields of the same hours.
    """
    swing = Swing.of(given, climate, grid, (1.0,) * len(climate.mask))
    covariance, clock, hours = ClimateCovariance(climate), given.clock(), 24 + 2 * BESIDE
    part, whole = torch.zeros(2, len(climate.mask), dtype=torch.float64)
    days = (given.stop - given.first - hours) // 24 + 1
    for day in np.unique(np.linspace(0, days - 1, min(DAYS, max(days, 0))).astype(int)).tolist():
        begin, own = given.first + 24 * day, slice(BESIDE, BESIDE + 24)
        rows = slice(24 * day, 24 * day + hours)
        segment = given.observation.segment(begin, begin + hours)
        if segment is None:
            continue
        mean = climate.mean(clock[rows]) * climate.mask
        x = torch.stack([mean, mean + swing(begin, begin + hours)])
        u = covariance.solve(segment, hours, math.inf, segment.residual(x))
        plain, swung = x[:, own] + covariance.spread(segment, u, x, math.inf, own)
        packed = pack(fine.sel(time=given.time[rows][own]), climate.scaling.variables)
        truth = torch.from_numpy(climate.scaling.apply(packed)).nan_to_num() * climate.mask
        moved = (swung - plain).double()
        part += (moved * (truth - plain)).sum(dim=(0, 2, 3))
        whole += moved.square().sum(dim=(0, 2, 3))
    return tuple((part / whole.clamp_min(1e-30)).clamp(0, 1).tolist())


def _cycle(climate: GaussianClimate, clock: Tensor) -> Tensor:
    """Basis functions of the mean at ``clock [T, 2]`` less what they are over their day: ``[T, P]``."""
    hours = clock[:, None].repeat_interleave(24, dim=1)
    hours[..., 1] = torch.arange(24) / 24
    return climate.harmonics(clock) - climate.harmonics(hours).mean(1)


def _bent(values: Tensor, steps: int) -> Tensor:
    """Values ``[K, ...]`` less the mean of those so many steps before and after; NaN at the ends."""
    out = torch.full_like(values, torch.nan)
    if len(values) > 2 * steps:
        out[steps:-steps] = values[steps:-steps] - (values[: -2 * steps] + values[2 * steps :]) / 2
    return out


def _bells(grid: Grid) -> tuple[Tensor, Tensor]:
    """Weights by distance between the rows ``[H, H]`` and between the columns ``[W, W]`` of a grid."""
    lat, lon = np.deg2rad(grid.lat), np.deg2rad(grid.lon)
    along = np.abs(lon[:, None] - lon)
    apart = (lat[:, None] - lat, np.minimum(along, 2 * np.pi - along) * np.cos(lat.mean()))
    down, across = (np.exp(-((EARTH_RADIUS / 1000 * a / KILOMETRES) ** 2) / 2) for a in apart)
    return torch.from_numpy(down).float(), torch.from_numpy(across).float()

"""How far what is not seen of a day follows its activity: each band of waves of each variable by a power of its own.

`guidance.activity` multiplies all that is unknown of a day by what its coarse data tell. The winds of an active day are
stronger at all scales, but the grain of a smooth field, or what terrain alone makes, is the same on every day. So the
energy of each band on days of the past is taken as a power of the activity of its variable, E = E_0 s^(2 p), and what
separates draws from the posterior mean is multiplied by s^(p - 1) before it is multiplied by s.
"""

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from finescale.fields.pack import pack
from finescale.guidance.activity import Activity
from finescale.guidance.conditions import Conditions
from finescale.guidance.covariance import ClimateCovariance
from finescale.guidance.observation import Observation
from finescale.guidance.unseen import Unseen
from finescale.prior.gaussian import GaussianClimate

# By variable and band ``[C][B]``.
Powers = tuple[tuple[float, ...], ...]
# Standard deviation of powers about 1, which is believed before any day is looked at; largest power; least variance of
# a day's log energy about its power, so that two days do not seem to tell it exactly.
PRIOR, LARGEST, NOISE = 0.5, 1.5, 0.1
# Days of the past that are looked at, at even distances, and how many of them at once.
DAYS, TOGETHER = 360, 24


@dataclass(frozen=True)
class Following:
    """Makes the bands of what separates draws from the posterior mean follow activity as they should.

    Attributes:
        powers: by variable and band ``[C, B]``.
        activity: of the request.
        unseen: keeps of a change what no product sees.
    """

    powers: Tensor
    activity: Activity
    unseen: Unseen

    @classmethod
    def of(
        cls,
        powers: Powers,
        activity: Activity | None,
        covariance: ClimateCovariance,
        observation: Observation,
    ) -> "Following | None":
        """None where nothing is known of powers, or nothing is told of activity."""
        if not powers or activity is None:
            return None
        return cls(torch.tensor(powers), activity, Unseen(covariance, observation))

    def __call__(self, away: Tensor, first: int) -> Tensor:
        """Departures ``[M, T, C, H, W]`` whose first frame is an absolute hour."""
        climate, begin = self.activity.climate, first - self.activity.first
        size = self.activity.factors[begin : begin + away.shape[1], :, None]
        factors = (size ** (self.powers - 1)).repeat_interleave(climate.edges.diff().cpu(), dim=2)
        changed = climate.bands.inverse(climate.bands(away) * factors.to(away)) * climate.mask
        return away + self.unseen(changed - away)


def measured(given: Conditions, climate: GaussianClimate, fine: xr.Dataset) -> Powers:
    """The powers that days of the past tell; none where they are less than one whole day.

    Args:
        given: their coarse data, as a request.
        climate: what is told apart from the weather.
        fine: fields of the same hours.
    """
    whole = (given.stop - given.first) // 24
    if not whole:
        return ()
    activity, clock = Activity.of(given, climate), given.clock()
    unseen = Unseen(ClimateCovariance(climate), given.observation)
    every = given.observation.sources[0].clock.every
    days = np.unique(np.linspace(0, whole - 1, min(DAYS, whole)).astype(int))
    energies = []
    # Many at once: day by day, a lazy dataset would decode each chunk as often.
    for some in np.array_split(days, -(-len(days) // TOGETHER)):
        frames = (24 * some[:, None] + np.arange(0, 24, every)).ravel()
        x = climate.scaling.apply(pack(fine.sel(time=given.time[frames]), climate.scaling.variables))
        anomalies = (torch.from_numpy(x).nan_to_num() - climate.mean(clock[frames])) * climate.mask
        square = climate.bands(unseen(anomalies[None].float()))[0].square()
        square = square.view(len(some), -1, *square.shape[1:]).mean(1)
        parts = square.tensor_split(climate.edges[1:-1].cpu(), dim=2)
        energies.append(torch.stack([part.mean(2) for part in parts], 2))
    size = activity.factors[: 24 * whole].view(whole, 24, -1).log().mean(1).exp()
    return fitted(torch.cat(energies), size[days])


def fitted(energies: Tensor, size: Tensor) -> Powers:
    """Powers by least squares on logarithms, drawn to 1 where days tell little.

    Args:
        energies: mean square of unseen anomalies by day, variable and band ``[D, C, B]``.
        size: activity by day and variable ``[D, C]``.
    """
    x, y = 2 * size.double().log(), energies.double().clamp_min(1e-30).log()
    x, y = (x - x.mean(0))[:, :, None], y - y.mean(0)
    square, beyond = x.square().sum(0), y - x
    slope = (x * beyond).sum(0) / square.clamp_min(1e-30)
    noise = (beyond - x * slope).square().mean(0).clamp_min(NOISE)
    found = 1 + slope * square / (square + noise / PRIOR**2)
    return tuple(tuple(row) for row in found.clamp(0, LARGEST).tolist())

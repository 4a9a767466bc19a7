"""Priors of single frames: an observation for each frame, and hours between the frames.

Such a prior knows nothing of time, so a frame without an observation of its own would be any weather. Frames are drawn
every `pace` hours; where the coarse data are rarer, their anomalies are interpolated linearly between the coarse times.
Hours between frames are interpolated likewise. Anomalies are from the mean of the fitted climate by hour and season,
so that the day keeps its course.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.context import clock
from finescale.fields.hours import time_axis
from finescale.fields.operator import Clock
from finescale.guidance.conditions import Conditions
from finescale.guidance.observation import Observation, Source
from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.prior.gaussian import GaussianClimate


def frames(given: Conditions, pace: int, climate: GaussianClimate | None) -> Conditions:
    """The same request for frames every `pace` hours, each with an observation.

    Args:
        given: the request for every hour.
        pace: hours between two frames.
        climate: whose mean is taken off before the interpolation; None for none.
    """
    source, *others = given.observation.sources
    if others:
        raise FinescaleError(
            f"a prior of single frames reads one product: {len(others)} more were given; choose a prior of windows"
        )
    every = source.clock.every
    if source.clock.how != "instant":
        raise FinescaleError(
            f"a prior of single frames knows no means over hours: coarse data are the {source.clock.how} of {every} h; "
            "choose coarse.how instant or a prior of windows"
        )
    if pace < 1 or every % pace:
        raise FinescaleError(
            f"frames fall on the coarse times: a pace of {pace} h does not divide {every} h; choose a divisor"
        )
    begin, end = given.wanted[0], given.wanted[1]
    axis = time_axis(begin, end, given.time)[::pace]
    y = _interpolated(source, torch.from_numpy(clock(axis)).float(), every // pace, climate)
    own = Source(source.space, Clock(1), source.channels, begin // pace, y, source.error, source.lasting)
    first, stop = begin // pace, begin // pace + len(axis)
    return Conditions(Observation((own,)), first, stop, (first, stop), axis, pace)


def _interpolated(source: Source, phases: Tensor, each: int, climate: GaussianClimate | None) -> Tensor:
    """Values at every frame ``[F, C, n]`` from those at every `each`-th."""
    mean = torch.zeros(len(phases), *source.y.shape[1:], dtype=source.y.dtype)
    if climate is not None:
        mean = source.space.apply(climate.mean(phases)[:, list(source.channels)]).to(source.y)
    anomaly = source.y - mean[::each]
    return mean + _linear(anomaly, each)


def _linear(x: Tensor, each: int) -> Tensor:
    """Between K values along the first axis ``each - 1`` more: ``[(K - 1) * each + 1, ...]``."""
    share = torch.arange(each, dtype=x.dtype, device=x.device).view(-1, *[1] * (x.ndim - 1)) / each
    # A share of zero must not carry the gaps of the next value.
    steps = torch.where(share > 0, x[:-1, None] * (1 - share) + x[1:, None] * share, x[:-1, None])
    return torch.cat([steps.flatten(0, 1), x[-1:]])


@dataclass
class Hourly:
    """Turns blocks of frames, in order of time, into blocks of hours.

    Attributes:
        given: the request.
        climate: whose mean is taken off before the interpolation; None for none.
        last: the last frame of the block before ``[M, 1, C, H, W]``.
    """

    given: Conditions
    climate: GaussianClimate | None
    last: Tensor | None = None
    _phases: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self._phases = torch.from_numpy(clock(self.given.stamps())).float()

    def __call__(self, first: int, x: Tensor) -> tuple[int, Tensor]:
        """Give hours ``[M, T, C, H, W]``, and the place of the first among the wanted ones.

        Args:
            first: number of the first frame.
            x: frames ``[M, F, C, H, W]``.
        """
        pace, begin = self.given.pace, self.given.wanted[0]
        if pace == 1:
            return first - begin, x
        joined = x if self.last is None else torch.cat([self.last.to(x), x], 1)
        self.last = x[:, -1:].clone()
        lead = 0 if joined is x else 1
        hours = np.arange((first - begin - lead) * pace, (first - begin + x.shape[1] - 1) * pace + 1)
        mean = torch.zeros(1, device=x.device)
        if self.climate is not None:
            mean = self.climate.mean(self._phases[hours]).to(x)
        anomaly = joined - (mean[::pace] if mean.ndim > 1 else mean)
        out = mean + _linear(anomaly.transpose(0, 1), pace).transpose(0, 1)
        return int(hours[lead]), out[:, lead:]

    def state(self) -> dict[str, Tensor]:
        """What a run that goes on needs besides that of the wave."""
        return {} if self.last is None else {"last": self.last}


def check_frames(window: int, sampler: SamplerSpec, guidance: GuidanceSpec) -> None:
    """Refuse for a prior of single frames what knows covariances in time, and a start twice over."""
    in_time = guidance.name == "gaussian-cov" or (guidance.name == "mmps" and guidance.precondition)
    if window == 1 and (in_time or sampler.start != "zero"):
        raise FinescaleError(
            f"a prior of single frames has no covariance in time: guidance {guidance.name}, start {sampler.start}; "
            "choose start zero and one of none, sda, project, dps, ucg, ddrm"
        )
    if guidance.name == "ddrm" and sampler.start != "zero":
        raise FinescaleError(f"ddrm makes its own first state: start {sampler.start}; choose start zero")

"""Exact draws from the posterior of the linear-Gaussian climate, for series of any length.

Matheron's rule (Journel and Huijbregts 1978): x + Sigma H^T (H Sigma H^T + R)^-1 (y - H x - e), with x a draw of the
climate and e of the observation error, is a draw given y. Observations further than `reach` hours from a block are
left out of its solve: with one every few hours in between they add nothing that can be measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from finescale.fields.noise import Noise
from finescale.guidance.covariance import ClimateCovariance
from finescale.guidance.draws import Ahead, ClimateDraws, error_draws
from finescale.guidance.observation import Observation
from finescale.guidance.wave import blocks


@dataclass
class GaussianPosterior:
    """Draws members of a fitted climate given an observation.

    Attributes:
        covariance: of the climate.
        observation: in scaled units.
        clock: fractions of year and day of the hours [first, stop), ``[T, 2]``.
        noise: the source of all randomness.
        first: first absolute hour.
        stop: one past the last hour.
        block: hours solved together.
        reach: hours of observations on either side of a block.
    """

    covariance: ClimateCovariance
    observation: Observation
    clock: Tensor
    noise: Noise
    first: int
    stop: int
    block: int = 36
    reach: int = 36

    @cached_property
    def _drawn(self) -> Ahead:
        """Unconditional draws; they know nothing of self, or all factors would wait for the garbage collector."""
        climate, clock, begin = self.covariance.climate, self.clock, self.first
        anomalies = ClimateDraws(climate, self.noise)

        def draw(members: tuple[int, ...], first: int, stop: int) -> Tensor:
            mean = climate.mean(clock[first - begin : stop - begin])
            return mean * climate.mask + anomalies(members, first, stop)

        return Ahead(draw, self.block, self.first, self.stop)

    def run(self, members: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], Tensor]]:
        """Yield each block's hours and its draws ``[M, T, C, H, W]``, in order of time."""
        for first, stop in blocks(self.first, self.stop, max(self.block, self.reach)):
            yield (first, stop), self.sample(members, first, stop)

    def sample(self, members: tuple[int, ...], first: int, stop: int) -> Tensor:
        """Posterior draws ``[M, T, C, H, W]`` of the hours [first, stop) by themselves."""
        begin, end = max(self.first, first - self.reach), min(self.stop, stop + self.reach)
        own = slice(first - begin, stop - begin)
        return self._given(self._drawn(members, begin, end), members, begin, end, own)

    def mean(self, members: tuple[int, ...], first: int, stop: int) -> Tensor:
        """Posterior mean ``[1, T, C, H, W]`` of the hours [first, stop)."""
        begin, end = max(self.first, first - self.reach), min(self.stop, stop + self.reach)
        mean = self.covariance.climate.mean(self.clock[begin - self.first : end - self.first])[None]
        return self._given(mean, None, begin, end, slice(first - begin, stop - begin))

    def _given(self, x: Tensor, members: tuple[int, ...] | None, begin: int, end: int, own: slice) -> Tensor:
        """Condition states of the hours [begin, end) and return the wanted frames; members add their error."""
        segment = self.observation.segment(begin, end, members)
        if segment is None:
            return x[:, own]
        r = segment.residual(x)
        if members is not None and bool(segment.error.any()):
            r = r - error_draws(self.noise, segment, members)
        u = self.covariance.solve(segment, x.shape[1], float("inf"), r)
        return x[:, own] + self.covariance.spread(segment, u, x, float("inf"), own)

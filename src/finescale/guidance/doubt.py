"""What is in doubt about the data of a model that runs freely: each member is given data of its own.

The error of such a model is one of law, and what mends a law is a map of values: its error is a function of the
weather, lasts as long and reaches as far, over cells and variables. To guidances that take errors as independent the
mean over a region and a week is then all but exact. So a part of the error variance is taken as weather itself:
y = H x + e, with e of the covariance of H x times a share s for each variable. Given y alone, H x is likeliest to be
(y - mean) / (1 + s) from its mean, and lies as far from that as the climate's own weather times sqrt(s / (1 + s)); each
member has a draw of it.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import torch
from torch import Tensor

from finescale.fields.kept import Kept
from finescale.fields.noise import Noise
from finescale.guidance.conditions import Conditions
from finescale.guidance.draws import ClimateDraws
from finescale.guidance.observation import Observation, Segment, Source
from finescale.guidance.seen import Seen
from finescale.prior.gaussian import GaussianClimate

# The use of the noise (see `ClimateDraws`), after those of the start and of the finish.
USE = 2
# Stretches whose data are kept for the next noise level.
KEPT = 256
# Hours of weather that are drawn at once, and such lengths whose sight is kept for the next stretch.
PIECE, PIECES = 96, 64


def believed(given: Conditions, climate: GaussianClimate | None, noise: Noise) -> Conditions:
    """The request with data that differ from member to member, as far as they are in doubt.

    Without a climate nothing is known of weather at large, and all of the error is independent.
    """
    sources = given.observation.sources
    if not any(source.lasting is not None for source in sources):
        return given
    if climate is None:
        return replace(given, observation=Observation(tuple(source.independent() for source in sources)))
    plain = Noise(noise.seed, noise.variables, noise.shape)
    draws = ClimateDraws(climate, plain, use=USE)
    return replace(given, observation=Doubted(sources, draws, given.clock(), given.first, given.pace))


@dataclass(frozen=True)
class Doubted(Observation):
    """An observation of which each member knows a likely form.

    Attributes:
        draws: of the climate's anomalies.
        clock: fractions of year and day of the frames ``[T, 2]``.
        first: number of the first frame.
        pace: hours between two frames.
    """

    draws: ClimateDraws
    clock: Tensor
    first: int
    pace: int
    _known: Kept[tuple[object, ...], Tensor] = field(default_factory=lambda: Kept(KEPT), repr=False)
    _pieces: Kept[tuple[object, ...], dict[int, Tensor]] = field(
        default_factory=lambda: Kept(PIECES), repr=False
    )

    @cached_property
    def shares(self) -> dict[int, Tensor]:
        """Error that is like weather over the climate's own variance, of each channel of each source ``[C, 1]``."""
        return {id(source): _share(source, self.draws.climate) for source in self.sources}

    def segment(self, first: int, stop: int, members: tuple[int, ...] | None = None) -> Segment | None:
        """The observation of the hours [first, stop) with values ``[M, n]``; what is likeliest without members."""
        plain = super().segment(first, stop)
        if plain is None:
            return None
        values = self._known((first, stop, members), lambda: self._values(plain, first, stop, members))
        return replace(plain, y=values)

    def _values(self, plain: Segment, first: int, stop: int, members: tuple[int, ...] | None) -> Tensor:
        climate = self.draws.climate
        mean = climate.mean(self.clock[first - self.first : stop - self.first]) * climate.mask
        out = []
        for (source, view), y in zip(plain.parts, plain.split(plain.y), strict=True):
            share = self.shares[id(source)]
            usual = view.apply(mean[:, list(source.channels)]).to(y)
            likely = usual + (y - usual) / (1 + share)
            if members is not None:
                other = view.read(self._weather(source, members, first, stop)).to(y)
                likely = likely + (share / (1 + share)).sqrt() * other
            out.append(likely.flatten(-3))
        values: Tensor = torch.where(plain.mask, torch.cat(out, -1), 0.0).to(plain.y)
        return values

    def _weather(self, source: Source, members: tuple[int, ...], first: int, stop: int) -> Tensor:
        """What a product sees of weather that each member has for itself, frame by frame ``[M, T, C, n]``."""
        length, seen = max(1, PIECE // self.pace), []
        for begin in range(first // length * length, stop, length):
            piece = self._pieces((begin, members), partial(self._drawn, members, begin, begin + length))
            seen.append(piece[id(source)][:, max(first - begin, 0) : stop - begin])
        return torch.cat(seen, 1)

    def _drawn(self, members: tuple[int, ...], first: int, stop: int) -> dict[int, Tensor]:
        """Weather of the frames [first, stop), as each source sees it."""
        x = self.draws(members, first * self.pace, (stop - 1) * self.pace + 1)[:, :: self.pace]
        return {id(s): s.space.apply(x[:, :, list(s.channels)]) for s in self.sources}


def _share(source: Source, climate: GaussianClimate) -> Tensor:
    """Variance of the error that lasts over that of the climate's weather, as the product sees it ``[C, 1]``."""
    channels = len(source.channels)
    if source.lasting is None:
        return torch.zeros(channels, 1)
    seen = Seen.of(source, climate)
    usual = (climate.variance.double()[:, None] * seen.eofs.square()).sum(0).view(channels, -1).mean(1)
    free = seen.free.diagonal(dim1=1, dim2=2).mean(1) * climate.residual_variance.double()[seen.groups]
    usual = usual + free.view(channels, -1).sum(1)
    share: Tensor = (source.lasting.double() / usual).float()[:, None]
    return share

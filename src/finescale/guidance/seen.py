"""What a product sees of a fitted climate: its EOFs, and band by band the space that no EOF takes."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from finescale.guidance.observation import Source
from finescale.prior.gaussian import GaussianClimate


@dataclass(frozen=True)
class Seen:
    """What a product sees of a climate.

    Attributes:
        eofs: of each EOF ``[K, C n]``.
        groups: numbers of the climate's groups that it observes, channel by channel.
        waves: what each of its n values takes of the free waves of each group, ``[n, N_b]`` a group.
        channels: number of variables C.
    """

    eofs: Tensor
    groups: list[int]
    waves: list[Tensor]
    channels: int

    @classmethod
    def of(cls, source: Source, climate: GaussianClimate) -> "Seen":
        """Look at a climate through a product."""
        channels = list(source.channels)
        eofs = source.space.apply((climate.eofs.double() * climate.mask)[:, channels])
        rows = source.space.adjoint(torch.eye(source.space.size, dtype=torch.float64))
        rows = climate.bands(rows[:, None] * climate.mask[channels])
        groups = [n for c in channels for n, g in enumerate(climate.groups) if g.variable == c]
        waves = []
        for g in (climate.groups[n] for n in groups):
            own = rows[:, channels.index(g.variable), g.span]
            pattern = climate.patterns[g.rows, g.span].double()
            waves.append(own - (own @ pattern.T) @ pattern)
        return cls(eofs.flatten(1), groups, waves, len(channels))

    def only(self, channel: int, cells: Tensor) -> "Seen":
        """Some values of one variable."""
        each = len(self.groups) // self.channels
        own = slice(channel * each, (channel + 1) * each)
        waves = [w[cells] for w in self.waves[own]]
        return Seen(self.eofs[:, channel * self.size + cells], self.groups[own], waves, 1)

    @property
    def size(self) -> int:
        """Values of one variable n."""
        return self.eofs.shape[1] // self.channels

    @cached_property
    def free(self) -> Tensor:
        """Of the free waves of each group ``[G, n, n]``."""
        return torch.stack([w @ w.T for w in self.waves])


def through_eofs(time: Tensor, here: Seen, there: Seen, lead: int = 0) -> Tensor:
    """Sum over k >= lead of time[k - lead] ``[A, B]`` kron (here[k] there[k]^T): ``[A C n, B C m]``."""
    (_, a, b), left, right = time.shape, here.eofs[lead:], there.eofs[lead:]
    out = time.new_empty(a, left.shape[1], b, right.shape[1])
    for i in range(a):
        for j in range(i if here is there else 0, b):
            out[i, :, j] = (left * time[:, i, j, None]).T @ right
            if here is there and i != j:
                out[j, :, i] = out[i, :, j].T
    return out.reshape(a * left.shape[1], b * right.shape[1])


def through_bands(time: Tensor, here: Seen, there: Seen) -> Tensor:
    """The same through free waves, which couple no two variables; time ``[G, A, B]``."""
    a, b = time.shape[1:]
    out = time.new_zeros(a, here.channels, here.size, b, there.channels, there.size)
    places = {group: j for j, group in enumerate(there.groups)}
    for i, group in enumerate(here.groups):
        if group in places:
            j = places[group]
            c, d = i * here.channels // len(here.groups), j * there.channels // len(there.groups)
            free = here.waves[i] @ there.waves[j].T
            out[:, c, :, :, d] += torch.einsum("st,ab->satb", time[group], free)
    return out.reshape(a * here.channels * here.size, -1)

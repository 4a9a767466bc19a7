"""No guidance: draws from the prior itself, to see what it has learnt."""

from dataclasses import dataclass

from torch import Tensor

from finescale.guidance.guidance import Moment
from finescale.guidance.solver import Level


@dataclass(frozen=True)
class Unguided:
    """Leaves the denoised mean as it is."""

    reach: int = 0

    def backward(self, level: Level) -> bool:
        """Never."""
        return False

    def __call__(self, moment: Moment) -> Tensor:
        """Return x̂_0."""
        return moment.x_0[:, moment.own]

"""Ensembles as wide as their errors: what days that nothing was learned from say about the spread.

A climate is too sure of what it found on its own days: on others its mean errs by more than its covariance says, and
draws that follow it are too narrow. By how much is measured on held-out days, and what separates members from the
climate's posterior mean is multiplied by it, variable by variable. Draws and mean both meet data without error, so
what comes out meets them too.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from finescale.guidance.following import Following

# Held-out days beside which a factor of one is believed: a day's log ratio of squared error to variance has a standard
# deviation of .3 to .6, neighbouring days are alike, and the factors to be found are within a few tenths of one.
BELIEF = 12.0


@dataclass(frozen=True)
class Spread:
    """Moves draws away from, or towards, the posterior mean of the climate.

    Attributes:
        factors: by variable ``[C]``.
        mean: of the hours [first, stop), for any members: ``[1, T, C, H, W]``.
        following: what is done to the bands of what separates them besides.
    """

    factors: Tensor
    mean: Callable[[tuple[int, ...], int, int], Tensor]
    following: Following | None = None

    def __call__(self, x: Tensor, first: int) -> Tensor:
        """Draws ``[M, T, C, H, W]`` whose first frame is an absolute hour, as wide as they should be."""
        mean = self.mean((0,), first, first + x.shape[1]).to(x)
        away = self.factors.to(x)[:, None, None] * (x - mean)
        return mean + (away if self.following is None else self.following(away, first))


def mended(spread_skill: Mapping[str, float], days: float) -> dict[str, float]:
    """Factors on the spread of each variable, from spread over error on so many days; few days say little."""
    share = days / (days + BELIEF)
    return {
        name: ratio**-share if math.isfinite(ratio) and ratio > 0 else 1.0
        for name, ratio in spread_skill.items()
    }

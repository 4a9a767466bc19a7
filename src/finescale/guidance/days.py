"""What makes the days of a request their own: how far their cycle swings, and how active their weather is."""

from dataclasses import dataclass

from torch import Tensor

from finescale.grid.grid import Grid
from finescale.guidance.activity import Activity
from finescale.guidance.conditions import Conditions
from finescale.guidance.swing import Belief, Swing
from finescale.prior.gaussian import GaussianClimate


@dataclass(frozen=True)
class Days:
    """Between a request and the same on ordinary days of the mean cycle, which are drawn.

    Attributes:
        swing: of the daily cycle; None where it is not to be told.
        activity: of what departs from it.
    """

    swing: Swing | None
    activity: Activity

    @classmethod
    def of(
        cls, given: Conditions, climate: GaussianClimate, grid: Grid, belief: Belief
    ) -> tuple["Days", Conditions]:
        """Judge a request; it comes back as it would be on ordinary days."""
        swing = Swing.of(given, climate, grid, belief) if any(belief) else None
        given = given if swing is None else swing.without(given)
        activity = Activity.of(given, climate)
        return cls(swing, activity), activity.normalised(given)

    def restored(self, x: Tensor, first: int) -> Tensor:
        """Fields ``[M, T, C, H, W]`` of ordinary days from a frame on, as their own."""
        x = self.activity.restored(x, first)
        return x if self.swing is None else self.swing.restored(x, first)

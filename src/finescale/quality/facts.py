"""A profile read by those who set limits: what it holds, and how fine it is in time and space."""

from __future__ import annotations

import numpy as np
import pandas as pd

from finescale.quality.profile import WHOLE

AXES = ("time", "lat", "lon")


class Facts:
    """Look-ups in a profile table."""

    def __init__(self, profile: pd.DataFrame) -> None:
        self._whole = {
            (str(v), str(c)): float(x)
            for v, c, x, period in zip(
                profile.variable, profile.check, profile.value, profile.period, strict=True
            )
            if period == WHOLE
        }
        self._names = list(dict.fromkeys(map(str, profile.variable)))

    @property
    def variables(self) -> list[str]:
        """The fields, without the axes."""
        return [name for name in self._names if name not in AXES]

    def is_field(self, variable: str) -> bool:
        """Whether a name is a variable of the dataset and no relation between some."""
        return (variable, "cells") in self._whole

    @property
    def step_hours(self) -> float:
        """The time step; NaN when there is none."""
        return self._whole.get(("time", "step_hours"), float("nan"))

    @property
    def spacing(self) -> float:
        """Degrees between neighbours along the finer axis; NaN without regular axes."""
        return float(np.fmin(self.value("lat", "spacing"), self.value("lon", "spacing")))

    def has(self, variable: str) -> bool:
        """Whether the profile says anything about a variable or an axis."""
        return variable in self._names

    def value(self, variable: str, check: str) -> float:
        """A finding about all periods; NaN when there is none."""
        return self._whole.get((variable, check), float("nan"))

"""From coarse data to what a sampler needs: an observation in scaled units and the hours to be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.context import clock
from finescale.fields.hours import time_axis
from finescale.fields.pack import pack
from finescale.fields.scaling import Scaling
from finescale.grid.coarsening import Coarsening
from finescale.guidance.observation import Observation
from finescale.guidance.sources import beside, gridded, on_clock


@dataclass(frozen=True)
class Conditions:
    """One request.

    Frames are numbered by their absolute hour over `pace`.

    Attributes:
        observation: what is known, in scaled units.
        first: first frame that is drawn.
        stop: one past the last frame that is drawn.
        wanted: the frames [from, to) that are handed out.
        time: stamps of the frames [first, stop).
        pace: hours between two frames.
    """

    observation: Observation
    first: int
    stop: int
    wanted: tuple[int, int]
    time: xr.DataArray
    pace: int = 1

    def clock(self) -> Tensor:
        """Fractions of year and day of the drawn frames, ``[T, 2]``."""
        return torch.from_numpy(clock(self.time)).float()

    @property
    def exact(self) -> bool:
        """Whether no product has an error of its own."""
        return all(source.exact for source in self.observation.sources)

    def stamps(self) -> xr.DataArray:
        """Stamps of the wanted hours: every one from the first wanted frame to the last."""
        begin, end = self.wanted
        return time_axis(begin * self.pace, (end - 1) * self.pace + 1, self.time)


def conditions(
    coarse: xr.Dataset,
    coarsening: Coarsening,
    scaling: Scaling,
    error_scale: float = 1.0,
    shortest: int = 1,
    others: Sequence[xr.Dataset] = (),
) -> Conditions:
    """Read coarse data as the observation of a series.

    Args:
        coarse: fields ``[time, lat, lon]`` on the coarse grid, in physical units; NaN cells are unobserved.
        coarsening: the operator H.
        scaling: physical units to the state's.
        error_scale: factor on the standard errors that the fields carry, for recalibration.
        shortest: hours that the sampler needs at least; shorter requests are drawn longer and cut.
        others: products beside the coarse one, on grids of their own or at stations, in the same units.
    """
    hours = on_clock(coarse["time"], coarsening.every)
    units = {name: str(coarse[name].attrs["units"]) for name in scaling.variables} if others else {}
    values = pack(coarse, scaling.variables)
    _check_steps(coarse["time"], values, scaling.variables)
    sources = [gridded(coarse, coarsening, scaling, error_scale)]
    sources += [beside(ds, coarsening.fine, units, scaling, coarse["time"], error_scale) for ds in others]
    first, end = int(hours[0]) - sources[0].clock.lead, int(hours[-1]) + 1
    stop = max(end, first + shortest)
    axis = time_axis(first, stop, coarse["time"])
    return Conditions(Observation(tuple(sources)), first, stop, (int(hours[0]), end), axis)


def _check_steps(time: xr.DataArray, values: np.ndarray, variables: tuple[str, ...]) -> None:
    for c, name in enumerate(variables):
        empty = ~np.isfinite(values[:, c]).any(axis=(1, 2))
        if empty.any():
            raise FinescaleError(
                f"every coarse time holds values: {name} is missing everywhere at {time.values[empty][0]}; "
                "fill it or cut the period"
            )

"""From coarse data to what a sampler needs: an observation in scaled units and the hours to be drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.context import clock
from finescale.fields.hours import absolute_hours, time_axis
from finescale.fields.operator import AreaMean, Clock
from finescale.fields.pack import pack
from finescale.fields.scaling import Scaling
from finescale.grid.coarsening import Coarsening
from finescale.guidance.observation import Observation, Source, error_variance


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

    def stamps(self) -> xr.DataArray:
        """Stamps of the wanted hours: every one from the first wanted frame to the last."""
        begin, end = self.wanted
        return time_axis(begin * self.pace, (end - 1) * self.pace + 1, self.time)


def conditions(
    coarse: xr.Dataset,
    coarsening: Coarsening,
    scaling: Scaling,
    error: Mapping[str, float],
    shortest: int = 1,
) -> Conditions:
    """Read coarse data as the observation of a series.

    Args:
        coarse: fields ``[time, lat, lon]`` on the coarse grid, in physical units; NaN cells are unobserved.
        coarsening: the operator H.
        scaling: physical units to the state's.
        error: standard deviation of the observation error by variable, physical units.
        shortest: hours that the sampler needs at least; shorter requests are drawn longer and cut.
    """
    hours = _on_clock(coarse["time"], coarsening.every, coarsening.how)
    values = scaling.apply(pack(coarse, scaling.variables))
    _check_steps(coarse["time"], values, scaling.variables)
    std = [error.get(name, 0.0) / s for name, s in zip(scaling.variables, scaling.scale, strict=True)]
    source = Source(
        AreaMean.of(coarsening, torch.float64),
        Clock(coarsening.every, coarsening.how),
        tuple(range(len(scaling.variables))),
        int(hours[0]),
        torch.from_numpy(values).flatten(-2),
        torch.tensor(std).square(),
    )
    lead = coarsening.every - 1 if coarsening.how == "mean" else 0
    first, end = int(hours[0]) - lead, int(hours[-1]) + 1
    stop = max(end, first + shortest)
    axis = time_axis(first, stop, coarse["time"])
    return Conditions(Observation((source,)), first, stop, (int(hours[0]), end), axis)


def estimate_error(product: xr.Dataset, reference: xr.Dataset, scaling: Scaling) -> dict[str, float]:
    """Standard deviation of the observation error by variable, physical units, from the times that both have.

    Args:
        product: the coarse product to be downscaled, ``[time, lat, lon]``.
        reference: the coarsened fine reference on the same grid.
        scaling: names the variables.
    """
    here, there = xr.align(product, reference, join="inner", exclude=("lat", "lon"))
    if here.sizes["time"] < 2:
        raise FinescaleError(
            f"an error is estimated from two common times or more: found {here.sizes['time']}; widen the periods"
        )
    given, true = (
        torch.from_numpy(scaling.apply(pack(ds, scaling.variables))).flatten(-2) for ds in (here, there)
    )
    variance = error_variance(given, true)
    return {
        name: float(v) ** 0.5 * s
        for name, v, s in zip(scaling.variables, variance, scaling.scale, strict=True)
    }


def _on_clock(time: xr.DataArray, every: int, how: Literal["instant", "mean"]) -> np.ndarray:
    if not time.size:
        raise FinescaleError("coarse data hold one time or more: the period is empty; widen it")
    hours = absolute_hours(time)
    off = hours % every != 0
    if off.any():
        raise FinescaleError(
            f"coarse times lie on the clock, every {every} h from 00 UTC: {time.values[off][0]} does not; "
            "shift the times or change coarse.every"
        )
    broken = np.flatnonzero(np.diff(hours) != every)
    if broken.size:
        at = int(broken[0])
        raise FinescaleError(
            f"coarse times follow every {every} h: {time.values[at]} is followed by {time.values[at + 1]}; "
            "fill the hole with NaN cells or downscale the parts one by one"
        )
    return hours


def _check_steps(time: xr.DataArray, values: np.ndarray, variables: tuple[str, ...]) -> None:
    for c, name in enumerate(variables):
        empty = ~np.isfinite(values[:, c]).any(axis=(1, 2))
        if empty.any():
            raise FinescaleError(
                f"every coarse time holds values: {name} is missing everywhere at {time.values[empty][0]}; "
                "fill it or cut the period"
            )

"""The blocks of days that the settings state, or that shares of the reference make."""

import numpy as np
import xarray as xr

from finescale.climate.splits import by_shares
from finescale.climate.subset import Period, crop_period, day_number
from finescale.climate.subset import days as day_of
from finescale.climate.timeline import seconds_between
from finescale.pipeline.desk import Desk


def days(desk: Desk, name: str) -> Period:
    """First and last day of a block; the stage reads the reference, fine or coarse."""
    stated: Period | None = desk.setting(f"split.{name}")
    if stated is not None:
        return stated
    source = "reference" if "reference" in desk.stage.reads else "coarse-reference"
    shares = desk.setting("split.shares").model_dump()
    return by_shares(desk.open(source)["time"], shares, gap_hours=desk.setting("split.gap"))[name]


def block(desk: Desk, artefact: str, name: str, *, slices: bool = False) -> xr.Dataset:
    """The times of an artefact that lie in a block, in small chunks for readers of short stretches."""
    return crop_period(desk.open(artefact, slices=slices), days(desk, name), artefact)


def outside(desk: Desk, artefact: str, name: str) -> xr.Dataset:
    """The times of an artefact that lie neither in a block nor nearer to it than the gap."""
    ds = desk.open(artefact)
    first, last = (day_number(day) for day in days(desk, name))
    stamp = day_of(ds["time"])
    hours = np.concatenate([[0.0], np.cumsum(seconds_between(ds["time"]))]) / 3600.0
    block = hours[(stamp >= first) & (stamp <= last)]
    gap = desk.setting("split.gap")
    return ds.isel(time=np.flatnonzero((hours < block[0] - gap) | (hours > block[-1] + gap)))

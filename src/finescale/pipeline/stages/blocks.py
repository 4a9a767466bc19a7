"""The blocks of days that the settings state, or that shares of the reference make."""

import xarray as xr

from finescale.climate.splits import by_shares
from finescale.climate.subset import Period, crop_period
from finescale.pipeline.desk import Desk


def days(desk: Desk, name: str) -> Period:
    """First and last day of a block; the stage reads the reference, fine or coarse."""
    stated: Period | None = desk.setting(f"split.{name}")
    if stated is not None:
        return stated
    source = "reference" if "reference" in desk.stage.reads else "coarse-reference"
    shares = desk.setting("split.shares").model_dump()
    return by_shares(desk.open(source)["time"], shares, gap_hours=desk.setting("split.gap"))[name]


def block(desk: Desk, artefact: str, name: str) -> xr.Dataset:
    """The times of an artefact that lie in a block."""
    return crop_period(desk.open(artefact), days(desk, name), artefact)

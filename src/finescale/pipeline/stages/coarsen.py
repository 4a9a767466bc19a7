"""Stage ``coarsen``: what a coarse model would have seen of the reference, ``y = H x``."""

import xarray as xr

from finescale.errors import FinescaleError
from finescale.fields.axis import step_hours
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.pipeline.desk import Desk


def coarsen(desk: Desk) -> None:
    """Apply H to the whole reference."""
    reference = desk.open("reference")
    desk.save("coarse-reference", operator(desk, reference).apply(reference))


def operator(desk: Desk, fine: xr.Dataset) -> Coarsening:
    """The one H of the settings, for fields on the grid of ``fine``."""
    step = step_hours(fine["time"])
    if step != 1:
        raise FinescaleError(
            f"weather is drawn hour by hour: the reference has a field every {step:g} h; bring an hourly one (a prior "
            "of it alone can be trained: finescale run train-<prior>)"
        )
    wanted = desk.setting("coarse")
    grid = Grid.from_dataset(fine)
    return Coarsening(grid, grid.coarsen(wanted.factor), every=wanted.every, how=wanted.how)

"""Stage ``coarsen``: what a coarse model would have seen of the reference, ``y = H x``."""

import xarray as xr

from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.pipeline.desk import Desk


def coarsen(desk: Desk) -> None:
    """Apply H to the whole reference."""
    reference = desk.open("reference")
    desk.save("coarse-reference", operator(desk, reference).apply(reference))


def operator(desk: Desk, fine: xr.Dataset) -> Coarsening:
    """The one H of the settings, for fields on the grid of ``fine``."""
    wanted = desk.setting("coarse")
    grid = Grid.from_dataset(fine)
    return Coarsening(grid, grid.coarsen(wanted.factor), every=wanted.every, how=wanted.how)

"""Means over the blocks of hours that end on the clock, from fields of any step that divides them."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.grid.clock import ending, hours_between, on_the_clock
from finescale.grid.horizontal import add_cell_method


def block_ends(time: xr.DataArray, every: int, step: float = 1.0) -> NDArray[np.intp]:
    """Positions of the stamps [time] on the clock at which a whole block of `every` hours ends.

    Args:
        time: stamps of the ends of their own intervals; blocks with a hole in them are left out.
        every: hours of a block.
        step: hours of an interval.
    """
    width = round(every / step)
    if width < 1 or abs(width * step - every) > 1e-6:
        raise FinescaleError(
            f"a mean over {every} hours is made of whole steps: they are {step:g} h long; choose another coarse.every"
        )
    ends = on_the_clock(time, every)
    ends = ends[ends >= width - 1]
    past = hours_between(time[ends - width + 1], time[ends])
    whole = ends[np.abs(past - (width - 1) * step) < 1e-6]
    if not whole.size:
        raise FinescaleError(
            f"a mean needs all of its {every} hours: no block of {time.size} stamps, {step:g} h apart, has them; "
            "lengthen the period"
        )
    return whole


def block_means(ds: xr.Dataset, every: int, step: float = 1.0) -> xr.Dataset:
    """Average the fields [..., time, ...] over the whole blocks of `every` hours that end on the clock.

    Args:
        ds: fields stamped at the ends of their own intervals; dask arrays stay lazy.
        every: hours of a block.
        step: hours of an interval.

    Returns:
        Means stamped at the ends of the blocks, with `time_bnds`, in the floating dtype of the fields.
    """
    ends, width = block_ends(ds["time"], every, step), round(every / step)
    # Without holes a slice: it copies less than a list of steps.
    inside = (ends[:, None] + np.arange(1 - width, 1)).ravel()
    steps: slice | NDArray[np.intp] = inside
    if inside[-1] - inside[0] + 1 == inside.size:
        steps = slice(int(inside[0]), int(inside[-1]) + 1)
    means = ds.isel(time=ends)
    for name, field in ds.data_vars.items():
        if "time" in field.dims:
            parts = field.isel(time=steps).drop_vars("time").astype(np.float64)
            blocks = parts.coarsen(time=width).construct(time=("time", "step"))
            mean = blocks.mean("step", skipna=False, keep_attrs=True)
            means[name] = mean.astype(np.result_type(field.dtype, np.float32)).transpose(*field.dims)
    means = means.assign_coords(ending(means["time"], every))
    return add_cell_method(means, "time: mean", over=("time",))

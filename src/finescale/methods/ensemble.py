"""Finished blocks of scaled states to an ensemble Dataset in physical units."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.fields.scaling import Scaling
from finescale.grid.grid import Grid
from finescale.methods.downscaler import member_axis

BOUNDED = {"pr": 0.0}  # a Gaussian tail must not carry these below their bound
KEPT = ("standard_name", "long_name", "units")


def physical(
    x: NDArray[np.float32], scaling: Scaling, valid: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Scaled ``[..., C, H, W]`` to physical units, within the bounds of each variable.

    Cells that the reference has no values of are NaN, as there; `valid` are the others ``[C, H, W]``, None for all.
    """
    out = scaling.invert(x)
    if valid is not None:
        out[..., ~valid] = np.nan
    for name, low in BOUNDED.items():
        if name in scaling.variables:
            c = scaling.variables.index(name)
            np.maximum(out[..., c, :, :], low, out=out[..., c, :, :])
    return out


def dataset(
    values: NDArray[np.float32],
    scaling: Scaling,
    time: xr.DataArray,
    grid: Grid,
    attrs: Mapping[str, Mapping[str, object]],
    first: int = 0,
) -> xr.Dataset:
    """An ensemble in memory.

    Args:
        values: physical ``[member, time, variable, lat, lon]``.
        scaling: names the variables.
        time: stamps ``[time]``.
        grid: of the fields.
        attrs: attributes of each variable, of which names and units are kept.
        first: number of the first member.
    """
    dims = ("member", "time", "lat", "lon")
    fields = {
        name: (dims, values[:, :, c], {k: attrs[name][k] for k in KEPT if k in attrs[name]})
        for c, name in enumerate(scaling.variables)
    }
    coords = {"member": member_axis(len(values), first), "time": ("time", time.values, dict(time.attrs))}
    return xr.Dataset(fields, coords=coords | grid.coords())

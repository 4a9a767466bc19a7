"""Finished blocks of scaled states to an ensemble Dataset in physical units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.fields.scaling import Scaling
from finescale.grid.grid import Grid
from finescale.methods.downscaler import member_axis

BOUNDED = {"pr": 0.0}  # a Gaussian tail must not carry these below their bound
DIMS = ("member", "time", "lat", "lon")
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


@dataclass(frozen=True)
class Layout:
    """Of an ensemble.

    Attributes:
        members: their numbers.
        time: stamps ``[time]``.
        grid: of the fields.
        variables: names, in order.
        attrs: attributes of each variable, of which names and units are kept.
    """

    members: range
    time: xr.DataArray
    grid: Grid
    variables: tuple[str, ...]
    attrs: Mapping[str, Mapping[str, object]]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of one variable: ``[member, time, lat, lon]``."""
        return len(self.members), self.time.size, *self.grid.shape

    def rows(self, members: tuple[int, ...]) -> slice:
        """Where neighbouring members stand."""
        begin = self.members.index(members[0])
        return slice(begin, begin + len(members))

    def coords(self) -> dict[str, Any]:
        """Coordinates of a Dataset."""
        time = ("time", self.time.values, dict(self.time.attrs))
        return {
            "member": member_axis(len(self.members), self.members.start),
            "time": time,
        } | self.grid.coords()

    def named(self, name: str) -> dict[str, Any]:
        """Attributes of a variable."""
        return {key: str(self.attrs[name][key]) for key in KEPT if key in self.attrs[name]}

    def dataset(self, values: NDArray[np.float32]) -> xr.Dataset:
        """An ensemble in memory from physical values ``[member, time, variable, lat, lon]``."""
        fields = {name: (DIMS, values[:, :, c], self.named(name)) for c, name in enumerate(self.variables)}
        return xr.Dataset(fields, coords=self.coords())

"""Bilinear interpolation in space, linear in time: what a careful user does without any model."""

from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from finescale.grid import regrid
from finescale.grid.grid import Grid
from finescale.methods import card
from finescale.methods.downscaler import How, hourly
from finescale.methods.kinds import Interpolating

BLOCK = 480  # hours in memory at once


@dataclass(frozen=True)
class Bilinear(Interpolating):
    """Interpolates between coarse cell centres; one member, whatever is asked.

    Attributes:
        how: whether coarse values are instants or means.
    """

    fine: Grid
    coarse: Grid
    variables: dict[str, str]
    how: How = "instant"

    def answer(self, coarse: xr.Dataset) -> xr.Dataset:
        """Interpolate; see `Answering`."""
        return spread(hourly(coarse[list(self.variables)].compute(), self.how), self.fine)

    def save(self, folder: Path) -> None:
        """Write the card; there is nothing else."""
        card.save(folder, "bilinear", self.fine, self.coarse, self.variables)
        card.add(folder, {"how": self.how})

    @classmethod
    def load(cls, folder: Path) -> "Bilinear":
        """Read back what `save` wrote."""
        found = card.load(folder, "bilinear")
        return cls(found.fine, found.coarse, found.variables, found.how)


def spread(coarse: xr.Dataset, fine: Grid) -> xr.Dataset:
    """Coarse fields ``[time, lat, lon]`` on the fine grid, lazily, block by block in time.

    Beyond the outermost coarse centres the half cell to the region's edge takes the outer value.
    """
    return regrid.bilinear(coarse.chunk(time=BLOCK), fine)

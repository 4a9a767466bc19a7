"""The one observation operator H: what a coarse model would have seen of a fine field.

In space H is the area-weighted mean over the fine cells of a coarse cell, as two small matrices
(rows x columns, area = overlap in sin(lat) times overlap in longitude). In time it keeps the stamps on the
absolute clock (hour % every == 0), so that no result depends on where a file happens to begin: either the
instants themselves, or the mean over the hours that end there. A mean stamped t is of the hourly fields
t - every + 1, ..., t: it covers the interval (t - every, t], as reanalyses stamp their accumulations, and
says so in `time_bnds` and `cell_methods`. A source with centred stamps is brought to this by stamping each
mean with the upper of its `time_bnds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.grid.blocks import block_ends, block_means
from finescale.grid.clock import check_hourly, on_the_clock
from finescale.grid.grid import Grid, nearest
from finescale.grid.horizontal import add_cell_method, map_fields


@dataclass(frozen=True)
class Coarsening:
    """Area-weighted mean in space, instant or mean in time; linear, with its adjoint.

    Attributes:
        fine: grid of the fields that H reads.
        coarse: grid of the fields that H writes; it nests in the fine one.
        every: hours between two observations, a divisor of 24, on the absolute clock.
        how: `instant` keeps the fields at the stamps, `mean` averages the `every` hourly fields ending there.
    """

    fine: Grid
    coarse: Grid
    every: int = 6
    how: Literal["instant", "mean"] = "instant"

    def __post_init__(self) -> None:
        self.coarse.check_nests_in(self.fine)
        if self.every < 1 or 24 % self.every:
            raise FinescaleError(
                f"observations fall on the same hours every day: every {self.every} h does not divide 24; "
                "choose 1, 2, 3, 4, 6, 8, 12 or 24"
            )
        if self.how not in ("instant", "mean"):
            raise FinescaleError(f"time is coarsened by instant or mean: {self.how!r}; choose one of the two")

    @cached_property
    def lat_matrix(self) -> NDArray[np.float64]:
        """Weights of the fine rows in the coarse rows [nlat_coarse, nlat_fine]; rows sum to one."""
        edges = self.fine.lat_edges
        return _block_weights(np.diff(np.sin(np.deg2rad(edges))), edges, self.coarse.lat_edges)

    @cached_property
    def lon_matrix(self) -> NDArray[np.float64]:
        """Weights of the fine columns in the coarse columns [nlon_coarse, nlon_fine]; rows sum to one."""
        edges = self.fine.lon_edges
        return _block_weights(np.diff(edges), edges, self.coarse.lon_edges)

    def observed(self, time: xr.DataArray) -> NDArray[np.intp]:
        """Positions of the stamps [time] that H keeps.

        A mean needs all of its hours: a first stamp with fewer before it is left out.
        """
        if self.how == "instant":
            return on_the_clock(time, self.every)
        check_hourly(time)
        return block_ends(time, self.every)

    def apply(self, ds: xr.Dataset) -> xr.Dataset:
        """Coarsen the fields [..., time, lat, lon] in time, then in space; dask arrays stay lazy."""
        return self.space(self.time(ds))

    def space(self, ds: xr.Dataset) -> xr.Dataset:
        """Average the fields [..., lat, lon] over the coarse cells; a NaN spoils its own coarse cell only."""
        _check_grid(ds, self.fine)
        rows, columns = self.lat_matrix, self.lon_matrix
        first_row, first_column = (rows > 0).argmax(axis=1), (columns > 0).argmax(axis=1)

        def mean(x: NDArray[np.float64]) -> NDArray[np.float64]:
            # Sums over blocks, not a matrix product: there one NaN would spoil the whole field.
            narrow = np.add.reduceat(x * columns.sum(axis=0), first_column, axis=-1)
            return np.asarray(np.add.reduceat(narrow * rows.sum(axis=0)[:, None], first_row, axis=-2))

        return add_cell_method(map_fields(mean, ds, self.coarse), "area: mean", over=("lat", "lon"))

    def time(self, ds: xr.Dataset) -> xr.Dataset:
        """Keep the observed stamps of the fields [..., time, ...], as instants or as means of their hours."""
        if self.how == "instant":
            return ds.isel(time=self.observed(ds["time"]))
        check_hourly(ds["time"])
        return block_means(ds, self.every)

    def adjoint(self, ds: xr.Dataset, time: xr.DataArray) -> xr.Dataset:
        """Apply the transpose of H in the plain inner product.

        Args:
            ds: coarse fields [..., time, lat, lon] at the observed stamps.
            time: the fine stamps that H read.

        Returns:
            Fields [..., time, lat, lon] on the fine grid, zero at stamps that H does not read.
        """
        _check_grid(ds, self.coarse)
        positions = self.observed(time)
        if not np.array_equal(ds["time"].values, time.values[positions]):
            raise FinescaleError(
                f"the adjoint takes fields at the observed stamps: "
                f"{ds['time'].size} stamps, {positions.size} observed; "
                "choose the fine time axis that H read"
            )
        width = 1 if self.how == "instant" else self.every
        share = xr.DataArray(np.zeros(time.size), coords={"time": time}, dims="time")
        owner = np.zeros(time.size, dtype=np.intp)
        for back in range(width):
            share[positions - back] = 1 / width
            owner[positions - back] = np.arange(positions.size)
        rows, columns = self.lat_matrix, self.lon_matrix

        def spread(y: NDArray[np.float64]) -> NDArray[np.float64]:
            cells = y[..., rows.argmax(axis=0)[:, None], columns.argmax(axis=0)]
            return np.asarray(cells * rows.sum(axis=0)[:, None] * columns.sum(axis=0))

        fine = map_fields(spread, ds.drop_vars("time_bnds", errors="ignore"), self.fine)
        return fine.isel(time=owner).assign_coords(time=time) * share

    def diagonal(self) -> NDArray[np.float64]:
        """Return diag(H H^T) [lat, lon] of one observed stamp: what H leaves of white unit variance."""
        rows, columns = (np.square(m).sum(axis=1) for m in (self.lat_matrix, self.lon_matrix))
        return np.asarray(np.outer(rows, columns) / (self.every if self.how == "mean" else 1))


def _block_weights(
    sizes: NDArray[np.float64], edges: NDArray[np.float64], coarse_edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    # Coarse edges are taken as the fine edges nearest to them, so that the area mean is kept to rounding.
    bounds = nearest(edges, coarse_edges)
    matrix = np.zeros((len(bounds) - 1, len(sizes)))
    for row, (begin, end) in enumerate(pairwise(bounds)):
        matrix[row, begin:end] = sizes[begin:end] / sizes[begin:end].sum()
    return matrix


def _check_grid(ds: xr.Dataset, grid: Grid) -> None:
    found = Grid.from_dataset(ds)
    if not found.matches(grid):
        raise FinescaleError(
            f"the coarsening was made for another grid: {_describe(grid)}, the data have {_describe(found)}; "
            "regrid the data first"
        )


def _describe(grid: Grid) -> str:
    return (
        f"{grid.shape[0]} x {grid.shape[1]} cells in {grid.lat[0]:.6g}..{grid.lat[-1]:.6g} N, "
        f"{grid.lon[0]:.6g}..{grid.lon[-1]:.6g} E"
    )

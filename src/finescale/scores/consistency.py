"""Whether the members keep the coarse input they were made from."""

from __future__ import annotations

from uuid import uuid4

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.scores.checks import whole


def coarse_misfit(
    ensemble: xr.Dataset, coarse: xr.Dataset, coarsening: Coarsening, name: str, *, block: int = 64
) -> tuple[dict[str, NDArray[np.float64]], float, xr.DataArray]:
    """Compare H x with the coarse input y of one variable, stamp by stamp: cell by cell, and in the area mean.

    The score CCE is the root of the mean square over the standard deviation of y (Harder et al. 2022).

    Args:
        ensemble: Fields [member, time, lat, lon].
        coarse: The input [time, lat, lon] on the coarse grid.
        coarsening: The operator H.
        name: The variable.
        block: Coarse stamps held in memory at a time.

    Returns:
        `misfit`, the squared misfit averaged over members and area, and `conservation`, the squared misfit of the
        area mean averaged over members [stamps]; the standard deviation of y over area and time; the stamps.
    """
    if name not in coarse:
        raise FinescaleError(
            f"the misfit needs the coarse input of every variable: {name} is not among "
            f"{sorted(map(str, coarse.data_vars))}; give the data that the method was conditioned on"
        )
    if not Grid.from_dataset(coarse).matches(coarsening.coarse):
        raise FinescaleError(
            "the coarse input lies on the coarse grid of the coarsening: it does not; regrid it"
        )
    lazy = ensemble[[name]]
    if not ensemble[name].chunks:
        # Named by chance: the name that Dask would give it is a hash of every byte.
        lazy = lazy.chunk({"time": block * coarsening.every}, token=uuid4().hex)
    seen = coarsening.apply(lazy)[name].transpose("member", "time", "lat", "lon")
    known = coarse[name].transpose("time", "lat", "lon")
    absent = ~seen.indexes["time"].isin(known.indexes["time"])
    if absent.any():
        raise FinescaleError(
            f"the coarse input covers every observed hour of the ensemble: {int(absent.sum())} of "
            f"{absent.size} are missing, the first {str(seen['time'].to_numpy()[absent.argmax()])[:16]}; "
            "choose one period"
        )
    y = whole(known.sel(time=seen["time"]).to_numpy().astype(np.float64), name, "coarse input")
    area = coarsening.coarse.area
    squared = {key: np.empty(seen.sizes["time"]) for key in ("misfit", "conservation")}
    for a in range(0, len(y), block):
        off = whole(seen.isel(time=slice(a, a + block)).to_numpy(), name, "ensemble") - y[a : a + block]
        squared["misfit"][a : a + block] = np.einsum("mtij,ij->t", off**2, area) / len(off)
        squared["conservation"][a : a + block] = (np.einsum("mtij,ij->mt", off, area) ** 2).mean(axis=0)
    mean = float(np.einsum("tij,ij->", y, area) / len(y))
    return squared, float(np.sqrt(np.einsum("tij,ij->", (y - mean) ** 2, area) / len(y))), seen["time"]

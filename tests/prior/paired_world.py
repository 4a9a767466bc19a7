"""A small world of pairs: terrain and moving waves, seen coarsely, with winds that move them."""

import numpy as np
import xarray as xr

from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid

SIZE, FACTOR = 16, 4


def grid(size: int = SIZE) -> Grid:
    return Grid(tuple(50 + 0.1 * np.arange(size)), tuple(0.1 * np.arange(size)))


FINE = grid()


def world(
    hours: int = 600, start: str = "2001-01-01", seed: int = 0, size: int = SIZE
) -> tuple[xr.Dataset, xr.Dataset]:
    """Fine ``tas``, ``uas``, ``vas`` ``[time, lat, lon]`` and the static fields."""
    rng = np.random.default_rng(seed)
    rows, columns = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    height = 800 * np.exp(-((rows - 9) ** 2 + (columns - 6) ** 2) / 12.0)
    land = (columns > 4).astype(float)
    t = np.arange(hours)
    tas = np.full((hours, size, size), 285.0) - 0.0065 * height
    tas += (1 + 2 * land) * np.cos(2 * np.pi * (t - 14) / 24)[:, None, None]
    wind = 2.0 + np.cumsum(rng.standard_normal(hours)) * 0.02
    for k in range(12):
        length, turn = rng.uniform(4, 20), rng.uniform(0, 2 * np.pi)
        across = (np.cos(turn) * rows + np.sin(turn) * columns) / length
        phase = 2 * np.pi * (across[None] - 0.02 * t[:, None, None] * (1 + k % 3) + rng.random())
        growth = np.cos(2 * np.pi * t / (60 + 20 * k) + rng.uniform(0, 6))[:, None, None]
        tas += 0.08 * length**0.7 * growth * np.cos(phase)
    uas = np.broadcast_to(wind[:, None, None], tas.shape) + 0.1 * rng.standard_normal(tas.shape)
    vas = 0.5 * np.cos(2 * np.pi * t / 90)[:, None, None] + 0.1 * rng.standard_normal(tas.shape)
    time = np.datetime64(start, "ns") + t * np.timedelta64(1, "h")
    dims = ("time", "lat", "lon")
    units = {"tas": "K", "uas": "m s-1", "vas": "m s-1"}
    fields = {
        name: (dims, values.astype(np.float32), {"units": units[name]})
        for name, values in (("tas", tas), ("uas", uas), ("vas", vas))
    }
    place = grid(size).coords()
    coords = {"time": time, **place}
    static = xr.Dataset(
        {"orog": (dims[1:], height, {"units": "m"}), "sftlf": (dims[1:], 100 * land, {"units": "%"})},
        coords=place,
    )
    return xr.Dataset(fields, coords=coords), static


def operator(every: int = 6, size: int = SIZE) -> Coarsening:
    fine = grid(size)
    return Coarsening(fine, fine.coarsen(FACTOR), every)

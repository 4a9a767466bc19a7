"""A source far larger than memory goes through harmonise, H and retrieval: seconds and peak memory.

Run: python benchmarks/lazy_source.py [gigabytes]

The source is hourly, global in longitude 0..360, north first, in degrees Celsius; every block is really made in memory.
First a month of a region is fetched, then all of it is streamed into a coarse store.
"""

import sys
import tempfile
import time
from pathlib import Path

import dask.array as da
import numpy as np
import xarray as xr

from finescale.climate.harmonise import harmonise
from finescale.climate.retrieve import retrieve
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid


def source(gigabytes: float) -> xr.Dataset:
    """A lazy series of about that size in float32."""
    rows, columns, block = 320, 640, 24
    steps = int(gigabytes * 1e9 / (4 * rows * columns)) // block * block
    lat = 80 - 0.5 * np.arange(rows)
    lon = 0.5625 * np.arange(columns)

    def fields(block_info=None):
        first = block_info[None]["array-location"][0][0]
        hours = np.arange(first, first + block, dtype="float32")[:, None, None]
        return np.broadcast_to(np.sin(hours / 24), (block, rows, columns)).astype("float32")

    shape = ((block,) * (steps // block), (rows,), (columns,))
    values = da.map_blocks(fields, chunks=shape, dtype="float32", meta=np.zeros((0, 0, 0), "float32"))
    ds = xr.Dataset({"t2m": (("time", "latitude", "longitude"), values, {"units": "degC"})})
    ds["time"] = xr.date_range("1950-01-01", periods=steps, freq="h")
    ds["latitude"] = ("latitude", lat, {"units": "degrees_north"})
    ds["longitude"] = ("longitude", lon, {"units": "degrees_east"})
    return ds


def peak() -> float:
    """Largest memory of this process so far, GB."""
    return int(Path("/proc/self/status").read_text(encoding="utf-8").split("VmHWM:")[1].split()[0]) / 1e6


def main() -> None:
    """Print one line a run."""
    raw = source(float(sys.argv[1]) if len(sys.argv) > 1 else 100.0)
    print(f"source {raw['t2m'].nbytes / 1e9:.1f} GB, {raw.sizes['time']} hours")
    with tempfile.TemporaryDirectory() as folder:
        clock = time.perf_counter()
        cut = harmonise(raw, period=("1950-01-02", "1950-01-31"), region=(30, 60, -20, 30))
        retrieve(cut, Path(folder) / "cut.zarr", workers=2)
        print(f"a month of a region: {time.perf_counter() - clock:.1f} s, peak {peak():.2f} GB")
        clock = time.perf_counter()
        fine = harmonise(raw)
        grid = Grid.from_dataset(fine)
        coarse = Coarsening(grid, grid.coarsen(8), every=6).apply(fine)
        retrieve(coarse, Path(folder) / "coarse.zarr", workers=2, chunk_bytes=2**20)
        print(f"all of it, coarsened: {time.perf_counter() - clock:.1f} s, peak {peak():.2f} GB")
        stored = xr.open_zarr(Path(folder) / "coarse.zarr", consolidated=False)["tas"]
        expected = 273.15 + np.sin(np.arange(0, raw.sizes["time"], 6) / 24)
        print(f"largest error {float(np.abs(stored.mean(('lat', 'lon')) - expected).max()):.1e} K")


if __name__ == "__main__":
    main()

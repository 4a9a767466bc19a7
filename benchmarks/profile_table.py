"""Profile of 50 million values: our one pass with some twenty checks, against dask with eight plain statistics.

    python benchmarks/profile_table.py [--millions 50]

The peer is what one would write first: xarray reductions over dask blocks, all in one `dask.compute`, for the eight
statistics that plain reductions can give. It sees neither frozen, stuck or repeated maps, nor jumps, nor spikes.
"""

import argparse
import resource
import time
from collections.abc import Callable

import dask
import numpy as np
import pandas as pd
import xarray as xr

from finescale.quality.profile import profile

LAT, LON = 96, 128


def world(millions: float) -> xr.Dataset:
    steps = int(millions * 1e6 / (LAT * LON))
    values = np.random.default_rng(0).normal(280, 5, (steps, LAT, LON)).astype(np.float32)
    coords = {"time": pd.date_range("2001-01-01", periods=steps, freq="h"), "lat": 40 + 0.1 * np.arange(LAT)}
    tas = xr.DataArray(values, dims=("time", "lat", "lon"), coords=coords, attrs={"units": "K"})
    return tas.chunk(time=240).to_dataset(name="tas")


def peer(ds: xr.Dataset) -> None:
    x = ds.tas.data
    months = ds.time.dt.strftime("%Y-%m").values
    wanted = []
    for month in np.unique(months):
        block = x[np.flatnonzero(months == month)]
        finite = dask.array.isfinite(block)
        wanted += [
            block.min(),
            block.max(),
            block.mean(),
            block.std(),
            finite.sum(),
            dask.array.isnan(block).sum(),
        ]
        wanted += [abs(dask.array.diff(block, axis=0)).max(), (dask.array.diff(block, axis=0) == 0).mean()]
    dask.compute(*wanted)


def clock(run: Callable[[], object], times: int = 3) -> tuple[float, float]:
    """Best wall and processor seconds."""
    found = []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(w for w, _ in found), min(c for _, c in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=50)
    ds = world(parser.parse_args().millions)
    million = ds.tas.size / 1e6
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ours = clock(lambda: profile(ds))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    theirs = clock(lambda: peer(ds))
    for name, (wall, cpu) in (
        ("finescale profile, 24 checks", ours),
        ("dask reductions, 8 statistics", theirs),
    ):
        print(f"{name:32s} {million:5.0f} M values: {wall:6.2f} s wall, {cpu:6.2f} s CPU")
    print(f"memory of the profile above the data: {after - before:.0f} MB")


if __name__ == "__main__":
    main()

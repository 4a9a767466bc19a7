"""Peak memory of a streamed ensemble on 128 x 128 cells and 4 variables, for a short and a long series.

    python benchmarks/memory.py [--cells 128] [--days 10 40] [--members 1] [--steps 16]

Each length runs in a process of its own and streams to a store on disk. "Above the interpreter" is the peak of the
resident set minus what it was with all libraries loaded and the method ready.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from sampling import UNITS, denoiser, weather

from finescale.fields.scaling import Scaling
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.guidance.solver import SamplerSpec
from finescale.methods.generative import GenerativeDownscaler
from finescale.prior.backbone import build_schedule
from finescale.prior.card import Prior, grid_of
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.spec import NetworkSpec, PriorSpec


def megabytes() -> float:
    """Peak of the resident set."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(args: argparse.Namespace, days: int) -> None:
    """Draw one ensemble and print its figures."""
    ds = weather(args.cells, 240)
    scaling = Scaling("mean-std", tuple(UNITS), (0.0,) * 4, (1.0,) * 4)
    gaussian = GaussianClimate.fit(ds, scaling, modes=128)
    grid = Grid.from_dataset(ds)
    coarsening = Coarsening(grid, grid.coarsen(16))
    day = coarsening.apply(ds.isel(time=slice(0, 24)))
    coarse = xr.concat([day] * days, dim="time")
    stamps = np.datetime64("2001-01-01", "ns") + 6 * np.arange(coarse.sizes["time"]) * np.timedelta64(1, "h")
    coarse = coarse.assign_coords(time=stamps)
    for name, unit in UNITS.items():
        coarse[name].attrs["units"] = unit
    network = NetworkSpec(channels=(8,), blocks=(1,), attention=0, embedding=16, patch=2)
    spec = PriorSpec(tuple(UNITS), 9, network=network)
    prior = Prior(
        denoiser(spec, args.cells, gaussian), build_schedule(spec, 1.0, args.cells**2), scaling, spec,
        {"units": UNITS, "grid": grid_of(ds)},
    )  # fmt: skip
    method = GenerativeDownscaler(prior, coarsening, UNITS, SamplerSpec(steps=args.steps), group=1, batch=8)
    before, begin = megabytes(), time.perf_counter()
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        method(coarse, members=args.members, seed=0, scratch=Path(folder) / "s")
    seconds = time.perf_counter() - begin
    print(f"{days:>6} {before:>16.0f} {megabytes() - before:>24.0f} {seconds:>10.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=128)
    parser.add_argument("--days", type=int, nargs="+", default=[10, 40])
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--steps", type=int, default=16)
    args = parser.parse_args()
    if len(args.days) == 1:
        run(args, args.days[0])
        return
    print(f"{'days':>6} {'interpreter MB':>16} {'above the interpreter MB':>24} {'seconds':>10}", flush=True)
    for days in args.days:
        rest = ["--days", str(days), "--cells", str(args.cells), "--members", str(args.members)]
        subprocess.run([sys.executable, __file__, *rest, "--steps", str(args.steps)], check=True)


if __name__ == "__main__":
    main()

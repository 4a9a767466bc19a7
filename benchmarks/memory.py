"""Peak memory of a streamed ensemble on 128 x 128 cells and 4 variables, for a short and a long series.

    python benchmarks/memory.py [--cells 128] [--days 30 365] [--members 1]

The method is the default of params.yaml with a small network; it is made and saved in a process of its own. Each length
runs in a process of its own and streams to a store on disk. "Interpreter" is the resident set with all libraries
loaded, before the method is read; "above" is the peak of the whole run less that.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch
import xarray as xr
from sampling import UNITS, denoiser, weather

from finescale.fields.allocator import keep_freed_memory
from finescale.fields.scaling import Scaling
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.guidance.solver import SamplerSpec
from finescale.methods.generative import GenerativeDownscaler
from finescale.prior.backbone import build_schedule
from finescale.prior.card import Prior, grid_of
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.spec import NetworkSpec, PriorSpec
from finescale.prior.window import WindowSpec
from finescale.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]


def make(cells: int, folder: Path) -> None:
    """Save the method and a day of coarse data."""
    ds = weather(cells, 240)
    scaling = Scaling("mean-std", tuple(UNITS), (0.0,) * 4, (1.0,) * 4)
    gaussian = GaussianClimate.fit(ds, scaling, modes=128)
    grid = Grid.from_dataset(ds)
    coarsening = Coarsening(grid, grid.coarsen(16))
    day = coarsening.apply(ds.isel(time=slice(0, 24)))
    for name, unit in UNITS.items():
        day[name].attrs["units"] = unit
    day.to_netcdf(folder / "day.nc")
    network = NetworkSpec(channels=(8,), blocks=(1,), attention=0, embedding=16, patch=2)
    spec = PriorSpec(tuple(UNITS), 9, network=network)
    learned, schedule = denoiser(spec, cells, gaussian), build_schedule(spec, 1.0, cells**2)
    card = {
        "units": UNITS, "grid": grid_of(ds), "scaling": scaling.to_dict(), "schedule": schedule.to_dict(),
        "spec": spec.to_dict(), "codec": "identity", "bf16": False,
        "centre": [0.0] * 4, "spread": learned.spread.flatten().tolist(),
    }  # fmt: skip
    prior = Prior(learned, schedule, scaling, spec, card)
    own = load_settings(ROOT / "params.yaml").downscale.finescale
    method = GenerativeDownscaler(
        prior, coarsening, UNITS, SamplerSpec(**own.sampler.model_dump()), windows=WindowSpec(own.windows.stride),
        group=1, batch=8, spread=(1.0,) * 4, follow=((0.5,) * (len(gaussian.edges) - 1),) * 4,
    )  # fmt: skip
    (folder / "method").mkdir()
    method.save(folder / "method")


def draw(folder: Path, days: int, members: int) -> None:
    """Draw one ensemble and print its figures."""
    keep_freed_memory()  # as a stage does
    before, begin = psutil.Process().memory_info().rss / 2**20, time.perf_counter()
    method = GenerativeDownscaler.load(folder / "method")
    day = xr.load_dataset(folder / "day.nc")
    coarse = xr.concat([day] * days, dim="time")
    stamps = np.datetime64("2001-01-01", "ns") + 6 * np.arange(coarse.sizes["time"]) * np.timedelta64(1, "h")
    coarse = coarse.assign_coords(time=stamps)
    with torch.no_grad(), tempfile.TemporaryDirectory(dir=folder) as scratch:
        method(coarse, members=members, seed=0, scratch=Path(scratch) / "s")
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{days:>6} {before:>16.0f} {peak - before:>24.0f} {seconds:>10.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=128)
    parser.add_argument("--days", type=int, nargs="+", default=[30, 365])
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--part", choices=("all", "make", "draw"), default="all", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part == "make":
        make(args.cells, args.folder)
    elif args.part == "draw":
        draw(args.folder, args.days[0], args.members)
    else:
        print(
            f"{'days':>6} {'interpreter MB':>16} {'above the interpreter MB':>24} {'seconds':>10}", flush=True
        )
        with tempfile.TemporaryDirectory() as folder:
            rest = [sys.executable, __file__, "--folder", folder, "--members", str(args.members)]
            subprocess.run([*rest, "--part", "make", "--cells", str(args.cells)], check=True)
            for days in args.days:
                subprocess.run([*rest, "--part", "draw", "--days", str(days)], check=True)


if __name__ == "__main__":
    main()

"""Day-of-year-window quantile delta mapping: finescale against xsdba, time and peak memory in one run.

Both read the same Zarr store (whole series, blocks of cells) and write nothing; both use dask's threads, as many as
--threads. xsdba is used as its documentation says: cells chunked, time in one chunk, one training an hour of the day
and variable with ``Grouper("time.dayofyear", 31)``. Each contender runs in a process of its own, after a warm-up on a
few cells that compiles its loops; seconds of the clock and of the processors and the peak of resident memory are those
of that process.

    python benchmarks/bias.py                  # 30 years, 6-hourly, 64 cells, 4 variables: the full size
    python benchmarks/bias.py --years 5        # quicker
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import dask
import numpy as np
import xarray as xr

UNITS = {"psl": "Pa", "tas": "K", "uas": "m s-1", "vas": "m s-1"}
MIDDLE = {"psl": (101325.0, 900.0), "tas": (283.0, 5.0), "uas": (1.0, 4.0), "vas": (0.0, 4.0)}
WINDOW, QUANTILES = 31, 20


def write(folder: Path, years: int, variables: int, side: int) -> None:
    """Reference, historical run and scenario in a no-leap calendar."""
    for name, first, bias in (("reference", 1981, 0.0), ("historical", 1981, 0.5), ("scenario", 2041, 0.9)):
        rng = np.random.default_rng(first + int(10 * bias))
        times = xr.date_range(
            f"{first}-01-01", periods=years * 1460, freq="6h", calendar="noleap", use_cftime=True
        )
        season = np.cos(2 * np.pi * np.arange(times.size) / 1460).astype(np.float32)[:, None, None]
        ds = xr.Dataset(
            coords={"time": times, "lat": np.arange(40.0, 40.0 + side), "lon": np.arange(float(side))}
        )
        for v in list(UNITS)[:variables]:
            middle, spread = MIDDLE[v]
            noise = rng.standard_normal((times.size, side, side), dtype=np.float32)
            values = middle + spread * (bias + season + (1 + 0.3 * bias) * noise)
            ds[v] = (("time", "lat", "lon"), values.astype(np.float32), {"units": UNITS[v]})
        ds.chunk(time=-1, lat=max(1, side // 2)).to_zarr(folder / f"{name}.zarr", consolidated=False)


def finescale(
    reference: xr.Dataset, historical: xr.Dataset, scenario: xr.Dataset, rank_window: bool
) -> xr.Dataset:
    from finescale.bias.correction import fit
    from finescale.bias.grouping import Grouping
    from finescale.bias.plan import Options

    options = Options(
        quantiles=QUANTILES, interpolation="nearest", rank_window=rank_window, keep_structure=rank_window
    )
    grouping = Grouping("dayofyear", window=WINDOW, step=1)
    return (
        fit(reference, historical, method="qdm", grouping=grouping, options=options).apply(scenario).compute()
    )


def xsdba(
    reference: xr.Dataset, historical: xr.Dataset, scenario: xr.Dataset, rank_window: bool
) -> xr.Dataset:
    import xsdba as peer

    group = peer.Grouper("time.dayofyear", WINDOW)
    out = {}
    for name in reference.data_vars:
        parts = []
        for hour in (0, 6, 12, 18):
            ref, hist, sim = (
                ds[name].isel(time=ds.time.dt.hour == hour).chunk(time=-1)
                for ds in (reference, historical, scenario)
            )
            trained = peer.QuantileDeltaMapping.train(ref, hist, nquantiles=QUANTILES, kind="+", group=group)
            parts.append(trained.adjust(sim, interp="nearest", rank_window=rank_window))
        out[name] = xr.concat(dask.compute(*parts), "time").sortby("time")
    return xr.Dataset(out)


CONTENDERS = {"finescale": finescale, "xsdba": xsdba}


def measure(name: str, folder: Path, threads: int, rank_window: bool) -> None:
    """Run one contender and print its figures as JSON."""
    warnings.simplefilter("ignore")
    dask.config.set(scheduler="threads", num_workers=threads)
    sides = [
        xr.open_zarr(folder / f"{s}.zarr", consolidated=False)
        for s in ("reference", "historical", "scenario")
    ]
    first = next(iter(sides[0].data_vars))
    few = [s[[first]].isel(lat=[0], lon=[0, 1], time=slice(0, 2 * 1460)).load().chunk(time=-1) for s in sides]
    CONTENDERS[name](*few, True)
    before = resource.getrusage(resource.RUSAGE_SELF)
    wall, cpu = time.perf_counter(), time.process_time()
    out = CONTENDERS[name](*sides, rank_window)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    after = resource.getrusage(resource.RUSAGE_SELF)
    middle = {str(v): float(out[v].astype(np.float64).mean()) for v in out.data_vars}
    figures = {
        "wall": wall,
        "cpu": cpu,
        "start_mb": before.ru_maxrss / 1024,
        "peak_mb": after.ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(figures | {"means": middle}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--years", type=int, default=30)
    parser.add_argument("--side", type=int, default=8, help="cells along each side of the square grid")
    parser.add_argument("--variables", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--rank-window", action="store_true", help="rank within the window, xsdba's future default"
    )
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.contender:
        measure(args.contender, args.folder, args.threads, args.rank_window)
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), args.years, args.variables, args.side)
        figures = {}
        for name in CONTENDERS:
            command = [
                sys.executable,
                __file__,
                "--contender",
                name,
                "--folder",
                folder,
                "--threads",
                str(args.threads),
            ]
            command += ["--rank-window"] * args.rank_window
            text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            figures[name] = json.loads(text.splitlines()[-1])
    print(
        f"QDM, {args.years} years 6-hourly, {args.side**2} cells, {args.variables} variables, {args.threads} threads"
    )
    print("| contender | wall s | cpu s | peak MB | before MB |\n|---|---|---|---|---|")
    for name, f in figures.items():
        print(f"| {name} | {f['wall']:.1f} | {f['cpu']:.1f} | {f['peak_mb']:.0f} | {f['start_mb']:.0f} |")
    ours, theirs = figures["finescale"], figures["xsdba"]
    print(
        f"xsdba / finescale: wall {theirs['wall'] / ours['wall']:.1f}, cpu {theirs['cpu'] / ours['cpu']:.1f}"
    )
    apart = max(abs(ours["means"][v] - theirs["means"][v]) for v in ours["means"])
    print(f"means of the corrected runs differ by {apart:.2g} at most")


if __name__ == "__main__":
    main()

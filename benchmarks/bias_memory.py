"""Peak memory of fitting and applying QDM to a source that is made block by block, for two numbers of cells.

Run: python benchmarks/bias_memory.py [years]
"""

import subprocess
import sys
import tempfile
from pathlib import Path

SIDES = (32, 64)  # cells along each side


def measure(side: int, years: int) -> None:
    """Fit, apply and write in this process; print the size of the data and the peak of the kernel."""
    import dask.array as da
    import numpy as np
    import xarray as xr

    from finescale.bias.correction import fit
    from finescale.bias.grouping import Grouping

    steps = 1460 * years
    time = xr.date_range("1981-01-01", periods=steps, freq="6h", calendar="noleap", use_cftime=True)

    def source(seed: int, shift: float) -> xr.Dataset:
        shape, chunks = (steps, side, side), (steps, 8, 8)
        values = (
            da.random.default_rng(seed).standard_normal(shape, dtype=np.float32, chunks=chunks) * 5
            + 280
            + shift
        )
        axes = {"lat": 40 + 0.1 * np.arange(side), "lon": 5 + 0.1 * np.arange(side)}
        return xr.Dataset({"tas": (("time", "lat", "lon"), values, {"units": "K"})}, {"time": time, **axes})

    reference, model = source(1, 0.0), source(2, 2.0)
    correction = fit(reference, model, method="qdm", grouping=Grouping("dayofyear"), compute=False)
    with tempfile.TemporaryDirectory() as folder:
        correction.apply(model).to_zarr(Path(folder) / "out.zarr")
        written = xr.open_zarr(Path(folder) / "out.zarr")["tas"]
        left = abs(float(written.isel(lat=slice(0, 8), lon=slice(0, 8)).mean()) - 280.0)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1e3
    size = 2 * model["tas"].nbytes / 1e6
    print(
        f"{side * side} cells: data {size:.0f} MB, peak {peak:.0f} MB, mean error left {left:.3f} K",
        flush=True,
    )


def main() -> None:
    """Measure each size in a process of its own."""
    if sys.argv[1:2] == ["--measure"]:
        measure(int(sys.argv[2]), int(sys.argv[3]))
        return
    years = sys.argv[1] if len(sys.argv) > 1 else "10"
    for side in SIDES:
        subprocess.run([sys.executable, __file__, "--measure", str(side), years], check=True)


if __name__ == "__main__":
    main()

"""A consumer who has nothing but the model: a fresh environment from its own requirements, the same ensemble.

`python benchmarks/consumer.py PROJECT [MEMBERS]` installs the champion's requirements and nothing else, loads it
there with MLflow, and compares the ensemble bit by bit with that of `finescale downscale` in this environment. The
model must have been registered by this version of the code; both sides use one thread, because sums in another order
round otherwise.
"""

import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import mlflow
import xarray as xr

from finescale.registry import tracking

CONSUMER = """
import sys, mlflow, xarray as xr
mlflow.set_tracking_uri("sqlite:///" + sys.argv[1] + "/mlruns/mlflow.db")
model = mlflow.pyfunc.load_model("models:/finescale@champion")
import finescale
assert "mlruns" in finescale.__file__, finescale.__file__
found = model.predict(sys.argv[2], params={"members": int(sys.argv[4]), "seed": 3})
found.to_netcdf(sys.argv[3], engine="h5netcdf")
"""


def main() -> None:
    project, members = Path(sys.argv[1]).resolve(), sys.argv[2] if len(sys.argv) > 2 else "2"
    tracking.connect(project)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        coarse = xr.open_zarr(project / "data" / "coarse-reference.zarr", consolidated=False)
        coarse.isel(time=slice(0, 9)).to_netcdf(folder / "coarse.nc", engine="h5netcdf")
        needs = mlflow.pyfunc.get_model_dependencies("models:/finescale@champion")
        begin = time.perf_counter()
        venv.create(folder / "venv", with_pip=True)
        python = str(folder / "venv" / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", needs], check=True)
        print(
            f"fresh environment, {len(Path(needs).read_text().splitlines())} requirements:"
            f" {time.perf_counter() - begin:.0f} s",
            flush=True,
        )
        begin = time.perf_counter()
        clean = {
            "PATH": "/usr/bin:/bin",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "OMP_NUM_THREADS": "1",
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        }
        arguments = [str(project), str(folder / "coarse.nc"), str(folder / "a.nc"), members]
        subprocess.run([python, "-c", CONSUMER, *arguments], check=True, env=clean, cwd=folder)
        print(f"loaded and answered there: {time.perf_counter() - begin:.0f} s", flush=True)
        shell = [
            "downscale",
            str(folder / "coarse.nc"),
            str(folder / "b.nc"),
            "--members",
            members,
            "--seed",
            "3",
        ]
        here = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run(
            [sys.executable, "-m", "finescale", *shell, "--root", str(project)], check=True, env=here
        )
        a, b = (xr.load_dataset(folder / n) for n in ("a.nc", "b.nc"))
        for field in a.data_vars:
            assert (a[field].values == b[field].values).all(), f"{field} differs"
        print(f"identical: {', '.join(map(str, a.data_vars))} {dict(a.sizes)}")


if __name__ == "__main__":
    main()

"""Search and open from a large catalogue: seconds to load, to the first answer, to a series, and the memory it takes.

Run: python benchmarks/catalogue_search.py [rows]
"""

import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

MODELS = [f"MODEL-{k:02d}" for k in range(60)]
RUNS = ["historical", "ssp126", "ssp245", "ssp370", "ssp585"]
VARIABLES = ["psl", "tas", "uas", "vas", "pr", "tasmax", "tasmin", "hurs", "rsds", "ts"]


def write(folder: Path, rows: int) -> Path:
    """Write an invented catalogue with the columns of Pangeo's."""
    members = [f"r{k}i1p1f1" for k in range(1, rows // (60 * 5 * 10) + 2)]
    names = ("source_id", "experiment_id", "member_id", "variable_id")
    table = pd.DataFrame(
        itertools.islice(itertools.product(MODELS, RUNS, members, VARIABLES), rows), columns=names
    )
    table.insert(0, "institution_id", "INST-" + table.source_id.str[-2:])
    table.insert(
        0, "activity_id", table.experiment_id.map(lambda e: "CMIP" if e == "historical" else "ScenarioMIP")
    )
    table["table_id"], table["grid_label"] = "6hrPlev", "gn"
    path = table[["activity_id", "institution_id", *names, "grid_label"]].agg("/".join, axis=1)
    table["zstore"] = "gs://cmip6/CMIP6/" + path + "/v20190101/"
    table["dcpp_init_year"], table["version"] = "", "20190101"
    one = (
        (table.source_id == "MODEL-07") & (table.experiment_id == "ssp245") & (table.member_id == "r1i1p1f1")
    )
    table.loc[one & (table.variable_id == "tas"), "zstore"] = "tas.zarr"
    time = xr.date_range("2015-01-01", periods=1460, freq="6h")
    fields = (("time", "lat", "lon"), np.zeros((1460, 19, 36), np.float32) + 280, {"units": "K"})
    axes = {"lat": ("lat", np.arange(-90, 91, 10.0), {"standard_name": "latitude"}),
            "lon": ("lon", np.arange(0, 360, 10.0), {"standard_name": "longitude"})}  # fmt: skip
    xr.Dataset({"tas": fields}, {"time": time, **axes}).to_zarr(folder / "tas.zarr", consolidated=False)
    table.to_csv(folder / "big.csv", index=False)
    groups = ["activity_id", "institution_id", "source_id", "experiment_id", "table_id", "grid_label"]
    spec = {
        "esmcat_version": "0.1.0",
        "id": "big",
        "description": "invented",
        "catalog_file": "big.csv",
        "attributes": [{"column_name": c, "vocabulary": ""} for c in table.columns if c != "zstore"],
        "assets": {"column_name": "zstore", "format": "zarr"},
        "aggregation_control": {
            "variable_column_name": "variable_id",
            "groupby_attrs": groups,
            "aggregations": [{"type": "union", "attribute_name": "variable_id"}],
        },
    }
    (folder / "big.json").write_text(json.dumps(spec))
    return folder / "big.json"


def measure(path: Path) -> None:
    """Print what this process needs to answer from the catalogue."""
    clock = time.perf_counter()
    from finescale.climate import catalogue

    imported = time.perf_counter()
    loaded = catalogue.load(path)
    read = time.perf_counter()
    first = catalogue.search(loaded, source_id="MODEL-07", variable_id="tas", experiment_id="ssp245")
    answered = time.perf_counter()
    more = catalogue.search(loaded, source_id="MODEL-1*", experiment_id=["historical", "ssp585"])
    again = time.perf_counter()
    facets = {"source_id": "MODEL-07", "experiment_id": "ssp245", "member_id": "r1i1p1f1"}
    series = catalogue.open_series(path, facets, variables=["tas"], region=(40, 60, -10, 20))
    opened = time.perf_counter()
    # The kernel's peak of this program alone: getrusage would count the parent that started it.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1e6
    print(f"{len(loaded.table)} rows: import {imported - clock:.2f} s, load {read - imported:.2f} s")
    print(f"first answer {answered - read:.2f} s ({len(first)} rows)")
    print(f"pattern and list {again - answered:.2f} s ({len(more)} rows)")
    print(f"a series, catalogue loaded again {opened - again:.2f} s ({dict(series.sizes)})")
    print(f"peak memory of the process {peak:.2f} GB")


def main() -> None:
    """Write a catalogue, then measure in a process of its own."""
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]))
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), rows)
        subprocess.run([sys.executable, __file__, "--measure", str(path)], check=True)
        facets = ["source_id=MODEL-07", "variable_id=tas", "experiment_id=ssp245", "member_id=r1i1p1f1"]
        clock = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "finescale",
            "catalogue",
            "search",
            "--catalogue",
            str(path),
            *facets,
        ]
        subprocess.run(command, check=True)
        print(f"the command, from start to answer, {time.perf_counter() - clock:.2f} s")


if __name__ == "__main__":
    main()

"""How DVC takes a large Zarr output: one file a chunk, or chunks gathered in shards.

`python benchmarks/dvc_chunks.py [chunks]` prints files and seconds of add, status, push, checkout and pull for both.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import zarr

CELLS = 40


def write(path: Path, chunks: int, *, sharded: bool) -> None:
    """Write [time, lat, lon] with one chunk an hour; sharded ones hold 1000 hours in a file."""
    rng = np.random.default_rng(0)
    shards = {"shards": (1000, CELLS, CELLS)} if sharded else {}
    array = zarr.create_array(
        path, shape=(chunks, CELLS, CELLS), dtype="float32", chunks=(1, CELLS, CELLS), zarr_format=3, **shards
    )
    for start in range(0, chunks, 1000):
        array[start : start + 1000] = rng.standard_normal(
            (min(1000, chunks - start), CELLS, CELLS), np.float32
        )


def timed(root: Path, *words: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, check=True, capture_output=True)
    return time.perf_counter() - begin


def measure(root: Path, chunks: int, *, sharded: bool) -> dict[str, float]:
    root.mkdir()
    timed(root, "init", "--no-scm")
    timed(root, "remote", "add", "-d", "team", str(root.parent / f"{root.name}-remote"))
    store = root / "data.zarr"
    write(store, chunks, sharded=sharded)
    found: dict[str, float] = {"files": float(sum(p.is_file() for p in store.rglob("*")))}
    found["add"] = timed(root, "add", "data.zarr")
    found["status"] = timed(root, "status")
    found["push"] = timed(root, "push")
    shutil.rmtree(store)
    found["checkout"] = timed(root, "checkout")
    shutil.rmtree(store)
    shutil.rmtree(root / ".dvc" / "cache")
    found["pull"] = timed(root, "pull")
    return found


def main() -> None:
    chunks = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        rows = {
            name: measure(Path(folder) / name, chunks, sharded=sharded)
            for name, sharded in (("plain", False), ("sharded", True))
        }
    names = list(rows["plain"])
    print(f"{chunks} chunks of {CELLS} x {CELLS} float32, seconds")
    print(f"{'layout':10}" + "".join(f"{name:>10}" for name in names))
    for name, row in rows.items():
        print(f"{name:10}" + "".join(f"{row[key]:10.1f}" for key in names))


if __name__ == "__main__":
    main()

"""Where artefacts lie and how datasets are written: nobody else knows a path."""

import hashlib
import math
import shutil
from pathlib import Path
from typing import Any

import xarray as xr
import yaml
from zarr.codecs import BloscCodec

from finescale.errors import FinescaleError

NAMED = {
    "world": "data/world",
    "scorecard": "reports/scorecard.csv",
    "scorecard-table": "reports/scorecard.parquet",
    "metrics": "reports/metrics.json",
    "skill": "reports/skill.csv",
    "page": "reports/index.html",
    "figures": "reports/figures",
}
FAMILIES = {
    "gates": "reports/gates/{}",
    "model": "models/{}",
    "prior": "models/priors/{}",
    "bias": "data/bias/{}.csv",
}
CHUNK_BYTES = 2 * 2**20
SHARD_BYTES = 48 * 2**20


def path_of(name: str) -> str:
    """Path of an artefact relative to the project's folder, with forward slashes."""
    if name in NAMED:
        return NAMED[name]
    kind, _, rest = name.partition("-")
    return FAMILIES.get(kind, f"data/{kind}-{{}}.zarr").format(rest) if rest else f"data/{name}.zarr"


def open_dataset(root: Path, name: str) -> xr.Dataset:
    """Open a dataset artefact lazily, each variable in the chunks of its shards."""
    path = root / path_of(name)
    if not path.is_dir():
        raise FinescaleError(
            f"an artefact must exist before it is read: {path_of(name)} is missing; run `finescale run`"
        )
    return open_path(path)


def open_path(path: Path) -> xr.Dataset:
    """Open a store that `save_dataset` wrote, wherever it lies."""
    ds: xr.Dataset = xr.open_zarr(path, consolidated=False, chunks=None, decode_timedelta=False)
    return ds.chunk(_shards(ds))


def save_dataset(ds: xr.Dataset, path: Path) -> None:
    """Write a dataset as a sharded Zarr v3 store: few files, the same bytes for the same data.

    Args:
        ds: Variables with dims ``[member,] time, lat, lon`` or fewer; lazy ones stream shard by shard.
        path: A folder that does not exist yet.
    """
    shards = _shards(ds)
    encoding: dict[str, dict[str, Any]] = {}
    clean = ds.chunk(shards)
    for name, var in clean.variables.items():
        keep = {
            k: v for k, v in var.encoding.items() if k in ("units", "calendar", "dtype") and name == "time"
        }
        var.encoding = keep
        if name in clean.coords:
            encoding[str(name)] = {"_FillValue": None} if var.dtype.kind == "f" else {}
        elif var.ndim and "time" in var.dims:
            shard = tuple(shards[str(d)] for d in var.dims)
            chunk = tuple(
                math.gcd(n, _hours(var, CHUNK_BYTES)) if d == "time" else n
                for d, n in zip(var.dims, shard, strict=True)
            )
            encoding[str(name)] = {
                "chunks": chunk,
                "shards": shard,
                "compressors": _compressor(var.dtype.itemsize),
            }
    clean.to_zarr(path, mode="w-", zarr_format=3, consolidated=False, encoding=encoding)


def digest(root: Path, name: str) -> str | None:
    """DVC's content hash of an artefact as dvc.lock records it; None before its first run."""
    lock = root / "dvc.lock"
    if not lock.is_file():
        return None
    for stage in (yaml.safe_load(lock.read_text(encoding="utf-8")) or {}).get("stages", {}).values():
        for out in stage.get("outs", []):
            if out["path"] == path_of(name):
                return str(out["md5"])
    return None


def fingerprint(*parts: str) -> str:
    """A short key of some texts, for scratch folders and tags."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def remove(path: Path) -> None:
    """Delete a file or folder, whichever it is, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def put(source: Path, target: Path) -> None:
    """Move a finished artefact to its place in one rename; an older one gives way first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        remove(target)
    source.replace(target)


def _shards(ds: xr.Dataset) -> dict[str, int]:
    """Elements along each dimension in one shard: a member each, as many hours as fit, all of space."""
    size: dict[str, int] = {str(name): length for name, length in ds.sizes.items()}
    if "member" in ds.dims:
        size["member"] = 1
    largest = max(
        (v for v in ds.data_vars.values() if "time" in v.dims), key=lambda v: v.nbytes, default=None
    )
    if largest is not None:
        hours = _hours(largest.variable, SHARD_BYTES)
        size["time"] = min(hours, ds.sizes["time"])
    return size


def _hours(var: xr.Variable, limit: int) -> int:
    """A whole number of days (in steps) of one member that stays below a size; a power of two of days."""
    step = var.dtype.itemsize * math.prod(
        n for d, n in zip(var.dims, var.shape, strict=True) if d not in ("member", "time")
    )
    days = int(math.log2(max(1.0, limit / (24 * step))))
    return 24 * (1 << days)


def _compressor(itemsize: int) -> BloscCodec:
    return BloscCodec(cname="zstd", clevel=3, shuffle="shuffle", typesize=itemsize)

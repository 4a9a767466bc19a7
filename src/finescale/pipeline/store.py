"""Where artefacts lie and how datasets are written: nobody else knows a path."""

import hashlib
import json
import math
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xarray as xr
from zarr.codecs import BloscCodec, Crc32cCodec

from finescale.errors import FinescaleError
from finescale.pipeline.lockfile import recorded

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
    "search": "models/searches/{}.json",
    "bias": "data/bias/{}.csv",
}
CHUNK_BYTES = 2 * 2**20
SHARD_BYTES = 48 * 2**20
WORKSPACES = ".workspaces"  # folder of the project's workspaces
PROBE = 500  # steps read at once when a damaged chunk is looked for


def path_of(name: str) -> str:
    """Path of an artefact relative to the project's folder, with forward slashes."""
    if name in NAMED:
        return NAMED[name]
    kind, _, rest = name.partition("-")
    return FAMILIES.get(kind, f"data/{kind}-{{}}.zarr").format(rest) if rest else f"data/{name}.zarr"


def home(root: Path) -> Path:
    """The project behind a workspace, or the folder itself: what relative paths in the settings start from."""
    return root.parents[1] if root.parent.name == WORKSPACES else root


def open_dataset(root: Path, name: str, *, slices: bool = False) -> xr.Dataset:
    """Open a dataset artefact lazily; see `open_path`."""
    path = root / path_of(name)
    if not path.is_dir():
        raise FinescaleError(
            f"an artefact must exist before it is read: {path_of(name)} is missing; run `finescale run`"
        )
    return open_path(path, slices=slices)


def open_path(path: Path, *, slices: bool = False) -> xr.Dataset:
    """Open a store that `save_dataset` wrote, wherever it lies.

    Args:
        path: its folder.
        slices: in the small chunks of the store, for readers of short stretches; else in those of its shards,
            of which fewer make a graph.
    """
    found: xr.Dataset = xr.open_zarr(path, consolidated=False, chunks=None, decode_timedelta=False)
    ds = found[sorted(map(str, found.data_vars))]  # a store lists its fields as the disk pleases
    wanted = _shards(ds)
    if slices and "time" in wanted:
        timed = (v.variable for v in ds.data_vars.values() if "time" in v.dims)
        wanted["time"] = min(wanted["time"], *(_hours(v, CHUNK_BYTES) for v in timed))
    return ds.chunk({name: min(length, ds.sizes[name]) for name, length in wanted.items()})


def save_dataset(ds: xr.Dataset, path: Path) -> None:
    """Write a dataset as a sharded Zarr v3 store: few files, the same bytes for the same data.

    Args:
        ds: Variables with dims ``[member,] time, lat, lon`` or fewer; lazy ones stream shard by shard.
        path: A folder that does not exist yet.
    """
    shards = _shards(ds)
    encoding: dict[str, dict[str, Any]] = {}
    clean = ds.chunk({name: min(length, ds.sizes[name]) for name, length in shards.items()})
    for name, var in clean.variables.items():
        kept = ("units", "calendar", "dtype") if name == "time" else ()
        var.encoding = {key: value for key, value in var.encoding.items() if key in kept}
        if name in clean.coords:
            encoding[str(name)] = {"_FillValue": None} if var.dtype.kind == "f" else {}
        elif "time" in var.dims:
            hours = min(_hours(var, CHUNK_BYTES), shards["time"])
            encoding[str(name)] = {
                "chunks": tuple(hours if d == "time" else shards[str(d)] for d in var.dims),
                "shards": tuple(shards[str(d)] for d in var.dims),
                "compressors": _codecs(var.dtype.itemsize),
            }
    clean.to_zarr(path, mode="w-", zarr_format=3, consolidated=False, encoding=encoding)


def damaged(root: Path, names: Iterable[str]) -> str | None:
    """The first of some dataset artefacts with a chunk that does not decode; asked only after a failure."""
    for name in names:
        path = root / path_of(name)
        if path.suffix != ".zarr" or not path.is_dir():
            continue
        for field, var in open_path(path).variables.items():
            try:
                for start in range(0, var.shape[0] if var.ndim else 0, PROBE):
                    var[start : start + PROBE].to_numpy()
            except (RuntimeError, ValueError) as error:
                return f"{path_of(name)}, {field} ({error})"
    return None


def digest(root: Path, name: str) -> str | None:
    """DVC's content hash of an artefact as dvc.lock records it; None before its first run."""
    for stage in recorded(root).values():
        for out in stage.get("outs", []):
            if out["path"] == path_of(name):
                return str(out["md5"])
    return None


def tracked(root: Path, name: str) -> str | None:
    """DVC's content hash of a folder artefact, where dvc.lock is of what lies there: a direct run records nothing."""
    folder = root / path_of(name)
    found = digest(root, name)
    if found is None:
        return None
    # As DVC does it: the hash of a list of its files with theirs.
    files = sorted((p.relative_to(folder).as_posix(), p) for p in folder.rglob("*") if p.is_file())
    entries = [{"md5": _md5(path.read_bytes()), "relpath": relative} for relative, path in files]
    return found if found == f"{_md5(json.dumps(entries, sort_keys=True).encode())}.dir" else None


def contents(path: Path) -> str:
    """A hash of a folder's files: names and bytes."""
    total = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        total.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as opened:
            total.update(hashlib.file_digest(opened, "sha256").digest())
    return total.hexdigest()


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


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _shards(ds: xr.Dataset) -> dict[str, int]:
    """Elements along each dimension in one shard: a member each, as many hours as fit, all of space."""
    size = {str(name): length for name, length in ds.sizes.items()}
    if "member" in ds.dims:
        size["member"] = 1
    timed = [v.variable for v in ds.data_vars.values() if "time" in v.dims]
    if timed:
        longest = 24 * (1 << math.ceil(math.log2(max(1.0, ds.sizes["time"] / 24))))
        size["time"] = min(*(_hours(v, SHARD_BYTES) for v in timed), longest, longest)
    return size


def _hours(var: xr.Variable, limit: int) -> int:
    """Steps of one member that stay below a size: 24 times a power of two, so that chunks divide shards."""
    sizes = zip(var.dims, var.shape, strict=True)
    step = var.dtype.itemsize * math.prod(n for d, n in sizes if d not in ("member", "time"))
    return 24 * (1 << int(math.log2(max(1.0, limit / (24 * step)))))


def _codecs(itemsize: int) -> tuple[BloscCodec, Crc32cCodec]:
    """Compression, and a checksum without which a damaged chunk can decode to wrong numbers."""
    return BloscCodec(cname="zstd", clevel=3, shuffle="shuffle", typesize=itemsize), Crc32cCodec()

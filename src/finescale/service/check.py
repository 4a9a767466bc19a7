"""Read a whole product again: bytes as they were written, no hole, no stray NaN, nothing left unsaid."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.climate import catalogue
from finescale.errors import FinescaleError
from finescale.pipeline import store
from finescale.service import hierarchy, summary
from finescale.service.provenance import REQUIRED
from finescale.service.publish import read_manifest

BLOCK = 240  # hours of one member read at once
SHOWN = 20

Missing = dict[str, NDArray[np.int64]]


def check(out: Path) -> str:
    """Check every store of a product against its manifest, its catalogue and its own metadata; says what was read.

    A cell that is missing in every store at every time is a mask; any other missing value is a fault.

    Raises:
        FinescaleError: One line for each fault.
    """
    body = read_manifest(out)
    entries = [e for e in (*body["pieces"], *body["summaries"]) if "store" in e]
    faults = [*_catalogue(out, entries)]
    missing: dict[str, tuple[Missing, int]] = {}
    for entry in entries:
        path = out / entry["store"]
        found = list(_store(path, entry))
        faults += [f"{entry['store']}: {fault}" for fault in found]
        if not found and "piece" in entry:
            missing[entry["store"]] = _missing(hierarchy.open_all(path))
    faults += _stray(missing)
    if not faults:
        faults = [*_summaries(out, body)]
    if faults:
        more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        raise FinescaleError(
            "\n".join([f"a product is whole: {len(faults)} faults in {out.name}", *faults[:SHOWN], *more])
        )
    cells = sum(int(v) for _, v in missing.values())
    return f"{out.name}: {len(entries)} stores whole, {cells} values read, {body['counts']['failed']} pieces failed"


def _catalogue(out: Path, entries: list[dict[str, Any]]) -> Iterator[str]:
    """Whether the catalogue lists every whole store, and nothing else."""
    table = catalogue.load(out / "catalogue.json").table
    listed = {str(path) for path in table["path"]}
    known = tuple(f"/{entry['store']}/{name}" for entry in entries for name in entry["variables"])
    for place in known:
        if not any(path.endswith(place) for path in listed):
            yield f"{place[1:]}: the catalogue does not list it; run `finescale publish`"
    yield from (
        f"{path}: no whole store; run `finescale publish`" for path in listed if not path.endswith(known)
    )


def _store(path: Path, entry: dict[str, Any]) -> Iterator[str]:
    """What is wrong with one store, apart from its values."""
    if not path.is_dir():
        yield "it is missing; run `finescale produce` again"
        return
    if store.contents(path) != entry["sha256"]:
        gaps = hierarchy.gaps(path)
        said = f", chunks are missing: {gaps}" if gaps else ""
        yield f"its files are not those that were written{said}; run `finescale produce` again"
        return
    ds = hierarchy.open_all(path)
    if lost := [key for key in REQUIRED if not str(ds.attrs.get(key, "")).strip()]:
        yield f"attributes are missing: {', '.join(lost)}"
    for name in entry["variables"]:
        if bare := [key for key in ("units", "standard_name", "long_name") if not ds[name].attrs.get(key)]:
            yield f"{name} has no {', '.join(bare)}"
    axes = {"time": "standard_name", "lat": "units", "lon": "units", "member": "standard_name"}
    yield from (
        f"{axis} has no {key}"
        for axis, key in axes.items()
        if key not in ds[axis].attrs and key not in ds[axis].encoding
    )
    if "piece" in entry and (
        ds.sizes["time"] != entry["hours"] or ds["member"].values.tolist() != entry["members"]
    ):
        yield "its hours or members are not those of the manifest"


def _missing(ds: xr.Dataset) -> tuple[Missing, int]:
    """How often each cell of each variable is missing ``[lat, lon]``, and how many values were read."""
    found: Missing = {}
    total = 0
    for name in map(str, ds.data_vars):
        counts = np.zeros((ds.sizes["lat"], ds.sizes["lon"]), dtype=np.int64)
        for member in range(ds.sizes["member"]):
            for start in range(0, ds.sizes["time"], BLOCK):
                values = ds[name].isel(member=member, time=slice(start, start + BLOCK)).to_numpy()
                counts += (~np.isfinite(values)).sum(axis=0)
                total += values.size
        found[name] = counts
    return found, total


def _stray(missing: dict[str, tuple[Missing, int]]) -> Iterator[str]:
    """Values that are missing where others of the same cell are there."""
    names = {name for counts, _ in missing.values() for name in counts}
    for name in sorted(names):
        each = {path: counts[name] for path, (counts, _) in missing.items() if name in counts}
        whole = {path: total // len(counts) // counts[name].size for path, (counts, total) in missing.items()}
        always = np.all([each[path] == whole[path] for path in each], axis=0)
        if always.all():
            yield f"{name} is missing everywhere"
            continue
        for path, counts in each.items():
            if stray := int(counts[~always].sum()):
                yield f"{path}: {name} has {stray} missing values beyond the mask of {int(always.sum())} cells"


def _summaries(out: Path, body: dict[str, Any]) -> Iterator[str]:
    """Whether each summary follows from the stores that it names."""
    stores = {entry["piece"]: entry["store"] for entry in body["pieces"] if "store" in entry}
    for entry in body["summaries"]:
        blocks: dict[str, list[xr.Dataset]] = {}
        for piece in entry["pieces"]:
            sums = summary.sums(hierarchy.open_all(out / stores[piece]))
            blocks.setdefault(piece.rpartition("members-")[2], []).append(sums)
        frequency: summary.Frequency = "monthly" if entry["table_id"] == "mon" else "annual"
        again = summary.merge(list(blocks.values()), frequency)
        written = hierarchy.open_all(out / entry["store"])
        for name in entry["variables"]:
            if not np.allclose(
                again[name].values, written[name].values, rtol=1e-5, atol=1e-6, equal_nan=True
            ):
                yield f"{entry['store']}: {name} does not follow from the hourly stores"

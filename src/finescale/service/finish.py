"""The end of a production: summaries, a catalogue of all that is whole, a manifest of what became of each piece."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import xarray as xr

from finescale import __version__
from finescale.pipeline import store
from finescale.pipeline.project import Project
from finescale.service import hierarchy, provenance, publish
from finescale.service.job import Job, Piece, Result, State
from finescale.service.receipt import write_json
from finescale.service.summary import TABLES, Frequency, merge

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What a production left.

    Attributes:
        path: The file.
        body: Its content.
    """

    path: Path
    body: dict[str, Any]

    @property
    def counts(self) -> dict[str, int]:
        """How many pieces became what."""
        return dict(self.body["counts"])

    def table(self) -> list[dict[str, str]]:
        """One row a piece: its name, what became of it, and why."""
        return [{key: str(p[key]) for key in ("piece", "state", "reason")} for p in self.body["pieces"]]


def finish(job: Job, results: Sequence[Result]) -> Manifest:
    """Put together what the pieces left; whole pieces are published whatever became of the others.

    Args:
        job: The production.
        results: What became of its pieces, in any order.
    """
    became = {result.piece: result for result in (*job.skipped, *results)}
    ran = {piece.name for piece in job.pieces}
    whole = [p for p in job.pieces if became.get(p.name, _lost(p)).state in ("produced", "kept")]
    entries = []
    for piece in job.pieces:
        result = became.get(piece.name, _lost(piece))
        facts = json.loads(job.receipt(piece).read_text(encoding="utf-8")) if piece in whole else {}
        facts.pop("files", None)
        entries.append(
            {**_entry(result), **({"store": _inside(job, job.store(piece)), **facts} if facts else {})}
        )
    entries += [_entry(result) for name, result in became.items() if name not in ran]
    summaries = _summaries(job, whole)
    project = Project(job.root)
    counts = Counter(str(entry["state"]) for entry in entries)
    body = {
        "request": job.request.model_dump(mode="json"),
        "model": {key: getattr(job.model, key) for key in ("uri", "version", "digest", "method")},
        "settings_digest": provenance.digest(project),
        "finescale_version": __version__,
        "counts": {state: counts.get(state, 0) for state in get_args(State)},
        "pieces": entries,
        "summaries": summaries,
    }
    write_json(job.out / MANIFEST, body)
    if whole:
        publish.publish(job.out)
    else:
        publish.withdraw(job.out)
    return Manifest(job.out / MANIFEST, body)


def _lost(piece: Piece) -> Result:
    """A piece that nobody reported on: its worker died for good."""
    return Result(piece.name, "failed", "no result came back: its worker was lost; run again", transient=True)


def _entry(result: Result) -> dict[str, Any]:
    return {"piece": result.piece, "state": result.state, "reason": result.reason}


def _inside(job: Job, path: Path) -> str:
    return path.relative_to(job.out).as_posix()


def _summaries(job: Job, whole: Sequence[Piece]) -> list[dict[str, Any]]:
    """Write monthly and annual summaries of each climate model and scenario, of the blocks that are complete."""
    written = []
    for gcm, scenario in sorted({(p.gcm, p.scenario) for p in whole}):
        mine = [p for p in job.pieces if (p.gcm, p.scenario) == (gcm, scenario) and p in whole]
        periods = {p.period for p in mine}
        blocks = sorted({p.first for p in mine})
        complete = [b for b in blocks if {p.period for p in mine if p.first == b} == periods]
        if not complete:
            continue
        used = [[p for p in mine if p.first == b] for b in complete]
        sums = [[store.open_path(job.sums(p)) for p in block] for block in used]
        of = store.fingerprint(*(store.contents(job.sums(p)) for block in used for p in block))
        for frequency in get_args(Frequency):
            path = job.out / "summaries" / gcm / scenario / f"{frequency}.zarr"
            written.append(
                _summary(job, path, frequency, sums, of, [p.name for block in used for p in block])
            )
    return written


def _summary(
    job: Job, path: Path, frequency: Frequency, sums: list[list[xr.Dataset]], of: str, names: list[str]
) -> dict[str, Any]:
    note = path.with_suffix(".json")
    known = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    if known.get("of") != of or not path.is_dir() or known["sha256"] != store.contents(path):
        draft = path.with_name(f".{path.name}.draft")
        store.remove(draft)
        draft.parent.mkdir(parents=True, exist_ok=True)
        merged = merge(sums, frequency)
        hierarchy.save(merged.drop_vars("hours").assign_coords(hours=merged["hours"]), draft)
        known = {
            "of": of,
            "sha256": store.contents(draft),
            "variables": sorted(str(n) for n in merged.data_vars if n != "hours"),
            "first": f"{merged['time'].values[0]!s:.16}",
            "last": f"{merged['time'].values[-1]!s:.16}",
        }
        store.put(draft, path)
        write_json(note, known)
    return {"store": _inside(job, path), "table_id": TABLES[frequency], "pieces": names, **known}

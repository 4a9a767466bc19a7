"""The receipt of a piece: what it was made of and what its files were, so that a later run can leave it alone."""

import json
from pathlib import Path
from typing import Any

import xarray as xr

from finescale.pipeline import store
from finescale.service.job import Job, Piece


def there(job: Job, piece: Piece, key: str) -> bool:
    """Whether the piece is there, whole as far as names and sizes of its files tell."""
    if not job.receipt(piece).is_file():
        return False
    body = json.loads(job.receipt(piece).read_text(encoding="utf-8"))
    return bool(
        body["key"] == key
        and body["files"] == sizes(job.store(piece))
        and body["sums"]["files"] == sizes(job.sums(piece))
    )


def facts(ds: xr.Dataset, path: Path, sums: Path) -> dict[str, Any]:
    """What the receipt says of a store."""
    return {
        "variables": [str(name) for name in ds.data_vars],
        "members": ds["member"].values.tolist(),
        "hours": ds.sizes["time"],
        "first": f"{ds['time'].values[0]!s:.16}",
        "last": f"{ds['time'].values[-1]!s:.16}",
        "calendar": str(ds["time"].dt.calendar),
        "sha256": store.contents(path),
        "files": sizes(path),
        "sums": {"sha256": store.contents(sums), "files": sizes(sums)},
    }


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of every file below a folder."""
    return {
        p.relative_to(folder).as_posix(): p.stat().st_size for p in sorted(folder.rglob("*")) if p.is_file()
    }


def write_json(path: Path, body: object) -> None:
    """Write JSON in one move; equal content has equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(body, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(path)

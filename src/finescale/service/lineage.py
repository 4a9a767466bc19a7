"""From a model back to what it was made of: hashes of the data, the commit of the code, the rows of the catalogue."""

import subprocess
from pathlib import Path

import pandas as pd
import zarr

from finescale.pipeline import store
from finescale.pipeline.project import Project
from finescale.pipeline.wiring import upstream

IDENTITY = (
    "source_id",
    "experiment_id",
    "variant_label",
    "version",
    "tracking_id",
    "further_info_url",
    "license",
)


def trace(project: Project, method: str) -> dict[str, str]:
    """Tags: ``data.<artefact>`` for each hash that DVC recorded, ``commit``, ``source.<artefact>.<id>``, ``waived``."""
    behind = [name for s in upstream(project.stages, [f"downscale-{method}"]) for name in s.writes]
    tags = {"commit": commit(project.root)}
    if accepted := waived(project.root, [name for name in behind if name.startswith("gates-")]):
        tags["waived"] = "; ".join(accepted)
    for name in behind:
        if name.startswith(("gates-", "ensemble-")):
            continue
        if digest := store.digest(project.root, name):
            tags[f"data.{name}"] = digest
        path = project.root / store.path_of(name)
        if name.startswith("raw-") and path.suffix == ".zarr" and path.is_dir():
            attrs = zarr.open_group(path, mode="r").attrs.asdict()
            tags |= {
                f"source.{name}.{key}": " ".join(str(attrs[key]).split())
                for key in IDENTITY
                if attrs.get(key)
            }
    return {key: value[:4900] for key, value in tags.items()}


def waived(root: Path, gates: list[str]) -> list[str]:
    """Limits that were knowingly let pass, as gate/dataset/variable/rule."""
    found = []
    for name in gates:
        for path in sorted((root / store.path_of(name)).glob("*/report.csv")):
            rows = pd.read_csv(path, keep_default_na=False)
            bad = rows[rows["status"] == "waived"]
            found += [f"{r.gate}/{r.dataset}/{r.variable}/{r.rule}" for r in bad.itertuples()]
    return found


def commit(root: Path) -> str:
    """The commit of the project's folder, marked where files differ from it; a dash without git."""

    def git(*words: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own command
            ["git", *words],  # noqa: S607
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    head = git("rev-parse", "HEAD")
    if not head:
        return "-"
    return f"{head} with changes" if git("status", "--porcelain", "--untracked-files=no") else head


def table(tags: dict[str, str]) -> str:
    """The same for people, in Markdown."""
    rows = [f"| {key} | `{value[:200]}` |" for key, value in tags.items()]
    return "\n".join(["### Lineage", "", "| what | is |", "|---|---|", *rows, ""])

"""Offer the model that the settings name to the registry."""

import hashlib
from pathlib import Path

import pandas as pd

from finescale.pipeline import store
from finescale.pipeline.project import Project
from finescale.pipeline.tracking import flat, sources
from finescale.registry import model


def register(project: Project) -> str:
    """Register the named method's model with its evidence; says what became of it."""
    root, wanted = project.root, project.settings.registry
    name = f"model-{wanted.method}"
    folder = root / store.path_of(name)
    scores = pd.read_csv(root / store.path_of("scorecard"))
    crps = scores.query(
        f"method == '{wanted.method}' and case == 'perfect' and metric == 'crps' and hours == 'all' and region == 'all'"
    )
    candidate = model.Candidate(
        name=wanted.name,
        folder=folder,
        checkpoint=store.digest(root, name) or _contents(folder),
        params=flat(project.settings.model_dump(mode="json")),
        crps=dict(zip(crps["variable"], crps["value"], strict=True)),
        files={
            "scorecard": root / store.path_of("scorecard"),
            "report": root / store.path_of("page"),
            "report/figures": root / store.path_of("figures"),
        },
        sources=sources(root, project.stage(f"downscale-{wanted.method}").reads),
        card=_card(project, crps),
    )
    return model.register(root, candidate)


def _card(project: Project, crps: pd.DataFrame) -> str:
    """What people read beside the model."""
    settings = project.settings
    rows = "\n".join(
        f"| {r.variable} | {r.value:.4g} | {r.low:.4g} .. {r.high:.4g} |" for r in crps.itertuples()
    )
    coarse, split = settings.coarse, settings.split
    return (
        f"Downscaling by `{settings.registry.method}`: {', '.join(settings.data.variables)} from "
        f"{coarse.factor} x {coarse.factor} cells every {coarse.every} hours to fine fields every hour.\n\n"
        f"Trained on {split.words('train')}, judged on {split.words('test')} against the coarsened truth:\n\n"
        f"| variable | CRPS | interval |\n|---|---|---|\n{rows}\n"
    )


def _contents(folder: Path) -> str:
    """A hash of a folder's files, for runs without DVC."""
    total = hashlib.md5(usedforsecurity=False)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()

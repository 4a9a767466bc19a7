"""Offer the model that the settings name to the registry, with its evidence, and let the evidence decide."""

import json
from pathlib import Path

import pandas as pd
import xarray as xr

from finescale.methods import card as cards
from finescale.methods.recipes import DRAWING
from finescale.pipeline import store
from finescale.pipeline.project import Project
from finescale.pipeline.tracking import flat, sources
from finescale.registry import model, tracking
from finescale.scores.evidence import gather
from finescale.service import evidence, lineage, promoting


def register(project: Project) -> str:
    """Register the named method's model and put it against the champion; says what became of it."""
    root, wanted = project.root, project.settings.registry
    name = f"model-{wanted.method}"
    folder = root / store.path_of(name)
    checkpoint = store.tracked(root, name) or store.contents(folder)
    if version := model.known(root, wanted.name, checkpoint):
        if "decision" not in tracking.tags_of(root, wanted.name, version):
            return promoting.promote(root, version).text  # its registration was cut off before it was judged
        return f"models:/{wanted.name} version {version} holds this checkpoint already"
    scores = pd.read_csv(root / store.path_of("scorecard"))
    crps = scores.query(
        f"method == '{wanted.method}' and case == 'perfect' and metric == 'crps' and hours == 'all' and region == 'all'"
    )
    held_out = evidence.held_out(project)
    traced = lineage.trace(project, wanted.method) | {f"data.{name}": checkpoint}
    candidate = model.Candidate(
        name=wanted.name,
        folder=folder,
        beside=_beside(project),
        checkpoint=checkpoint,
        params=flat(project.settings.model_dump(mode="json")),
        metrics={f"crps.{r.variable}": float(str(r.value)) for r in crps.itertuples()},
        files={
            "scorecard": root / store.path_of("scorecard"),
            "report": root / store.path_of("page"),
            "report/figures": root / store.path_of("figures"),
        },
        sources=sources(root, project.stage(f"downscale-{wanted.method}").reads),
        lineage=traced,
        card=_card(project, crps) + lineage.table(traced),
        example=_example(held_out),
    )
    version = model.register(root, candidate)
    ensemble = store.open_dataset(root, f"ensemble-{wanted.method}-perfect")
    found = gather(ensemble, held_out.truth.sel(time=ensemble["time"]), seed=project.settings.seed)
    evidence.keep(root, wanted.name, version, held_out, found)
    return promoting.promote(root, version).text


def _beside(project: Project) -> dict[str, Path]:
    """The baselines of the run, which weigh little and let a consumer compare."""
    folders = {m: project.root / store.path_of(f"model-{m}") for m in project.settings.downscale.methods}
    return {
        name: folder
        for name, folder in folders.items()
        if name != project.settings.registry.method and cards.load(folder).method not in DRAWING
    }


def _example(held_out: evidence.HeldOut) -> dict[str, object]:
    """The first coarse times of the test block, as lists."""
    few: xr.Dataset = held_out.coarse.isel(time=slice(0, 5)).compute()
    fields = {str(name): field.transpose("time", "lat", "lon").values.tolist() for name, field in few.items()}
    axes = {axis: few[axis].values.tolist() for axis in ("lat", "lon")}
    return {"time": few["time"].dt.strftime("%Y-%m-%dT%H:%M:%S").values.tolist(), **axes, **fields}


def _card(project: Project, crps: pd.DataFrame) -> str:
    """What people read beside the model."""
    settings = project.settings
    rows = "\n".join(
        f"| {r.variable} | {r.value:.4g} | {r.low:.4g} .. {r.high:.4g} |" for r in crps.itertuples()
    )
    folder = project.root / store.path_of(f"model-{settings.registry.method}")
    found = json.loads((folder / cards.FILE).read_text(encoding="utf-8"))
    errors = "".join(
        f"- {case}: " + ", ".join(f"{name} {value:.3g}" for name, value in known.items()) + "\n"
        for case, known in found.get("standard_errors", {}).items()
    )
    errors = f"Standard error taken for the coarse data, in canonical units:\n\n{errors}\n" if errors else ""
    coarse, split = settings.coarse, settings.split
    return (
        f"Downscaling by `{settings.registry.method}`: {', '.join(settings.data.variables)} from "
        f"{coarse.factor} x {coarse.factor} cells every {coarse.every} hours to fine fields every hour.\n\n"
        f"Trained on {split.words('train')}, judged on {split.words('test')} against the coarsened truth:\n\n"
        f"| variable | CRPS | interval |\n|---|---|---|\n{rows}\n\n{errors}"
        "It knows the region, the season and the climate of its training period and no other; it answers on its own "
        "fine grid, for coarse data on its own coarse grid, in its own units.\n\n"
    )

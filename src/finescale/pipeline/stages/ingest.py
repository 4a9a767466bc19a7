"""Stages ``ingest-*``: from a catalogue or files to local stores, as published; a killed retrieval goes on."""

from pathlib import Path

import xarray as xr

from finescale.climate.catalogue import open_series
from finescale.climate.reference import open_reference
from finescale.climate.retrieve import retrieve
from finescale.pipeline.desk import Desk
from finescale.settings.data import Facets, Series

STATIC = ("orog", "sftlf")


def reference(desk: Desk) -> None:
    """Fetch the fine reference and its static fields."""
    names = {"reference": desk.setting("data.variables"), "static": STATIC}
    for target in desk.stage.writes:
        role = target.removeprefix("raw-")
        source: Series = desk.setting(f"data.{role}")
        fetched = (
            _from_files(desk, source, names[role]) if source.files else _rows(desk, source, names[role], 0)
        )
        _save(desk, target, fetched)


def gcm(desk: Desk, gcm: str) -> None:
    """Fetch one climate model as published: historical run, scenario, and the truth behind an invented one."""
    source, scenario = desk.setting(f"data.gcms.{gcm}"), desk.setting("downscale.scenario")
    variables, margin = desk.setting("data.variables"), desk.setting("data.margin")
    for role, experiment in (("historical", "historical"), ("scenario", scenario)):
        facets = {**source.facets, "experiment_id": experiment}
        _save(desk, f"raw-{role}-{gcm}", _rows(desk, source, variables, margin, facets))
    if source.truth is not None:
        facets = {**source.truth, "experiment_id": scenario}
        _save(desk, f"raw-truth-{gcm}", _rows(desk, source, variables, 0, facets))


def _rows(
    desk: Desk, source: Series, variables: tuple[str, ...], margin: int, facets: Facets | None = None
) -> xr.Dataset:
    """The series that the facets name, lazily; the invented world's catalogue where there is one."""
    invented = "world" in desk.stage.reads
    catalogue: str | Path = (
        desk.path("world") / "catalogue.json" if invented else desk.source(desk.setting("data.catalogue"))
    )
    return open_series(
        catalogue,
        facets or source.facets,
        variables=list(variables),
        period=source.period,
        region=desk.setting("data.region"),
        margin=margin,
    )


def _from_files(desk: Desk, source: Series, variables: tuple[str, ...]) -> xr.Dataset:
    return open_reference(
        [desk.source(path) for path in source.files],
        preset=source.preset,
        variables=list(variables),
        period=source.period,
        region=desk.setting("data.region"),
        gaps=source.gaps,
    )


def _save(desk: Desk, name: str, ds: xr.Dataset) -> None:
    """Retrieve chunk by chunk, resuming what an earlier run left, then hand the whole store over."""
    store = desk.scratch() / f"{name}.zarr"
    if not store.exists():
        retrieve(ds, store, progress=lambda done, total, what: desk.progress(name, done, total))
    desk.adopt(name, store)

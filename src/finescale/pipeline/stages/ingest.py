"""Stages ``ingest-*``: from a catalogue or files to local stores, as published; a killed retrieval goes on."""

from collections.abc import Mapping
from pathlib import Path

import xarray as xr

from finescale.climate.catalogue import open_series
from finescale.climate.reference import open_reference
from finescale.climate.retrieve import retrieve
from finescale.pipeline.desk import Desk
from finescale.settings.data import Facets, Series
from finescale.settings.section import Period

STATIC = ("orog", "sftlf")
RIM = 3


def reference(desk: Desk) -> None:
    """Fetch the fine reference and its static fields."""
    names = {"reference": desk.setting("data.variables"), "static": STATIC}
    # Cells of a regular grid at the rim of the region need the source's cells on both sides of it.
    margin = 0 if desk.setting("data.reference").step is None else RIM
    for target in desk.stage.writes:
        role = target.removeprefix("raw-")
        source: Series = desk.setting(f"data.{role}")
        fetched = (
            _from_files(desk, source, names[role], margin)
            if source.files
            else _rows(desk, names[role], source.facets, source.period, each=source.each, margin=margin)
        )
        _save(desk, target, fetched)


def gcm(desk: Desk, gcm: str) -> None:
    """Fetch one climate model as published: historical run, scenario, and the truth behind an invented one."""
    source, scenario = desk.setting(f"data.gcms.{gcm}"), desk.setting("downscale.scenario")
    variables, margin = desk.setting("data.variables"), desk.setting("data.margin")
    # Two experiments are put end to end where the series is opened, and their seam is checked there.
    before = ["historical", scenario] if source.join else "historical"
    for role, experiment, period in (
        ("historical", before, source.historical),
        ("scenario", scenario, source.period),
    ):
        facets = {**source.facets, "experiment_id": experiment}
        ds = _rows(desk, variables, facets, period, each=source.each, margin=margin)
        _save(desk, f"raw-{role}-{gcm}", ds)
    if source.truth is not None:
        facets = {**source.truth, "experiment_id": scenario}
        _save(desk, f"raw-truth-{gcm}", _rows(desk, variables, facets, None))


def _rows(
    desk: Desk,
    variables: tuple[str, ...],
    facets: Facets,
    period: Period | None,
    *,
    each: Mapping[str, Facets] | None = None,
    margin: int = 0,
) -> xr.Dataset:
    """The series that the facets name, lazily; the invented world's catalogue where there is one."""
    invented = "world" in desk.stage.reads
    catalogue: str | Path = (
        desk.path("world") / "catalogue.json" if invented else desk.source(desk.setting("data.catalogue"))
    )
    return open_series(
        catalogue,
        facets,
        variables=list(variables),
        each=each,
        period=period,
        region=desk.setting("data.region"),
        margin=margin,
    )


def _from_files(desk: Desk, source: Series, variables: tuple[str, ...], margin: int) -> xr.Dataset:
    return open_reference(
        desk.files(source.files),
        preset=source.preset,
        variables=list(variables),
        period=source.period,
        region=desk.setting("data.region"),
        margin=margin,
        gaps=source.gaps,
        winds=source.winds,
        accumulation_hours=source.accumulation_hours,
    )


def _save(desk: Desk, name: str, ds: xr.Dataset) -> None:
    """Retrieve chunk by chunk, resuming what an earlier run left, then hand the whole store over."""
    store = desk.scratch() / f"{name}.zarr"
    if not store.exists():
        retrieve(ds, store, progress=lambda done, total, what: desk.progress(name, done, total))
    desk.adopt(name, store)

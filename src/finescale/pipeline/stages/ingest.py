"""Stages ``ingest-*``: from a catalogue to local stores, as published."""

from pathlib import Path

import xarray as xr

from finescale.climate import catalogue
from finescale.pipeline.desk import Desk
from finescale.settings import Series


def reference(desk: Desk) -> None:
    """Fetch the fine reference and its static fields."""
    source = desk.setting("data.reference")
    variables = list(desk.setting("data.variables"))
    desk.save("raw-reference", _fetch(desk, source, source.facets, variables))
    static = catalogue.open_series(_catalogue(desk), desk.setting("data.static"), variables=["orog", "sftlf"])
    desk.save("raw-static", static)


def gcm(desk: Desk, gcm: str) -> None:
    """Fetch one climate model as published: historical run, scenario, and the truth behind an invented one."""
    source, scenario = desk.setting(f"data.gcms.{gcm}"), desk.setting("downscale.scenario")
    variables = list(desk.setting("data.variables"))
    for role, experiment in (("historical", "historical"), ("scenario", scenario)):
        facets = {**source.facets, "experiment_id": experiment}
        desk.save(f"raw-{role}-{gcm}", _fetch(desk, source, facets, variables))
    if source.truth is not None:
        facets = {**source.truth, "experiment_id": scenario}
        desk.save(f"raw-truth-{gcm}", _fetch(desk, source, facets, variables))


def _fetch(
    desk: Desk, source: Series, facets: dict[str, str | list[str]], variables: list[str]
) -> xr.Dataset:
    period = (str(source.period[0]), str(source.period[1])) if source.period else None
    return catalogue.open_series(_catalogue(desk), facets, variables=variables, period=period)


def _catalogue(desk: Desk) -> str | Path:
    """The invented world's catalogue where there is one, else the one in the settings."""
    if "world" in desk.stage.reads:
        return desk.path("world") / "catalogue.json"
    return str(desk.setting("data.catalogue"))

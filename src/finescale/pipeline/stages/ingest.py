"""Stages ``ingest-*``: from a catalogue to local stores, as published."""

from pathlib import Path

import xarray as xr

from finescale.climate import catalogue
from finescale.pipeline.desk import Desk
from finescale.settings import Series


def ingest_reference(desk: Desk) -> None:
    """Fetch the fine reference and its static fields."""
    source = desk.setting("data.reference")
    variables = list(desk.setting("data.variables"))
    desk.save("raw-reference", _fetch(desk, source, source.facets, variables))
    static = catalogue.open_series(_catalogue(desk), desk.setting("data.static"), variables=["orog", "sftlf"])
    desk.save("raw-static", static)


def ingest_gcm(desk: Desk, gcm: str) -> None:
    """Fetch one climate model: the historical run and the scenario, each as it is published."""
    source = desk.setting(f"data.gcms.{gcm}")
    variables = list(desk.setting("data.variables"))
    for experiment in ("historical", desk.setting("downscale.scenario")):
        role = "historical" if experiment == "historical" else "scenario"
        facets = {**source.facets, "experiment_id": experiment}
        desk.save(f"raw-{gcm}-{role}", _fetch(desk, source, facets, variables))


def ingest_truth(desk: Desk, gcm: str) -> None:
    """Fetch the fine truth behind an invented climate model, to score against."""
    source = desk.setting(f"data.gcms.{gcm}")
    facets = {**source.truth, "experiment_id": desk.setting("downscale.scenario")}
    desk.save(f"raw-truth-{gcm}", _fetch(desk, source, facets, list(desk.setting("data.variables"))))


def _fetch(
    desk: Desk, source: Series, facets: dict[str, str | list[str]], variables: list[str]
) -> xr.Dataset:
    period = source.period and tuple(str(day) for day in source.period)
    return catalogue.open_series(_catalogue(desk), facets, variables=variables, period=period)


def _catalogue(desk: Desk) -> str | Path:
    """The invented world's catalogue where there is one, else the one in the settings."""
    if "world" in desk.stage.reads:
        return desk.path("world") / "catalogue.json"
    return str(desk.setting("data.catalogue"))

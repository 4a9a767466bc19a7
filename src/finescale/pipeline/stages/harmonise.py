"""Stages ``harmonise-*``: one form for every source, and a gate behind it."""

import xarray as xr

from finescale.climate.harmonise import harmonise
from finescale.grid.clock import on_the_clock
from finescale.grid.grid import Grid
from finescale.grid.regrid import conservative
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.gate import check
from finescale.settings import Series

WHOLE_CELL = 0.999  # share of a target cell that the source's cells must cover


def reference(desk: Desk) -> None:
    """Harmonise the fine reference and its static fields."""
    variables = list(desk.setting("data.variables"))
    source = desk.setting("data.reference")
    found = {"reference": _harmonised(desk.open("raw-reference"), variables, source)}
    if (fixed := desk.optional("raw-static")) is not None:
        found["static"] = _harmonised(fixed, ["orog", "sftlf"], desk.setting("data.static"))
    for name, ds in found.items():
        if source.step is not None:
            target = Grid.over(desk.setting("data.region"), source.step)
            ds = conservative(ds, target, coverage=WHOLE_CELL)
        desk.save(name, ds)
    written = [name for name in desk.stage.writes if not name.startswith("gates-")]
    check(desk, "harmonised", written, "gates-reference")


def gcm(desk: Desk, gcm: str) -> None:
    """Harmonise a climate model and bring it to the coarse grid that nests in the fine one."""
    variables, source = list(desk.setting("data.variables")), desk.setting(f"data.gcms.{gcm}")
    target = Grid.from_dataset(desk.open("coarse-reference"))
    written = [name for name in desk.stage.writes if not name.startswith("gates-")]
    for name in written:
        raw = desk.open(f"raw-{name}")
        if name.startswith("truth-"):
            ds = _harmonised(raw, variables, source)
        else:
            ds = on_coarse_grid(raw, variables, source, target, desk.setting("coarse").every)
        desk.save(name, ds)
    check(desk, "harmonised", written, f"gates-{gcm}")


def on_coarse_grid(
    raw: xr.Dataset, variables: list[str], source: Series, grid: Grid, every: int
) -> xr.Dataset:
    """A climate model's run as published, in our form, at the observed hours, on a coarse grid; lazily."""
    ds = _harmonised(raw, variables, source)
    return conservative(ds.isel(time=on_the_clock(ds["time"], every)), grid, coverage=WHOLE_CELL)


def _harmonised(raw: xr.Dataset, variables: list[str], source: Series) -> xr.Dataset:
    """One source in one form; files were brought into it when they were fetched, by their preset."""
    return harmonise(
        raw,
        variables=variables,
        calendar=source.calendar,
        gaps=source.gaps,
        winds=None if source.files else source.winds,
        accumulation_hours=None if source.files else source.accumulation_hours,
    )

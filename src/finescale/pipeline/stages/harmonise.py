"""Stages ``harmonise-*``: one form for every source, and a gate behind it."""

import xarray as xr

from finescale.climate.harmonise import harmonise
from finescale.grid.clock import on_the_clock
from finescale.grid.grid import Grid
from finescale.grid.regrid import conservative
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.gate import check
from finescale.settings import Series

WHOLE_CELL = 0.999  # share of a coarse cell that the model's cells must cover


def reference(desk: Desk) -> None:
    """Harmonise the fine reference and its static fields."""
    variables = list(desk.setting("data.variables"))
    source = desk.setting("data.reference")
    fine = harmonise(
        desk.open("raw-reference"), variables=variables, calendar=source.calendar, gaps=source.gaps
    )
    desk.save("reference", fine)
    static = desk.optional("raw-static")
    if static is not None:
        desk.save("static", harmonise(static, variables=["orog", "sftlf"]))
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
            ds = harmonise(raw, variables=variables, calendar=source.calendar, gaps=source.gaps)
        else:
            ds = on_coarse_grid(raw, variables, source, target, desk.setting("coarse").every)
        desk.save(name, ds)
    check(desk, "harmonised", written, f"gates-{gcm}")


def on_coarse_grid(
    raw: xr.Dataset, variables: list[str], source: Series, grid: Grid, every: int
) -> xr.Dataset:
    """A climate model's run as published, in our form, at the observed hours, on a coarse grid; lazily."""
    ds = harmonise(raw, variables=variables, calendar=source.calendar, gaps=source.gaps)
    return conservative(ds.isel(time=on_the_clock(ds["time"], every)), grid, coverage=WHOLE_CELL)

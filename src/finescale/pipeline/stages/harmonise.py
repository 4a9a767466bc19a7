"""Stages ``harmonise-*``: one form for every source, and a gate behind it."""

from finescale.climate.harmonise import harmonise
from finescale.grid.clock import on_the_clock
from finescale.grid.grid import Grid
from finescale.grid.regrid import conservative
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.gate import check

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
        ds = harmonise(
            desk.open(f"raw-{name}"), variables=variables, calendar=source.calendar, gaps=source.gaps
        )
        if not name.startswith("truth-"):
            observed = on_the_clock(ds["time"], desk.setting("coarse").every)
            ds = conservative(ds.isel(time=observed), target, coverage=WHOLE_CELL)
        desk.save(name, ds)
    check(desk, "harmonised", written, f"gates-{gcm}")

"""Stages ``harmonise-*``: one form for every source, and a gate behind it."""

import xarray as xr

from finescale.climate.harmonise import harmonise
from finescale.climate.timeline import sampling, seconds_between
from finescale.errors import FinescaleError
from finescale.grid.blocks import block_means
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
    observed = desk.open("coarse-reference")
    target = Grid.from_dataset(observed)
    written = [name for name in desk.stage.writes if not name.startswith("gates-")]
    for name in written:
        raw = desk.open(f"raw-{name}")
        if name.startswith("truth-"):
            ds = _harmonised(raw, variables, source)
        else:
            ds = on_coarse_grid(raw, variables, source, target, desk.setting("coarse").every)
            check_kinds(ds, observed, gcm)
        desk.save(name, ds)
    check(desk, "harmonised", written, f"gates-{gcm}")


def on_coarse_grid(
    raw: xr.Dataset, variables: list[str], source: Series, grid: Grid, every: int
) -> xr.Dataset:
    """A climate model's run as published, in our form, at the observed hours, on a coarse grid; lazily."""
    return conservative(_observed(_harmonised(raw, variables, source), every), grid, coverage=WHOLE_CELL)


def check_kinds(ds: xr.Dataset, observed: xr.Dataset, gcm: str) -> None:
    """Refuse means of a model where the coarse reference has instants, and the other way round."""
    for name, field in ds.data_vars.items():
        kinds = sampling(field), sampling(observed[name])
        if set(kinds) == {"instant", "mean"}:
            raise FinescaleError(
                f"a model is compared with what it is: {name} of {gcm} is {kinds[0]} in time, the coarse reference is "
                f"{kinds[1]}, by their cell_methods; change coarse.how, or choose another table_id"
            )


def _observed(ds: xr.Dataset, every: int) -> xr.Dataset:
    """Instants and means at the observed hours; means over shorter intervals are averaged up to them."""
    kinds = {sampling(field) for field in ds.data_vars.values() if "time" in field.dims}
    step = seconds_between(ds["time"]).min() / 3600 if ds.sizes["time"] > 1 else every
    if "mean" not in kinds or step >= every:
        return ds.isel(time=on_the_clock(ds["time"], every))
    if kinds != {"mean"}:
        names = ", ".join(map(str, ds.data_vars))
        raise FinescaleError(
            f"means over {step:g} h are averaged to {every} h and instants are not: {names} "
            "are not all means by their cell_methods; choose variables of one kind"
        )
    return block_means(ds, every, step)


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

"""Two invented climate models: area means of other draws of the same climate, with known errors and warming."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from finescale.climate.twin import known, surface
from finescale.climate.twin.modes import Real
from finescale.climate.twin.terrain import Terrain, build_terrain
from finescale.climate.twin.weather import Weather
from finescale.climate.twin.world import LAT_CENTRE, LAT_STEP, LON_CENTRE, LON_STEP, Clock, World, kilometres
from finescale.grid.grid import Grid
from finescale.grid.regrid import conservative

VARIABLES = ("psl", "tas", "uas", "vas", "pr")
Fields = dict[str, Real]


@dataclass(frozen=True)
class Model:
    """One climate model of the invented world.

    Attributes:
        name: its source_id.
        calendar: its calendar.
        grid: its coarse grid.
        extra: fine cells around the domain that its grid reaches.
    """

    name: str
    calendar: str
    grid: Grid
    extra: int


@dataclass(frozen=True)
class Run:
    """One experiment of a model.

    Attributes:
        model: the model.
        experiment: historical or ssp245.
        clock: its stamps, every six hours.
        output: what the model published, coarse [time, lat, lon].
        truth: the same without the model's errors.
        fine: hourly fine truth of a part of the run, with its clock; None in the historical run.
    """

    model: Model
    experiment: str
    clock: Clock
    output: Fields
    truth: Fields
    fine: tuple[Clock, Fields] | None


def models(world: World) -> tuple[Model, Model]:
    """Return TWIN-STD (nests in the fine grid) and TWIN-360 (wider cells, offset by half a fine cell)."""
    factor = world.factor
    nested = world.window(-factor, world.cells + factor).coarsen(factor)
    width = 1.25 * factor
    count = int((world.cells + 2 * world.margin - 1) / width)
    centres = -world.margin + 0.5 + width * (np.arange(count) + 0.5) - world.cells / 2
    offset = Grid(tuple(LAT_CENTRE + centres * LAT_STEP), tuple(LON_CENTRE + centres * LON_STEP))
    return Model("TWIN-STD", "standard", nested, factor), Model("TWIN-360", "360_day", offset, world.margin)


def land_of(world: World, model: Model) -> tuple[Terrain, xr.Dataset]:
    """Return the fine land under a model, and its area means `orog`, `sftlf`, `northing` [lat, lon]."""
    terrain = build_terrain(world, model.extra + 1)
    inside = slice(1, -1)
    window = world.window(-model.extra, world.cells + model.extra)
    north, _ = kilometres(window)
    fine = xr.Dataset(
        {
            "orog": (("lat", "lon"), terrain.height[inside, inside]),
            "sftlf": (("lat", "lon"), terrain.land[inside, inside]),
            "northing": (("lat", "lon"), np.broadcast_to(north[:, None], window.shape)),
        },
        coords=window.coords(),
    )
    return terrain, conservative(fine, model.grid)


def simulate(world: World, model: Model, experiment: str) -> Run:
    """Run one experiment of one model."""
    scenario = experiment != "historical"
    days = world.scenario if scenario else world.historical
    clock = Clock.between(*days, every=6, calendar=model.calendar, also=world.truth if scenario else None)
    terrain, land = land_of(world, model)
    weather = Weather(world, terrain, clock, f"{model.name}/{experiment}")
    window = world.window(-model.extra, world.cells + model.extra)
    inside = slice(model.extra, model.extra + world.cells)
    hourly = clock.during(world.truth) if scenario else np.zeros(len(clock), dtype=bool)
    observed = clock.hour % 6 == 0
    coarse: dict[str, list[Real]] = {name: [] for name in VARIABLES}
    fine: dict[str, list[Real]] = {name: [] for name in VARIABLES}
    for part, fields in weather.blocks():
        if scenario:
            _warm(fields, clock, part)
        block = xr.Dataset(
            {n: (("time", "lat", "lon"), x[observed[part]]) for n, x in fields.items()},
            coords=window.coords(),
        )
        mean = conservative(block, model.grid)
        for name in VARIABLES:
            coarse[name].append(mean[name].values.astype(np.float32))
            fine[name].append(fields[name][hourly[part]][:, inside, inside])
    truth = {name: np.concatenate(x) for name, x in coarse.items()}
    six = clock.where(observed)
    return Run(
        model,
        experiment,
        six,
        _distort(truth, model, six, land, scenario=scenario),
        truth,
        (clock.where(hourly), {name: np.concatenate(x) for name, x in fine.items()}) if scenario else None,
    )


def _warm(fields: Fields, clock: Clock, part: slice) -> None:
    warming = known.WARMING
    fields["tas"] += warming.at(clock.hours, clock.year_hours)[part].astype(np.float32)[:, None, None]
    fields["psl"] += np.float32(warming.psl)
    for name, factor in (("uas", warming.wind), ("vas", warming.wind), ("pr", warming.pr)):
        fields[name] *= np.float32(factor)


def _distort(truth: Fields, model: Model, clock: Clock, land: xr.Dataset, *, scenario: bool) -> Fields:
    biases = known.BIASES[model.name]
    share, height, north = (land[name].values.astype(np.float32) for name in ("sftlf", "orog", "northing"))
    day = surface.diurnal(clock.season, clock.hour, share)
    mean = surface.climate(clock.season, share, height, north)
    if scenario:
        mean = mean + known.WARMING.at(clock.hours, clock.year_hours).astype(np.float32)[:, None, None]
    anomaly = {
        "psl": truth["psl"] - np.float32(surface.MEAN_PRESSURE),
        "tas": truth["tas"] - mean,
        "uas": truth["uas"],
        "vas": truth["vas"],
        "pr": truth["pr"],
    }
    output = {name: known.error(biases[name], truth[name], anomaly[name], clock.season) for name in VARIABLES}
    output["tas"] += np.float32(biases["tas"].day - 1) * day
    return output

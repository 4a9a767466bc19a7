"""Two invented climate models: area means of other draws of the same climate, with known errors and warming."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.climate.twin import known, surface
from finescale.climate.twin.modes import Real
from finescale.climate.twin.terrain import Terrain, build_terrain
from finescale.climate.twin.weather import Weather
from finescale.climate.twin.world import LAT_CENTRE, LAT_STEP, LON_CENTRE, LON_STEP, Clock, World, kilometres
from finescale.grid.grid import Grid
from finescale.grid.regrid import conservative

Fields = dict[str, Real]
_BATCH = 8  # blocks that are averaged together: a call costs as much as some hundred fields


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
    hourly = clock.during(world.truth) if scenario else None
    truth, fine = _observe(weather, model, hourly)
    six = clock.where(clock.hour % 6 == 0)
    output = _distort(truth, model, six, land, scenario=scenario)
    return Run(model, experiment, six, output, truth, None if hourly is None else (clock.where(hourly), fine))


def _observe(weather: Weather, model: Model, hourly: NDArray[np.bool_] | None) -> tuple[Fields, Fields]:
    """Return the area means every six hours and, in a scenario, the fine fields of the domain at some hours."""
    world, clock = weather.world, weather.clock
    window = world.window(-model.extra, world.cells + model.extra)
    inside = slice(model.extra, model.extra + world.cells)
    observed = clock.hour % 6 == 0
    means: list[Fields] = []
    fine: list[Fields] = []
    held: list[Fields] = []
    for part, fields in weather.blocks():
        if hourly is not None:
            _warm(fields, clock, part)
            fine.append({name: x[hourly[part]][:, inside, inside] for name, x in fields.items()})
        held.append({name: x[observed[part]] for name, x in fields.items()})
        if len(held) == _BATCH or part.stop == len(clock):
            block = {name: (("time", "lat", "lon"), x) for name, x in _joined(held).items()}
            mean = conservative(xr.Dataset(block, coords=window.coords()), model.grid)
            means.append({name: mean[name].values.astype(np.float32) for name in block})
            held = []
    return _joined(means), _joined(fine)


def _joined(blocks: list[Fields]) -> Fields:
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]} if blocks else {}


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
    output = {name: known.error(biases[name], truth[name], anomaly[name], clock.season) for name in truth}
    output["tas"] += np.float32(biases["tas"].day - 1) * day
    return output

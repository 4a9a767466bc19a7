"""Build the whole invented world in one folder, with its catalogue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from finescale.climate import catalogue
from finescale.climate.twin import known
from finescale.climate.twin.archive import Source
from finescale.climate.twin.files import write_netcdf, write_zarr
from finescale.climate.twin.gcm import Fields, Model, Run, land_of, models, simulate
from finescale.climate.twin.terrain import build_terrain
from finescale.climate.twin.weather import Weather
from finescale.climate.twin.world import Clock, World
from finescale.errors import FinescaleError

REFERENCE = "TWIN-REA"
HOURLY, SIX_HOURLY, FIXED = "E1hr", "6hrPlevPt", "fx"
_FINER = 8  # Area means are smoother than what they are means of: keep three more bits.


def build(
    folder: Path,
    *,
    seed: int = 0,
    cells: int = 48,
    factor: int = 8,
    reference_start: str = "2001-01-01",
    reference_end: str = "2003-02-15",
    historical_start: str = "2001-01-01",
    historical_end: str = "2004-12-30",
    scenario_start: str = "2015-01-01",
    scenario_end: str = "2018-12-30",
    truth_start: str = "2016-01-05",
    truth_end: str = "2016-02-04",
    storm: str = "2003-01-18T12",
) -> Path:
    """Write an invented world and its catalogue; the same arguments give the same bytes.

    Args:
        folder: where it goes; absent or empty.
        seed: seed of land and weather.
        cells: fine cells along each side of the reference domain.
        factor: fine cells along each side of a coarse cell.
        reference_start: first day of the hourly reference TWIN-REA.
        reference_end: its last day.
        historical_start: first day of the historical runs of TWIN-STD and TWIN-360.
        historical_end: their last day, in every calendar.
        scenario_start: first day of their ssp245 runs.
        scenario_end: their last day, in every calendar.
        truth_start: first day of the scenario whose fine hourly truth is kept.
        truth_end: the day after its last.
        storm: hour of the severe storm in the reference.

    Returns:
        The path of the catalogue.
    """
    world = World(
        seed=seed,
        cells=cells,
        factor=factor,
        reference=(reference_start, reference_end),
        historical=(historical_start, historical_end),
        scenario=(scenario_start, scenario_end),
        truth=(truth_start, truth_end),
        storm=storm,
    )
    return _write(folder, world)


def _write(folder: Path, world: World) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FinescaleError(
            f"a world is built in an empty folder: {folder.name} holds files; remove them first"
        )
    # One thread a matrix product: the weather uses its own threads, and sums must not depend on their number.
    with threadpool_limits(limits=1, user_api="blas"):
        rows = _reference(folder, world)
        for model in models(world):
            rows += _model(folder, world, model)
    (folder / "known_truth.json").write_text(
        json.dumps({"world": asdict(world), **known.describe()}, indent=2) + "\n", encoding="utf-8"
    )
    return catalogue.write(
        folder,
        rows,
        id="finescale-twin",
        description="An invented world: a fine reanalysis, two coarse climate models, and the truth behind them.",
    )


def _reference(folder: Path, world: World) -> list[dict[str, Any]]:
    clock = Clock.between(*world.reference, every=1, calendar="standard", also=None)
    storm = int(np.argmax(clock.time.values == np.datetime64(world.storm)))
    terrain = build_terrain(world, 1)
    weather = Weather(world, terrain, clock, REFERENCE, storm=storm)

    def blocks() -> Iterator[Fields]:
        for _, fields in weather.blocks():
            yield fields

    source = Source(REFERENCE, "reanalysis", world.grid, degrees_east=False)
    rows = write_zarr(folder, source, HOURLY, clock, blocks())
    static = _static(terrain.height[1:-1, 1:-1], terrain.land[1:-1, 1:-1])
    return rows + write_zarr(folder, source, FIXED, None, [static])


def _model(folder: Path, world: World, model: Model) -> list[dict[str, Any]]:
    rows = []
    for experiment in ("historical", "ssp245"):
        run = simulate(world, model, experiment)
        for suffix, fields in (("", run.output), ("-TRUTH", run.truth)):
            source = Source(model.name + suffix, experiment, model.grid, degrees_east=True)
            rows += _six_hourly(folder, source, run, fields)
        if run.fine is not None:
            fine = Source(f"{model.name}-TRUTH", experiment, world.grid, degrees_east=False)
            rows += write_zarr(folder, fine, HOURLY, run.fine[0], [run.fine[1]])
    _, land = land_of(world, model)
    source = Source(model.name, "historical", model.grid, degrees_east=True)
    static = _static(land["orog"].values, land["sftlf"].values)
    return rows + write_zarr(folder, source, FIXED, None, [static])


def _static(height: NDArray[np.floating], share: NDArray[np.floating]) -> Fields:
    """Heights [lat, lon] and the land in percent, as CMIP6 counts it."""
    return {"orog": height.astype(np.float32), "sftlf": (100 * share).astype(np.float32)}


def _six_hourly(folder: Path, source: Source, run: Run, fields: Fields) -> list[dict[str, Any]]:
    if run.model.calendar == "360_day":
        return write_netcdf(folder, source, SIX_HOURLY, run.clock, fields, years=2, finer=_FINER)
    return write_zarr(folder, source, SIX_HOURLY, run.clock, [fields], finer=_FINER)

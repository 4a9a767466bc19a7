"""The weather of one run: from the large scale and the random fields to what a station would measure."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from finescale.climate.twin.flow import LARGE, WAVE_PRESSURE, Flow, draw_flow, lows_at, winterness
from finescale.climate.twin.modes import Complex, Real, Waves, renewing
from finescale.climate.twin.sky import Sky
from finescale.climate.twin.surface import observe
from finescale.climate.twin.terrain import Terrain
from finescale.climate.twin.world import Clock, World, kilometres

BLOCK = 64
THREADS = 2
_SLOPES = (11 / 3, 2.4, 2.0)
"""Spectral slopes of the stream function, temperature and moisture of the mesoscale."""


@dataclass(frozen=True)
class Weather:
    """One draw of the climate, on the window of a terrain (less the cell that its edge needs).

    Attributes:
        world: the frame.
        terrain: the land, one cell wider than the fields.
        clock: hours of the run.
        run: name of the run; another name is another draw.
        storm: hour of the run that sees the severe storm.
    """

    world: World
    terrain: Terrain
    clock: Clock
    run: str
    storm: int | None = None

    @cached_property
    def flow(self) -> Flow:
        """The large scale."""
        return draw_flow(self.world, self.clock, self.run, storm=self.storm)

    @cached_property
    def waves(self) -> Waves:
        """The waves of the mesoscale: wider than the widest window, down to three cells."""
        north, _ = kilometres(self.terrain.grid)
        step = float(north[1] - north[0])
        return Waves(
            box=max(2 * self.world.cells, self.world.cells + 4 * self.world.factor) * step,
            shortest=3.0 * step,
        )

    def blocks(self) -> Iterator[tuple[slice, dict[str, Real]]]:
        """Yield the fields in order of time: positions, and variables [time, lat, lon] in canonical units."""
        amplitude = np.stack([self.waves.amplitude(slope) for slope in _SLOPES])
        # Large eddies live for a day, the smallest for some hours.
        memory = 24.0 * np.maximum(self.waves.k / self.waves.k[self.waves.k > 0].min(), 1.0) ** (-0.6)
        rng = self.world.generator(self.run, "mesoscale")
        coefficients = renewing(rng, self.clock.hours, memory.astype(np.float32), amplitude, block=BLOCK)
        flow = self.flow  # made here, so that no two threads make it
        waiting: list[tuple[slice, Future[dict[str, Real]]]] = []
        with ThreadPoolExecutor(THREADS) as pool:
            for number, block in enumerate(coefficients):
                part = slice(number * BLOCK, number * BLOCK + len(block))
                waiting.append((part, pool.submit(self._fields, flow, part, block)))
                if len(waiting) > THREADS:
                    done, future = waiting.pop(0)
                    yield done, future.result()
            for done, future in waiting:
                yield done, future.result()

    def _fields(self, flow: Flow, part: slice, mesoscale: Complex) -> dict[str, Real]:
        north, east = kilometres(self.terrain.grid)
        moved = flow.displacement[part, 1], flow.displacement[part, 0]
        stream, warmth, moisture = (
            self.waves.synthesise(self.waves.drift(mesoscale[:, i], *moved), north, east) for i in range(3)
        )
        low_pressure, low_thermal = lows_at(flow, self.clock.hours, part, north, east)
        large = LARGE.synthesise(LARGE.drift(flow.waves[part], *moved), north, east)
        thermal = LARGE.synthesise(LARGE.drift(flow.thermal[part], *moved), north, east) + low_thermal
        winter = winterness(self.clock.season[part])
        large *= (WAVE_PRESSURE * (0.65 + 0.35 * winter)).astype(np.float32)[:, None, None]
        large += low_pressure
        sky = Sky(
            steering=flow.steering[part],
            pressure=flow.pressure[part],
            warmth=flow.warmth[part],
            season=self.clock.season[part],
            hour=self.clock.hour[part],
            large=large,
            thermal=thermal,
            stream=stream,
            eddy_warmth=warmth,
            moisture=moisture,
        )
        return observe(sky, self.terrain)

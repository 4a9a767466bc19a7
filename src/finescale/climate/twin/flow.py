"""The large scale: the steering wind, lows that travel with it, and the baroclinic waves between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finescale.climate.twin.modes import Complex, Real, Waves, smooth_noise
from finescale.climate.twin.world import Clock, World

LARGE = Waves(box=3600.0, shortest=600.0)
WAVE_PRESSURE = 520.0
"""Standard deviation of the pressure of the waves, Pa."""

_STORM_DEPTH, _STORM_RADIUS, _STORM_NORTH = 4700.0, 370.0, 260.0
_HOURS_SEEN = 72


@dataclass(frozen=True)
class Flow:
    """The large scale of one run, at its stamps.

    Attributes:
        steering: eastward and northward steering wind, m s-1 [time, 2].
        displacement: how far it has carried the air, km [time, 2].
        pressure: pressure of the whole region around its mean, Pa [time].
        warmth: temperature of the whole region around its climate, K [time].
        waves: pressure coefficients of `LARGE`, unit variance [time, ky, kx].
        thermal: the same of the air-mass index, whose sign tells warm from cold air.
        lows: one row a low: hour at its reference point, hour of greatest depth, east and north of the reference
            point (km), depth (Pa), radius (km), life (h) [low, 7].
    """

    steering: NDArray[np.float64]
    displacement: NDArray[np.float64]
    pressure: Real
    warmth: Real
    waves: Complex
    thermal: Complex
    lows: NDArray[np.float64]


def draw_flow(world: World, clock: Clock, run: str, *, storm: int | None) -> Flow:
    """Draw the large scale of one run, with a severe storm at hour `storm` of it unless None."""
    hours = np.arange(int(clock.hours[-1]) + 1)
    winter = np.interp(hours, clock.hours, winterness(clock.season))
    rng = world.generator(run, "flow")
    noise = smooth_noise(rng, (hours.size, 4), memory=15.0).astype(np.float64)
    steering = np.stack(
        [4.5 + 3.5 * winter + (4.0 + 2.0 * winter) * noise[:, 0], (3.5 + winter) * noise[:, 1]], 1
    )
    if storm is not None:
        pulse = np.exp(-0.5 * ((hours - storm) / 16.0) ** 2)[:, None]
        steering = steering * (1 - pulse) + pulse * np.array([17.0, 5.0])
    displacement = np.cumsum(steering, axis=0) * 3.6
    pressure = (350.0 + 300.0 * winter) * noise[:, 2]
    if storm is not None:
        pressure = pressure * (1 - pulse[:, 0]) - 900.0 * pulse[:, 0]
    # Westerlies bring the sea: mild in winter, cool in summer; southerlies are warm at all times.
    warmth = (2.4 * winter - 1.2) * noise[:, 0] + 1.1 * noise[:, 1] + 1.5 * noise[:, 3]
    at = clock.hours
    waves = _wave_coefficients(rng, hours.size)[at]
    other = _wave_coefficients(rng, hours.size)[at]
    lead = 1j * LARGE.kx[None, :] / np.maximum(LARGE.k, 1e-9)
    # Warm air lies where the wind of the wave comes from the south, a quarter wave ahead of its trough.
    thermal = (0.85 * lead * waves + 0.45 * other).astype(np.complex64)
    return Flow(
        steering[at],
        displacement[at],
        pressure[at].astype(np.float32),
        warmth[at].astype(np.float32),
        waves,
        thermal,
        _draw_lows(world, winter, run, storm),
    )


def winterness(season: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 in the middle of January and 0 in the middle of July, for phases of the year."""
    return 0.5 + 0.5 * np.cos(2 * np.pi * (season - 0.045))


def _wave_coefficients(rng: np.random.Generator, size: int) -> Complex:
    amplitude = LARGE.amplitude(3.0)
    pair = smooth_noise(rng, (size, 2, *amplitude.shape), memory=16.0)
    return np.asarray(amplitude * (pair[:, 0] + 1j * pair[:, 1]), dtype=np.complex64)


def _draw_lows(world: World, winter: NDArray[np.float64], run: str, storm: int | None) -> NDArray[np.float64]:
    rng = world.generator(run, "lows")
    count = int(rng.poisson(0.85 * winter.size / 24))
    born = np.sort(rng.uniform(0, winter.size, count))
    season = winter[born.astype(int)]
    kept = rng.uniform(size=count) < 0.55 + 0.45 * season
    distance, bearing = 850.0 * np.sqrt(rng.uniform(size=count)), rng.uniform(0, 2 * np.pi, count)
    depth = (0.6 + 0.5 * season) * rng.gamma(3.0, 330.0, count)
    rows: NDArray[np.float64] = np.stack(
        [
            born,
            born + rng.normal(0, 10.0, count),
            distance * np.cos(bearing),
            distance * np.sin(bearing),
            np.minimum(depth, 2700.0),
            np.clip(rng.lognormal(np.log(310.0), 0.25, count), 200.0, 500.0),
            rng.uniform(13.0, 26.0, count),
        ],
        axis=1,
    )[kept]
    if storm is None:
        return rows
    quiet = np.abs(rows[:, 0] - storm) > 30
    severe = [storm, storm, 0.0, _STORM_NORTH, _STORM_DEPTH, _STORM_RADIUS, 18.0]
    return np.asarray(np.vstack([rows[quiet], severe]))


def lows_at(
    flow: Flow, hours: NDArray[np.int64], part: slice, north: NDArray[np.float64], east: NDArray[np.float64]
) -> tuple[Real, Real]:
    """Return pressure (Pa) and air-mass index of the travelling lows [time, north, east] for part of a run."""
    lows = flow.lows
    near = (lows[:, 0] > hours[part][0] - _HOURS_SEEN) & (lows[:, 0] < hours[part][-1] + _HOURS_SEEN)
    born, peak, x0, y0, depth, radius, life = lows[near].T
    moved = flow.displacement[part][:, None, :] - _displacement_at(flow, hours, born)[None]
    x, y = x0 + moved[..., 0], y0 + moved[..., 1]
    age = hours[part][:, None] - peak
    size = depth * np.exp(-0.5 * (age / life) ** 2)
    along = (east - x[..., None]) / radius[:, None]
    across = (north - y[..., None]) / radius[:, None]
    bell_x, bell_y = np.exp(-0.5 * along**2), np.exp(-0.5 * across**2)
    column = bell_y.astype(np.float32).transpose(0, 2, 1)
    pressure = np.matmul(column, (-size[..., None] * bell_x).astype(np.float32))
    # Ahead of a low the air is warm, behind it cold.
    # The front between trails to the south-west and bends forward to the north-east.
    force = 2.2 * np.tanh(size / 1500.0)[..., None]
    bend = (bell_y * (0.3 * across**2 - 0.6 * across)).astype(np.float32).transpose(0, 2, 1)
    thermal = np.matmul(column, (force * along * bell_x).astype(np.float32))
    thermal += np.matmul(bend, (force * bell_x).astype(np.float32))
    return pressure, thermal


def _displacement_at(flow: Flow, hours: NDArray[np.int64], when: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.stack([np.interp(when, hours, flow.displacement[:, i]) for i in range(2)], axis=1))

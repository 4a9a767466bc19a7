"""What a station would measure: pressure, wind, temperature and rain at the ground.

The relations are those of textbooks (Holton, An Introduction to Dynamic Meteorology; Stull, An Introduction to
Boundary Layer Meteorology) with round constants: fronts where the air-mass index changes sign, a heat low over
warm land, temperature that falls with height, days that clear skies make wide, cold pools in calm clear nights,
rain where moist air rises.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from finescale.climate.twin.flow import winterness
from finescale.climate.twin.modes import Real
from finescale.climate.twin.sky import Day, Sky, inner, sunshine
from finescale.climate.twin.terrain import Terrain
from finescale.climate.twin.wind import AIR_DENSITY, blow, coriolis
from finescale.climate.twin.world import LAT_CENTRE, kilometres

LAPSE_RATE = 6.0e-3
"""Fall of the mean temperature with height, K m-1."""

NORTHWARD = 0.006
"""Fall of the mean temperature towards the north, K km-1."""

MEAN_PRESSURE = 101300.0


def observe(sky: Sky, terrain: Terrain) -> dict[str, Real]:
    """Return psl, tas, uas, vas, pr [time, lat, lon] on the grid of the terrain less its outer cells."""
    day = Day.of(sky)
    storminess = 0.5 - 0.5 * np.tanh(sky.large / 1100.0)
    front = np.tanh(sky.thermal / (0.15 + 0.30 * (1.0 - storminess)))
    band = (1.0 - front * front) * storminess
    lift = storminess / (1.0 + np.square(sky.thermal / 0.5))
    ground = terrain.inner
    pressure = _pressure(sky, terrain, day, band)
    unstable = 0.35 * np.maximum(-front, 0.0) * storminess
    moist = unstable + 0.5 * sky.moisture + 0.35 * band + 1.15 * lift + 1.1 * storminess - 0.75
    moist, front, band = (inner(x) for x in (moist, front, band))
    clear = np.clip(0.75 - 0.5 * moist, 0.0, 1.0)
    wind, calm = blow(sky, pressure, terrain, day, band, clear)
    tas = _temperature(sky, ground, day, front, band, clear, calm)
    return {
        "psl": inner(pressure) + np.float32(MEAN_PRESSURE),
        "tas": tas,
        "uas": wind[0],
        "vas": wind[1],
        "pr": _rain(moist, wind, ground, day),
    }


def _pressure(sky: Sky, terrain: Terrain, day: Day, band: Real) -> Real:
    north, east = kilometres(terrain.grid)
    # The steering wind is geostrophic too: its pressure rises to the right of it.
    tilt = (0.75e3 * AIR_DENSITY * coriolis(LAT_CENTRE) * sky.steering).astype(np.float32)
    plane = (
        tilt[:, 1, None, None] * east.astype(np.float32)
        - tilt[:, 0, None, None] * north.astype(np.float32)[:, None]
    )
    summer = 1.0 - day.winter
    heat_low = (-90.0 * summer * day.sun) * terrain.heated
    month = sky.pressure[:, None, None] + 150.0 * summer
    return np.asarray(
        sky.large + plane + month + 35.0 * sky.stream - 80.0 * band + heat_low, dtype=np.float32
    )


def climate(season: NDArray[np.float64], land: Real, height: Real, northing: Real) -> Real:
    """Return the mean temperature of sea or land through the year [time, lat, lon], K."""
    phase = 2 * np.pi * season
    over_sea = (285.4 + 3.4 * np.cos(phase - 2 * np.pi * 0.64)).astype(np.float32)[:, None, None]
    over_land = (284.0 + 8.0 * np.cos(phase - 2 * np.pi * 0.55)).astype(np.float32)[:, None, None]
    here = over_sea + land * (over_land - over_sea)
    return np.asarray(here - np.float32(LAPSE_RATE) * height - np.float32(NORTHWARD) * northing)


def diurnal(season: NDArray[np.float64], hour: NDArray[np.float64], land: Real) -> Real:
    """Return the mean course of the day in temperature [time, lat, lon], K: for half a clear sky."""
    size = 1.6 + 2.7 * (1 - winterness(season))
    return np.asarray(
        (sunshine(hour) * size).astype(np.float32)[:, None, None] * (0.1 + 0.9 * land), dtype=np.float32
    )


def _temperature(
    sky: Sky, ground: Terrain, day: Day, front: Real, band: Real, clear: Real, calm: Real
) -> Real:
    mean = climate(sky.season, ground.land, ground.height, ground.northing)
    swing = diurnal(sky.season, sky.hour, ground.land) * (0.25 + 0.95 * clear) * (0.8 + 0.6 * calm)
    air_mass = (2.1 + 1.2 * day.winter) * front + 0.9 * np.clip(inner(sky.thermal), -2.5, 2.5)
    eddies = (0.45 + 0.5 * ground.land + 0.7 * band) * inner(sky.eddy_warmth)
    pools = (-3.5 - 2.5 * day.winter) * day.night * ground.valley * clear * calm
    damped = (1.0 - 0.35 * (1.0 - ground.land)) * (air_mass + sky.warmth[:, None, None])
    return np.asarray(mean + swing + damped + eddies + pools, dtype=np.float32)


def _rain(moist: Real, wind: Real, ground: Terrain, day: Day) -> Real:
    """Rain where moist air rises: at fronts, before mountains, and in summer afternoons over land."""
    uphill = wind[0] * ground.slope[0] + wind[1] * ground.slope[1]
    showers = 0.35 * (1.0 - day.winter) * day.afternoon * ground.land
    excess = np.maximum(moist + showers + np.clip(4.0 * uphill, -0.3, 0.5) - 1.05, 0.0)
    per_hour = excess * (0.9 + 3.2 * excess)
    return np.asarray(per_hour / 3600.0, dtype=np.float32)

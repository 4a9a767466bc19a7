"""Wind at the ground: gradient wind, friction, mountains, breezes and eddies.

Near-geostrophic wind that curvature and friction slow and turn; it goes around mountains when it is slow and over
them when it is fast; the sun drives breezes when it is calm and clear.
"""

from __future__ import annotations

import numpy as np

from finescale.climate.twin.modes import Real
from finescale.climate.twin.sky import Day, Sky, inner
from finescale.climate.twin.terrain import Terrain
from finescale.climate.twin.world import KM_PER_DEGREE, LAT_CENTRE

AIR_DENSITY = 1.25
EARTH_SPIN = 7.2921e-5
STRONGEST = 45.0
"""Wind above the ground that is hardly exceeded, m s-1."""


def blow(sky: Sky, pressure: Real, terrain: Terrain, day: Day, band: Real, clear: Real) -> tuple[Real, Real]:
    """Return the wind at the ground [2, time, lat, lon], m s-1, and how calm the air is [time, lat, lon], 0 to 1.

    Args:
        sky: the state above.
        pressure: sea level pressure, Pa, on the grid of the terrain.
        terrain: the land, one cell wider than the result.
        day: course of year and day.
        band: nearness of an active front, 0 to 1.
        clear: share of clear sky.
    """
    ground = terrain.inner
    gradient = _geostrophic(pressure, terrain) * _curvature(sky.large, terrain)
    # The strongest winds destroy themselves.
    speed2 = np.square(gradient[0]) + np.square(gradient[1])
    gradient /= np.sqrt(1.0 + speed2 / STRONGEST**2)
    speed = np.sqrt(speed2 / (1.0 + speed2 / STRONGEST**2))
    calm = 1.0 / np.square(1.0 + np.square(speed / 7.0))
    wind = _around_mountains(_friction(gradient, speed, ground, day, clear), ground)
    wind += _breezes(ground, day, clear * calm)
    wind += _gusts(sky.stream, terrain, speed, band)
    return wind * ground.exposure, calm


def coriolis(lat: float) -> float:
    """Return the Coriolis parameter at a latitude, s-1."""
    return float(2 * EARTH_SPIN * np.sin(np.deg2rad(lat)))


def _geostrophic(pressure: Real, terrain: Terrain) -> Real:
    lat = np.asarray(terrain.grid.lat)[1:-1]
    f_rho = AIR_DENSITY * np.array([coriolis(row) for row in lat])
    dy = 1e3 * KM_PER_DEGREE * (terrain.grid.lat[1] - terrain.grid.lat[0])
    dx = 1e3 * KM_PER_DEGREE * (terrain.grid.lon[1] - terrain.grid.lon[0]) * np.cos(np.deg2rad(lat))
    east = (1.0 / (2 * dx * f_rho)).astype(np.float32)[:, None]
    north = (1.0 / (2 * dy * f_rho)).astype(np.float32)[:, None]
    u = (pressure[:, :-2, 1:-1] - pressure[:, 2:, 1:-1]) * north
    v = (pressure[:, 1:-1, 2:] - pressure[:, 1:-1, :-2]) * east
    return np.stack([u, v])


def _curvature(large: Real, terrain: Terrain) -> Real:
    """Return what gradient wind balance leaves of the geostrophic wind: less around lows, more around highs."""
    step = 1e3 * KM_PER_DEGREE * (terrain.grid.lat[1] - terrain.grid.lat[0])
    around = large[:, 2:, 1:-1] + large[:, :-2, 1:-1] + large[:, 1:-1, 2:] + large[:, 1:-1, :-2]
    rossby = (around - 4 * inner(large)) * np.float32(
        1.0 / (step**2 * AIR_DENSITY * coriolis(LAT_CENTRE) ** 2)
    )
    return np.asarray(2.0 / (1.0 + np.sqrt(1.0 + 2.0 * np.clip(rossby, -0.15, 8.0))), dtype=np.float32)


def _friction(gradient: Real, speed: Real, ground: Terrain, day: Day, clear: Real) -> Real:
    """Slow the wind and turn it towards low pressure: little over the sea, much over land and in calm nights."""
    mixing = 0.09 * day.sun * clear * (0.4 + 0.6 * (1.0 - day.winter))
    slow = 0.76 - ground.land * (0.26 - mixing)
    slow *= 1.0 + 0.12 * np.clip(speed / 12.0 - 1.0, -0.6, 1.0)
    angle = np.deg2rad(11.0 + 17.0 * ground.land).astype(np.float32)
    cosine, sine = np.cos(angle), np.sin(angle)
    u, v = gradient
    return np.stack([slow * (cosine * u - sine * v), slow * (sine * u + cosine * v)])


def _around_mountains(wind: Real, ground: Terrain) -> Real:
    """Turn slow air along the slopes; fast air goes over them and is sheltered behind."""
    steep = np.hypot(ground.slope[0], ground.slope[1])
    direction = ground.slope / np.maximum(steep, 1e-6)
    block = 0.75 * steep / (steep + 0.006)
    uphill = wind[0] * direction[0] + wind[1] * direction[1]
    speed2 = np.square(wind[0]) + np.square(wind[1])
    lost = uphill * block / (1.0 + speed2 / 64.0)
    lee = 1.0 + np.clip(uphill * steep * 0.9, -0.30, 0.12)
    return np.stack([(wind[0] - lost * direction[0]) * lee, (wind[1] - lost * direction[1]) * lee])


def _breezes(ground: Terrain, day: Day, quiet: Real) -> Real:
    summer = 1.0 - day.winter
    sea = (4.2 * summer + 0.4) * day.afternoon - (0.5 + 0.9 * summer) * day.night
    upslope = (40.0 + 80.0 * summer) * day.sun
    push = np.clip(ground.slope, -0.03, 0.03)
    return np.stack([quiet * (sea * ground.inland[i] + upslope * push[i]) for i in range(2)])


def _gusts(stream: Real, terrain: Terrain, speed: Real, band: Real) -> Real:
    """Eddies of the mesoscale: stronger in strong wind, at fronts and over rough ground."""
    step = KM_PER_DEGREE * (terrain.grid.lat[1] - terrain.grid.lat[0])
    size = (0.12 + 0.065 * speed + 0.8 * band) * (1.0 + 0.35 * terrain.inner.land) * np.float32(22.0 / step)
    u = stream[:, :-2, 1:-1] - stream[:, 2:, 1:-1]
    v = stream[:, 1:-1, 2:] - stream[:, 1:-1, :-2]
    return np.stack([size * u, size * v])

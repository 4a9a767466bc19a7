"""What the large scale and the mesoscale do at the ground: pressure, wind, temperature and rain.

The relations are those of textbooks (Holton, An Introduction to Dynamic Meteorology; Stull, An Introduction to
Boundary Layer Meteorology), with round constants: gradient wind, friction that turns and slows it, flow around
mountains when the air is slow and over them when it is fast, sea and slope breezes on calm clear days, cold
pools in calm clear nights, fronts where the air-mass index changes sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finescale.climate.twin.flow import winterness
from finescale.climate.twin.modes import Real
from finescale.climate.twin.terrain import Terrain
from finescale.climate.twin.world import KM_PER_DEGREE, LON_CENTRE, kilometres

AIR_DENSITY = 1.25
EARTH_SPIN = 7.2921e-5
LAPSE_RATE = 6.0e-3
"""Fall of the mean temperature with height, K m-1."""

MEAN_PRESSURE = 101300.0


@dataclass(frozen=True)
class Sky:
    """The state above the ground, [time] or [time, lat, lon] on the grid of the terrain.

    Attributes:
        steering: eastward and northward steering wind, m s-1 [time, 2].
        pressure: pressure of the region around its mean, Pa [time].
        warmth: temperature of the region around its climate, K [time].
        season: phase of the year, 0 to 1 [time].
        hour: hour of the day, UTC [time].
        large: pressure of waves and lows, Pa.
        thermal: air-mass index: warm above zero, cold below, a front at zero.
        stream: stream function of the mesoscale, unit variance.
        eddy_warmth: temperature of the mesoscale, unit variance.
        moisture: moisture of the mesoscale, unit variance.
    """

    steering: NDArray[np.float64]
    pressure: Real
    warmth: Real
    season: NDArray[np.float64]
    hour: NDArray[np.float64]
    large: Real
    thermal: Real
    stream: Real
    eddy_warmth: Real
    moisture: Real


def observe(sky: Sky, terrain: Terrain) -> dict[str, Real]:
    """Return psl, tas, uas, vas, pr [time, lat, lon] on the grid of the terrain less its outer cells."""
    day = _Day.of(sky)
    storminess = 0.5 - 0.5 * np.tanh(sky.large / 1100.0)
    front = np.tanh(sky.thermal / (0.15 + 0.30 * (1.0 - storminess)))
    band = (1.0 - front * front) * storminess
    lift = storminess / (1.0 + np.square(sky.thermal / 0.5))
    ground = _Ground.of(terrain)
    pressure = _pressure(sky, terrain, day, band)
    moist = 0.5 * sky.moisture + 0.35 * band + 1.15 * lift + 1.1 * storminess - 0.75
    moist, front, band, storminess = (_inner(x) for x in (moist, front, band, storminess))
    clear = np.clip(0.75 - 0.5 * moist, 0.0, 1.0)
    geostrophic = _geostrophic(pressure, terrain)
    gradient = geostrophic * _curvature(sky.large, terrain)
    # The strongest winds destroy themselves: none grows far beyond 45 m s-1.
    speed2 = np.square(gradient[0]) + np.square(gradient[1])
    gradient /= np.sqrt(1.0 + speed2 / 45.0**2)
    speed = np.sqrt(speed2 / (1.0 + speed2 / 45.0**2))
    calm = 1.0 / np.square(1.0 + np.square(speed / 7.0))
    wind = _friction(gradient, speed, ground, day, clear)
    wind = _around_mountains(wind, ground)
    wind += _breezes(ground, day, clear * calm)
    wind += _gusts(sky.stream, terrain, speed, band, ground)
    wind *= ground.exposure
    tas = _temperature(sky, ground, day, front, band, clear, calm)
    return {
        "psl": _inner(pressure) + np.float32(MEAN_PRESSURE),
        "tas": tas,
        "uas": wind[0],
        "vas": wind[1],
        "pr": _rain(moist, wind, ground, day),
    }


@dataclass(frozen=True)
class _Day:
    """Course of year and day as columns [time, 1, 1]: winter 0..1, sun -1..1, its lagged forms."""

    winter: Real
    sun: Real
    afternoon: Real
    night: Real

    @classmethod
    def of(cls, sky: Sky) -> _Day:
        local = sky.hour + LON_CENTRE / 15.0
        phase = 2 * np.pi * local / 24.0

        def column(x: NDArray[np.float64]) -> Real:
            return x.astype(np.float32)[:, None, None]

        lift = np.cos(phase - 2 * np.pi * 14.5 / 24) + 0.22 * np.cos(2 * (phase - 2 * np.pi * 13.5 / 24))
        return cls(
            winter=column(winterness(sky.season)),
            sun=column(lift),
            afternoon=column(np.maximum(np.cos(phase - 2 * np.pi * 16.0 / 24), 0.0)),
            night=column(np.maximum(-np.cos(phase - 2 * np.pi * 16.5 / 24), 0.0)),
        )


@dataclass(frozen=True)
class _Ground:
    """The inner part of a terrain and what friction makes of it."""

    height: Real
    land: Real
    slope: Real
    exposure: Real
    valley: Real
    inland: Real
    northing: Real

    @classmethod
    def of(cls, terrain: Terrain) -> _Ground:
        north, _ = kilometres(terrain.grid)
        northing = np.broadcast_to(north[:, None], terrain.height.shape).astype(np.float32)
        fields = (
            terrain.height,
            terrain.land,
            terrain.slope,
            terrain.exposure,
            terrain.valley,
            terrain.inland,
        )
        return cls(*(_inner(x) for x in fields), _inner(northing))


def _inner(x: Real) -> Real:
    return x[..., 1:-1, 1:-1]


def _pressure(sky: Sky, terrain: Terrain, day: _Day, band: Real) -> Real:
    north, east = kilometres(terrain.grid)
    coriolis = 2 * EARTH_SPIN * np.sin(np.deg2rad(48.0))
    # The steering wind is geostrophic too: its pressure rises to the right of it.
    tilt = (0.75e3 * AIR_DENSITY * coriolis * sky.steering).astype(np.float32)
    plane = (
        tilt[:, 1, None, None] * east.astype(np.float32)
        - tilt[:, 0, None, None] * north.astype(np.float32)[:, None]
    )
    summer = 1.0 - day.winter
    heat_low = (-70.0 * summer * day.sun) * terrain.land
    month = sky.pressure[:, None, None] + 150.0 * summer
    return np.asarray(
        sky.large + plane + month + 45.0 * sky.stream - 80.0 * band + heat_low, dtype=np.float32
    )


def _geostrophic(pressure: Real, terrain: Terrain) -> Real:
    lat = np.asarray(terrain.grid.lat)[1:-1]
    f_rho = AIR_DENSITY * 2 * EARTH_SPIN * np.sin(np.deg2rad(lat))
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
    coriolis = 2 * EARTH_SPIN * np.sin(np.deg2rad(48.0))
    around = large[:, 2:, 1:-1] + large[:, :-2, 1:-1] + large[:, 1:-1, 2:] + large[:, 1:-1, :-2]
    rossby = (around - 4 * _inner(large)) * np.float32(1.0 / (step**2 * AIR_DENSITY * coriolis**2))
    return np.asarray(2.0 / (1.0 + np.sqrt(1.0 + 2.0 * np.clip(rossby, -0.15, 8.0))), dtype=np.float32)


def _friction(gradient: Real, speed: Real, ground: _Ground, day: _Day, clear: Real) -> Real:
    """Slow the wind and turn it towards low pressure: little over the sea, much over land and in calm nights."""
    mixing = 0.09 * day.sun * clear * (0.4 + 0.6 * (1.0 - day.winter))
    slow = 0.76 - ground.land * (0.26 - mixing)
    slow *= 1.0 + 0.12 * np.clip(speed / 12.0 - 1.0, -0.6, 1.0)
    angle = np.deg2rad(11.0 + 17.0 * ground.land).astype(np.float32)
    cosine, sine = np.cos(angle), np.sin(angle)
    u, v = gradient
    return np.stack([slow * (cosine * u - sine * v), slow * (sine * u + cosine * v)])


def _around_mountains(wind: Real, ground: _Ground) -> Real:
    """Turn slow air along the slopes; fast air goes over them and is sheltered behind."""
    steep = np.hypot(ground.slope[0], ground.slope[1])
    direction = ground.slope / np.maximum(steep, 1e-6)
    block = 0.75 * steep / (steep + 0.006)
    uphill = wind[0] * direction[0] + wind[1] * direction[1]
    speed2 = np.square(wind[0]) + np.square(wind[1])
    lost = uphill * block / (1.0 + speed2 / 64.0)
    lee = 1.0 + np.clip(uphill * steep * 0.9, -0.30, 0.12)
    return np.stack([(wind[0] - lost * direction[0]) * lee, (wind[1] - lost * direction[1]) * lee])


def _breezes(ground: _Ground, day: _Day, quiet: Real) -> Real:
    summer = 1.0 - day.winter
    sea = (4.2 * summer + 0.4) * day.afternoon - (0.5 + 0.9 * summer) * day.night
    upslope = (40.0 + 80.0 * summer) * day.sun
    push = np.clip(ground.slope, -0.03, 0.03)
    return np.stack([quiet * (sea * ground.inland[i] + upslope * push[i]) for i in range(2)])


def _gusts(stream: Real, terrain: Terrain, speed: Real, band: Real, ground: _Ground) -> Real:
    """Eddies of the mesoscale: stronger in strong wind, at fronts and over rough ground."""
    step = KM_PER_DEGREE * (terrain.grid.lat[1] - terrain.grid.lat[0])
    size = (0.25 + 0.05 * speed + 0.8 * band) * (1.0 + 0.35 * ground.land) * np.float32(22.0 / step)
    u = stream[:, :-2, 1:-1] - stream[:, 2:, 1:-1]
    v = stream[:, 1:-1, 2:] - stream[:, 1:-1, :-2]
    return np.stack([size * u, size * v])


def climate(season: NDArray[np.float64], land: Real, height: Real, northing: Real) -> Real:
    """Return the mean temperature of sea or land through the year [time, lat, lon], K."""
    phase = 2 * np.pi * season
    over_sea = (285.4 + 3.4 * np.cos(phase - 2 * np.pi * 0.64)).astype(np.float32)[:, None, None]
    over_land = (284.0 + 8.0 * np.cos(phase - 2 * np.pi * 0.55)).astype(np.float32)[:, None, None]
    return over_sea + land * (over_land - over_sea) - np.float32(LAPSE_RATE) * height - 0.006 * northing


def diurnal(season: NDArray[np.float64], hour: NDArray[np.float64], land: Real) -> Real:
    """Return the mean course of the day in temperature [time, lat, lon], K: for half a clear sky."""
    phase = 2 * np.pi * (hour + LON_CENTRE / 15.0) / 24.0
    lift = np.cos(phase - 2 * np.pi * 14.5 / 24) + 0.22 * np.cos(2 * (phase - 2 * np.pi * 13.5 / 24))
    size = 1.6 + 2.7 * (1 - winterness(season))
    return np.asarray((lift * size).astype(np.float32)[:, None, None] * (0.1 + 0.9 * land), dtype=np.float32)


def _temperature(
    sky: Sky, ground: _Ground, day: _Day, front: Real, band: Real, clear: Real, calm: Real
) -> Real:
    mean = climate(sky.season, ground.land, ground.height, ground.northing)
    swing = diurnal(sky.season, sky.hour, ground.land) * (0.25 + 0.95 * clear) * (0.8 + 0.6 * calm)
    air_mass = (2.1 + 1.2 * day.winter) * front + 0.9 * np.clip(_inner(sky.thermal), -2.5, 2.5)
    eddies = (0.45 + 0.5 * ground.land + 0.7 * band) * _inner(sky.eddy_warmth)
    pools = (-3.5 - 2.5 * day.winter) * day.night * ground.valley * clear * calm
    damped = (1.0 - 0.35 * (1.0 - ground.land)) * (air_mass + sky.warmth[:, None, None])
    return np.asarray(mean + swing + damped + eddies + pools, dtype=np.float32)


def _rain(moist: Real, wind: Real, ground: _Ground, day: _Day) -> Real:
    """Rain where moist air rises: at fronts, before mountains, and in summer afternoons over land."""
    uphill = wind[0] * ground.slope[0] + wind[1] * ground.slope[1]
    showers = 0.35 * (1.0 - day.winter) * day.afternoon * ground.land
    excess = np.maximum(moist + showers + np.clip(4.0 * uphill, -0.3, 0.5) - 0.95, 0.0)
    per_hour = excess * (0.9 + 3.2 * excess)
    return np.asarray(per_hour / 3600.0, dtype=np.float32)

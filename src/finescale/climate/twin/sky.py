"""The state above the ground that makes the weather at the ground, and the course of year and day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finescale.climate.twin.flow import winterness
from finescale.climate.twin.modes import Real
from finescale.climate.twin.world import LON_CENTRE


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


@dataclass(frozen=True)
class Day:
    """Course of year and day as columns [time, 1, 1]: winter 0..1, sun -1..1, its lagged forms."""

    winter: Real
    sun: Real
    afternoon: Real
    night: Real

    @classmethod
    def of(cls, sky: Sky) -> Day:
        """Take the course of year and day of a state."""
        phase = _phase(sky.hour)

        def column(x: NDArray[np.float64]) -> Real:
            return x.astype(np.float32)[:, None, None]

        return cls(
            winter=column(winterness(sky.season)),
            sun=column(sunshine(sky.hour)),
            afternoon=column(np.maximum(np.cos(phase - 2 * np.pi * 16.0 / 24), 0.0)),
            night=column(np.maximum(-np.cos(phase - 2 * np.pi * 16.5 / 24), 0.0)),
        )


def sunshine(hour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the sun does to temperature at hours UTC: about 1.2 in the afternoon, -1 in a long flat night."""
    phase = _phase(hour)
    return np.asarray(
        np.cos(phase - 2 * np.pi * 14.5 / 24) + 0.22 * np.cos(2 * (phase - 2 * np.pi * 13.5 / 24))
    )


def _phase(hour: NDArray[np.float64]) -> NDArray[np.float64]:
    # Noon follows the sun, not the clock.
    return np.asarray(2 * np.pi * (hour + LON_CENTRE / 15.0) / 24.0)


def inner(x: Real) -> Real:
    """Return a field [..., lat, lon] less its outer cells."""
    return x[..., 1:-1, 1:-1]

"""The storm as an object: where the pressure minimum went, how deep it was, when and how hard the wind blew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finescale.grid.calculus import EARTH_RADIUS
from finescale.grid.grid import Grid


@dataclass(frozen=True)
class Storm:
    """One storm in one series.

    Attributes:
        depth: Lowest pressure [Pa].
        hour: Position of the hour of the lowest pressure.
        track: Latitude and longitude of the pressure minimum of every hour [T, 2], degrees.
        wind: Strongest wind [m s-1], NaN without wind.
        wind_hour: Position of its hour, -1 without wind.
        duration: Hours in which some cell is above the wind threshold.
    """

    depth: float
    hour: int
    track: NDArray[np.float64]
    wind: float
    wind_hour: int
    duration: int


def lows(psl: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give the lowest pressure of each hour and its flat cell.

    Args:
        psl: Pressure [T, lat, lon].
    """
    flat = psl.reshape(len(psl), -1)
    return flat.min(axis=1).astype(np.float64), flat.argmin(axis=1).astype(np.int64)


def storm(
    depth: NDArray[np.float64],
    cell: NDArray[np.int64],
    peak: NDArray[np.float64] | None,
    grid: Grid,
    *,
    threshold: float = np.inf,
) -> Storm:
    """Put a storm together from what is left of each hour.

    Args:
        depth: Lowest pressure [T], Pa.
        cell: Its flat cell [T].
        peak: Strongest wind [T], m s-1, when there is wind.
        grid: The grid.
        threshold: Speed that counts for the duration, m s-1.
    """
    rows, columns = np.unravel_index(cell, grid.shape)
    return Storm(
        depth=float(depth.min()),
        hour=int(depth.argmin()),
        track=np.stack([np.asarray(grid.lat)[rows], np.asarray(grid.lon)[columns]], axis=1),
        wind=float("nan") if peak is None else float(peak.max()),
        wind_hour=-1 if peak is None else int(peak.argmax()),
        duration=0 if peak is None else int((peak > threshold).sum()),
    )


def compare(found: Storm, truth: Storm) -> dict[str, float]:
    """Say how far a storm is from the true one; without wind, what needs it is left out.

    Returns:
        Absolute errors `storm_depth` [Pa], `storm_time` [h], `storm_track` [km] (mean distance of the minima over
        the hours around the true storm's deepest), `storm_wind` [m s-1], `storm_wind_time`, `storm_duration` [h].
    """
    near = slice(max(0, truth.hour - 3), truth.hour + 4)
    errors = {
        "storm_depth": abs(found.depth - truth.depth),
        "storm_time": float(abs(found.hour - truth.hour)),
        "storm_track": float(great_circle(found.track[near], truth.track[near]).mean()) / 1000,
        "storm_wind": abs(found.wind - truth.wind),
        "storm_wind_time": float(abs(found.wind_hour - truth.wind_hour)),
        "storm_duration": float(abs(found.duration - truth.duration)),
    }
    return {
        k: v for k, v in errors.items() if truth.wind_hour >= 0 or ("wind" not in k and k != "storm_duration")
    }


def great_circle(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the distance [m] between points [..., 2] of latitude and longitude in degrees."""
    lat_a, lon_a, lat_b, lon_b = (np.deg2rad(v) for v in (a[..., 0], a[..., 1], b[..., 0], b[..., 1]))
    half = np.sin((lat_b - lat_a) / 2) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin((lon_b - lon_a) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS * np.arcsin(np.sqrt(half)))

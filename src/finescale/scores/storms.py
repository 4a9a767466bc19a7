"""The storm as an object: where the centre of its low went, how deep it was, when and how hard the wind blew.

A low is inside the domain where the lowest pressure lies below everything on the outermost cells: every way out leads
uphill. A minimum on the rim belongs to a low outside, whose place and depth nobody can tell from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from finescale.grid.calculus import EARTH_RADIUS
from finescale.grid.grid import Grid

REACH = 12  # hours by which a member may have the storm earlier or later and it still is the same storm


@dataclass(frozen=True)
class Storm:
    """One storm in one series.

    Attributes:
        depth: Lowest pressure of a low inside the domain [Pa], NaN without one.
        hour: Position of its hour, -1 without one.
        track: Latitude and longitude of the centre in every hour of the series [T, 2], degrees; NaN where no low is
            inside the domain.
        wind: Strongest wind of the storm [m s-1], NaN without wind or without a true storm.
        wind_hour: Position of its hour, -1 without one.
        duration: Hours of the storm in which some cell is above the wind threshold, -1 without wind.
    """

    depth: float
    hour: int
    track: NDArray[np.float64]
    wind: float = float("nan")
    wind_hour: int = -1
    duration: int = -1

    @property
    def hours(self) -> slice:
        """The hours without a break in which the low was inside, the deepest among them, up to REACH on either side."""
        inside = np.isfinite(self.track[:, 0])
        first, last = self.hour, self.hour + 1
        while first > max(0, self.hour - REACH) and inside[first - 1]:
            first -= 1
        while last < min(inside.size, self.hour + REACH + 1) and inside[last]:
            last += 1
        return slice(first, last)

    @property
    def around(self) -> slice:
        """The hours in which a storm is this one: its own, and REACH before and after; none without a low."""
        if self.hour < 0:
            return slice(0, 0)
        return slice(max(0, self.hours.start - REACH), self.hours.stop + REACH)


def centres(psl: NDArray[np.floating], grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give depth [T] and place [T, 2] of the low inside the domain in each hour, NaN where there is none.

    Args:
        psl: Pressure [T, lat, lon], Pa.
        grid: The grid.
    """
    depth, place = np.full(len(psl), np.nan), np.full((len(psl), 2), np.nan)
    if min(grid.shape) < 3:
        return depth, place
    flat = psl.reshape(len(psl), -1)
    cell = flat.argmin(axis=1)
    lowest = flat[np.arange(len(psl)), cell]
    rim = np.minimum(psl[:, [0, -1]].min(axis=(1, 2)), psl[:, :, [0, -1]].min(axis=(1, 2)))
    inside = lowest < rim
    rows, columns = np.unravel_index(cell[inside], grid.shape)
    depth[inside] = lowest[inside]
    place[inside] = np.stack([np.asarray(grid.lat)[rows], np.asarray(grid.lon)[columns]], axis=1)
    return depth, place


def storm(
    depth: NDArray[np.float64],
    track: NDArray[np.float64],
    peak: NDArray[np.float64] | None = None,
    *,
    threshold: float = np.inf,
    like: Storm | None = None,
) -> Storm:
    """Put a storm together from what is left of each hour.

    Its wind is that of the hours of the true storm, and REACH before and after, in the truth as in a member.

    Args:
        depth: Depth of the low inside the domain [T], Pa, NaN without one.
        track: Its place [T, 2].
        peak: Strongest wind [T], m s-1, when there is wind.
        threshold: Speed that counts for the duration, m s-1.
        like: The true storm: only its hours, and REACH before and after, are searched for the low.
    """
    searched = depth if like is None else np.full_like(depth, np.nan)
    if like is not None:
        searched[like.around] = depth[like.around]
    found = bool(np.isfinite(searched).any())
    low = Storm(
        depth=float(np.nanmin(searched)) if found else float("nan"),
        hour=int(np.nanargmin(searched)) if found else -1,
        track=track,
    )
    if peak is None:
        return low
    within = (like or low).around
    windy = peak[within]
    return replace(
        low,
        wind=float(windy.max()) if windy.size else float("nan"),
        wind_hour=within.start + int(windy.argmax()) if windy.size else -1,
        duration=int((windy > threshold).sum()),
    )


def compare(found: Sequence[Storm], truth: Storm) -> dict[str, float]:
    """Say how far the storms of the members are from the true one; without wind, what needs it is left out.

    Returns:
        Mean absolute errors over the members that have the storm: `storm_depth` [Pa], `storm_time` [h], `storm_track`
        [km] (distance of the centres over the true storm's hours in which both have one), and `storm_hits`, the
        share of the members' hours in which they have one then; of all members `storm_wind` [m s-1],
        `storm_wind_time` and `storm_duration` [h]. All are NaN where the truth has no low inside the domain, the errors
        of the low also where no member has.
    """
    errors = dict.fromkeys(("storm_depth", "storm_time", "storm_track", "storm_hits"), float("nan"))
    if truth.hour >= 0:
        away = offsets([s.track[truth.hours] for s in found], truth)
        met = [s for s in found if s.hour >= 0]
        errors["storm_hits"] = float(np.isfinite(away).mean())
        errors["storm_depth"] = _mean([abs(s.depth - truth.depth) for s in met])
        errors["storm_time"] = _mean([abs(s.hour - truth.hour) for s in met])
        errors["storm_track"] = _mean(away[np.isfinite(away)] / 1000)
    if truth.duration >= 0:
        errors |= dict.fromkeys(("storm_wind", "storm_wind_time", "storm_duration"), float("nan"))
    if truth.wind_hour >= 0:
        errors["storm_wind"] = _mean([abs(s.wind - truth.wind) for s in found])
        errors["storm_wind_time"] = _mean([abs(s.wind_hour - truth.wind_hour) for s in found])
        errors["storm_duration"] = _mean([abs(s.duration - truth.duration) for s in found])
    return errors


def offsets(tracks: Sequence[NDArray[np.float64]], truth: Storm) -> NDArray[np.float64]:
    """Give the distance [m] of each track from the true one in the hours of the true storm [tracks, hours].

    Args:
        tracks: Places in those hours [hours, 2]; NaN where there is no low inside the domain.
        truth: The true storm.
    """
    return np.stack([great_circle(track, truth.track[truth.hours]) for track in tracks])


def great_circle(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the distance [m] between points [..., 2] of latitude and longitude in degrees."""
    lat_a, lon_a, lat_b, lon_b = (np.deg2rad(v) for v in (a[..., 0], a[..., 1], b[..., 0], b[..., 1]))
    half = np.sin((lat_b - lat_a) / 2) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin((lon_b - lon_a) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS * np.arcsin(np.sqrt(half)))


def _mean(values: Sequence[float] | NDArray[np.float64]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")

"""The land of the invented world: an ocean in the west, hills, and a range of mountains in the east."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from finescale.climate.twin.modes import Waves
from finescale.climate.twin.world import World, kilometres
from finescale.grid.grid import Grid

Real = NDArray[np.float32]


@dataclass(frozen=True)
class Terrain:
    """What the air feels of the ground; every field is [lat, lon] on `grid`.

    Attributes:
        grid: fine grid with one cell more on each side than the fields that are made on it.
        height: surface height, m, zero over the sea.
        land: share of land, 0 to 1.
        slope: eastward and northward slope of the height, m per m [2, lat, lon].
        exposure: 1 on open ground, more on crests, less in valleys.
        valley: 0 to 1, how readily cold air gathers.
        heated: share of land around, smooth over 60 km [lat, lon], where the sun makes low pressure.
        inland: eastward and northward unit vector of the sea breeze times its strength [2, lat, lon].
    """

    grid: Grid
    height: Real
    land: Real
    slope: Real
    exposure: Real
    valley: Real
    heated: Real
    inland: Real

    @cached_property
    def northing(self) -> Real:
        """Distance north of the centre of the world [lat, 1], km."""
        return kilometres(self.grid)[0].astype(np.float32)[:, None]

    @cached_property
    def inner(self) -> Terrain:
        """The same land less the outer cell on each side."""
        grid = Grid(self.grid.lat[1:-1], self.grid.lon[1:-1])
        arrays = {f.name: getattr(self, f.name)[..., 1:-1, 1:-1] for f in fields(self) if f.name != "grid"}
        return Terrain(grid=grid, **arrays)


def build_terrain(world: World, extra: int) -> Terrain:
    """Raise the land of a world on its domain and `extra` cells around it."""
    # Drawn once on the widest window, so that every window sees the same land.
    widest = 2 * world.margin + 4
    grid = world.window(-widest, world.cells + widest)
    north, east = kilometres(grid)
    step = north[1] - north[0]
    half = world.cells * step / 2
    rough = _noise(world, "hills", north, east, slope=2.0)
    bend = _noise(world, "coast", north, east, slope=3.0)
    x, y = east[None, :], north[:, None]
    from_coast = x + 0.30 * half - 0.16 * half * np.sin(2.6 * y / half) + 0.16 * half * bend
    island = 0.24 * half - np.hypot(x + 0.72 * half, y + 0.42 * half) + 0.07 * half * rough
    land = np.clip(0.5 + np.maximum(from_coast, island) / (1.6 * step), 0, 1)
    crest = x - 0.42 * half - 0.22 * half * np.sin(1.7 * y / half + 0.6)
    ridge = 1.0 - np.minimum(np.abs(_noise(world, "ridges", north, east, slope=2.2)), 1.5)
    range_ = 1250.0 * np.exp(-0.5 * (crest / (0.26 * half)) ** 2) * (0.75 + 0.55 * ridge)
    hills = 140.0 + 90.0 * rough + 160.0 * np.clip(ridge, 0, 1) * np.clip(from_coast / half, 0, 1)
    height = land * np.maximum(range_ + hills, 5.0)
    return _describe(world, grid, height, land, widest - extra)


def _noise(
    world: World, name: str, north: NDArray[np.float64], east: NDArray[np.float64], *, slope: float
) -> NDArray[np.float64]:
    step = float(north[1] - north[0])
    waves = Waves(box=2.0 * world.cells * step, shortest=3.0 * step)
    amplitude = waves.amplitude(slope)
    draw = world.generator("terrain", name).standard_normal((2, *amplitude.shape))
    coefficients = (amplitude * (draw[0] + 1j * draw[1])).astype(np.complex64)[None]
    return np.asarray(waves.synthesise(coefficients, north, east)[0], dtype=np.float64)


def _describe(
    world: World, grid: Grid, height: NDArray[np.float64], land: NDArray[np.float64], cut: int
) -> Terrain:
    north, east = kilometres(grid)
    slope_y, slope_x = np.gradient(height, north * 1e3, east * 1e3)
    around = gaussian_filter(height, 3.0, mode="nearest")
    above = height - around
    wide = gaussian_filter(land, 2.5, mode="nearest")
    coast_y, coast_x = np.gradient(wide, north, east)
    strength = np.hypot(coast_x, coast_y)
    inland = np.stack([coast_x, coast_y]) / max(float(strength.max()), 1e-9)
    inside = slice(cut, -cut)
    inner = world.window(cut - (2 * world.margin + 4), world.cells + 2 * world.margin + 4 - cut)

    def crop(x: NDArray[np.float64]) -> Real:
        return np.ascontiguousarray(x[..., inside, inside], dtype=np.float32)

    return Terrain(
        grid=inner,
        height=crop(height),
        land=crop(land),
        slope=crop(np.stack([slope_x, slope_y])),
        exposure=crop(1.0 + np.clip(above / 700.0, -0.35, 0.55)),
        valley=crop(land * np.clip(-above / 250.0, 0, 1)),
        heated=crop(gaussian_filter(land, 60.0 / (north[1] - north[0]), mode="nearest")),
        inland=crop(inland),
    )

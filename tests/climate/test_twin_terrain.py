"""The land of the invented world, and its frame."""

import numpy as np
import pytest

from finescale.climate.twin.gcm import models
from finescale.climate.twin.terrain import build_terrain
from finescale.climate.twin.world import Clock, World, kilometres
from finescale.errors import FinescaleError

WORLD = World()


def test_the_land_has_a_coast_mountains_and_valleys():
    land = build_terrain(WORLD, 1).inner
    assert land.land.shape == (48, 48)
    assert 0.25 < (land.land < 0.5).mean() < 0.5
    assert land.land[:, 0].mean() < 0.1 < 0.9 < land.land[:, -1].mean()
    assert land.height.max() > 1200
    assert np.all(land.height[land.land == 0] == 0)
    assert np.all(land.height >= 0)
    assert land.valley[land.height > 1300].max() < 0.4 < land.valley.max()


def test_every_window_sees_the_same_land():
    narrow, wide = build_terrain(WORLD, 1), build_terrain(WORLD, WORLD.margin + 1)
    cut = slice(WORLD.margin, -WORLD.margin)
    for name in ("height", "land", "slope", "exposure", "valley", "heated", "inland"):
        np.testing.assert_array_equal(getattr(narrow, name), getattr(wide, name)[..., cut, cut])
    np.testing.assert_allclose(narrow.grid.lat, wide.grid.lat[cut])


def test_another_seed_raises_another_land():
    first, other = build_terrain(WORLD, 1), build_terrain(World(seed=1), 1)
    assert np.abs(first.height - other.height).max() > 300


def test_slopes_are_the_gradient_of_the_height():
    land = build_terrain(WORLD, 1)
    north, east = (axis * 1e3 for axis in kilometres(land.grid))
    rise_north, rise_east = np.gradient(land.height.astype(float), north, east)
    inside = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(land.slope[0][inside], rise_east[inside], atol=1e-6)
    np.testing.assert_allclose(land.slope[1][inside], rise_north[inside], atol=1e-6)


@pytest.mark.parametrize("world", [WORLD, World(cells=16, factor=4), World(cells=32, factor=8)])
def test_both_models_cover_the_domain_with_a_margin_and_only_one_nests(world):
    nested, offset = models(world)
    nested.grid.check_nests_in(world.window(-world.factor, world.cells + world.factor))
    with pytest.raises(FinescaleError, match="does not nest"):
        offset.grid.check_nests_in(world.window(-world.margin, world.cells + world.margin))
    for model in (nested, offset):
        for axis in ("lat", "lon"):
            edges, domain = getattr(model.grid, f"{axis}_edges"), getattr(world.grid, f"{axis}_edges")
            half = (edges[1] - edges[0]) / 2
            assert edges[0] + half <= domain[0] + 1e-9
            assert edges[-1] - half >= domain[-1] - 1e-9


def test_clocks_count_every_day_of_their_calendar():
    standard = Clock.between("2003-12-31", "2004-12-31", every=6, calendar="standard", also=None)
    assert len(standard) == 4 * 367
    assert standard.season.min() == 0 and standard.season.max() < 1
    short = Clock.between("2001-01-01", "2001-12-30", every=6, calendar="360_day", also=None)
    assert len(short) == 4 * 360
    assert "2001-02-30 18:00:00" in {str(t) for t in short.time.values}
    np.testing.assert_allclose(np.diff(short.season), 0.25 / 360)


def test_clocks_can_look_closer_for_some_days():
    clock = Clock.between(
        "2001-01-01", "2001-01-10", every=6, calendar="standard", also=("2001-01-03", "2001-01-05")
    )
    steps = np.diff(clock.hours)
    assert set(steps) == {1, 6}
    inside = clock.during(("2001-01-03", "2001-01-05"))
    assert inside.sum() == 48
    assert len(clock) == 48 + 4 * 8


def test_a_domain_of_broken_coarse_cells_is_refused():
    with pytest.raises(FinescaleError, match=r"50 cells in blocks of 8; choose cells = 16"):
        World(cells=50)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"storm": "1999-01-01T00"}, "the storm falls into the reference: 1999-01-01T00"),
        ({"truth": ("2014-12-30", "2015-01-04")}, "the fine truth lies within the scenario: 2014-12-30"),
        (
            {"historical": ("2004-01-01", "2003-01-01")},
            "a period ends after it begins: 2004-01-01 to 2003-01-01",
        ),
    ],
)
def test_periods_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(FinescaleError, match=message):
        World(**wrong)

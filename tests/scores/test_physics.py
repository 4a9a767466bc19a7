"""Derived fields against what calculus says, and ratios that are one for the truth."""

import numpy as np
import pytest

from finescale.grid.calculus import EARTH_RADIUS
from finescale.grid.grid import Grid
from finescale.scores import physics

GRID = Grid(tuple(40 + 0.1 * np.arange(60)), tuple(0.1 * np.arange(50)))
LAT = np.deg2rad(np.asarray(GRID.lat))[:, None] * np.ones((1, 50))
LON = np.deg2rad(np.asarray(GRID.lon))[None, :] * np.ones((60, 1))
A = EARTH_RADIUS


def inner(values):
    return np.asarray(values)[..., 1:-1, 1:-1]


def test_gradient_of_known_fields():
    east, north = physics.gradient(np.sin(LAT), GRID)
    np.testing.assert_allclose(inner(east), 0, atol=1e-18)
    np.testing.assert_allclose(inner(north), inner(np.cos(LAT) / A), rtol=1e-5)
    east, _ = physics.gradient(LON, GRID)
    np.testing.assert_allclose(inner(east), inner(1 / (A * np.cos(LAT))), rtol=1e-9)


def test_solid_rotation_has_no_divergence_and_twice_its_rate_as_vorticity():
    omega = 1e-5
    fields = {"uas": (omega * A * np.cos(LAT))[None], "vas": np.zeros((1, 60, 50))}
    found = physics.diagnostics(fields, GRID)
    np.testing.assert_allclose(inner(found["divergence"]), 0, atol=1e-12)
    np.testing.assert_allclose(inner(found["vorticity"])[0], inner(2 * omega * np.sin(LAT)), rtol=1e-4)


def test_a_geostrophic_wind_has_no_ageostrophic_part():
    psl = 101_000 + 800 * np.sin(6 * LON) * np.cos(9 * LAT)
    density = psl / (physics.GAS_CONSTANT * 285.0)
    f = 2 * physics.ROTATION * np.sin(LAT)
    east, north = physics.gradient(psl, GRID)
    fields = {"psl": psl[None], "uas": (-north / (density * f))[None], "vas": (east / (density * f))[None]}
    np.testing.assert_allclose(physics.diagnostics(fields, GRID)["ageostrophic"], 0, atol=1e-9)


def test_an_advected_pattern_has_little_residual():
    speed, hours = 10.0, 4
    shift = speed * 3600 * np.arange(hours)[:, None, None] / (A * np.cos(LAT))
    tas = 280 + 3 * np.sin(40 * (LON - shift))
    fields = {"tas": tas, "uas": np.full_like(tas, speed), "vas": np.zeros_like(tas)}
    moving = physics.mean_squares(fields, GRID)["advection"]
    still = physics.mean_squares(fields | {"uas": np.zeros_like(tas)}, GRID)["advection"]
    assert moving.shape == (hours,)
    assert (moving < 0.02 * still).all()


def test_what_the_variables_do_not_allow_is_left_out():
    wind = np.zeros((1, 60, 50))
    assert physics.diagnostics({"tas": wind}, GRID) == {}
    assert set(physics.diagnostics({"uas": wind, "vas": wind}, GRID)) == {"divergence", "vorticity"}


def test_doubling_the_grid_step_halves_the_gradient():
    wide = Grid(tuple(40 + 0.2 * np.arange(60)), tuple(0.2 * np.arange(50)))
    field = np.random.default_rng(0).normal(size=(60, 50))
    ratio = physics.gradient(field, GRID)[1] / physics.gradient(field, wide)[1]
    assert ratio == pytest.approx(2, rel=1e-6)

"""A storm that was put there is found, and one that was moved is that far away."""

import numpy as np
import pytest

from finescale.grid.grid import Grid
from finescale.scores import storms

GRID = Grid(tuple(45 + 0.1 * np.arange(40)), tuple(0.1 * np.arange(50)))


def low(depth, *, shift=0, row=10, hours=20, peak=9):
    """Make a low that runs east along a row and is deepest at one hour."""
    t = np.arange(hours)[:, None, None]
    y, x = np.arange(40)[None, :, None], np.arange(50)[None, None, :]
    away = (y - row) ** 2 + (x - (5 + 2 * t + shift)) ** 2
    strength = depth * np.exp(-(((t - peak) / 5.0) ** 2))
    psl = 101_300 - strength * np.exp(-away / 20)
    return psl, strength / 100 * np.exp(-away / 60)


def found(psl, speed, threshold=10.0):
    peak = None if speed is None else speed.reshape(len(speed), -1).max(axis=1)
    return storms.storm(*storms.lows(psl), peak, GRID, threshold=threshold)


def test_depth_hour_track_and_wind_are_those_put_in():
    storm = found(*low(4000))
    assert storm.depth == pytest.approx(101_300 - 4000)
    assert storm.hour == 9 and storm.wind_hour == 9 and storm.wind == pytest.approx(40)
    np.testing.assert_allclose(storm.track[9], [GRID.lat[10], GRID.lon[23]])
    strengths = 40 * np.exp(-(((np.arange(20) - 9) / 5.0) ** 2))
    assert storm.duration == (strengths > 10).sum()


def test_errors_are_the_shifts_put_in():
    truth = found(*low(4000))
    other = storms.compare(found(*low(3000, row=13, peak=11)), truth)
    assert other["storm_depth"] == pytest.approx(1000)
    assert other["storm_time"] == 2 and other["storm_wind_time"] == 2
    assert other["storm_track"] == pytest.approx(0.3 * 111.195, rel=0.01)
    assert other["storm_wind"] == pytest.approx(10)
    assert set(storms.compare(truth, truth).values()) == {0.0}


def test_without_wind_only_the_low_is_compared():
    calm = found(low(4000)[0], None)
    assert set(storms.compare(calm, calm)) == {"storm_depth", "storm_time", "storm_track"}


def test_great_circle_of_a_degree_and_a_quarter():
    a, b = np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([[0.0, 1.0], [90.0, 0.0]])
    np.testing.assert_allclose(storms.great_circle(a, b) / 1000, [111.195, 10007.5], rtol=1e-4)

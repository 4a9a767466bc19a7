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


def found(psl, speed, threshold=10.0, like=None):
    peak = None if speed is None else speed.reshape(len(speed), -1).max(axis=1)
    return storms.storm(*storms.centres(psl, GRID), peak, threshold=threshold, like=like)


def test_depth_hour_track_and_wind_are_those_put_in():
    storm = found(*low(4000))
    assert storm.depth == pytest.approx(101_300 - 4000)
    assert storm.hour == 9 and storm.wind_hour == 9 and storm.wind == pytest.approx(40)
    np.testing.assert_allclose(storm.track[9], [GRID.lat[10], GRID.lon[23]])
    strengths = 40 * np.exp(-(((np.arange(20) - 9) / 5.0) ** 2))
    assert storm.duration == (strengths > 10).sum()


def test_errors_are_the_shifts_put_in():
    truth = found(*low(4000))
    other = storms.compare([found(*low(3000, row=13, peak=11), like=truth)], truth)
    assert other["storm_depth"] == pytest.approx(1000)
    assert other["storm_time"] == 2 and other["storm_wind_time"] == 2
    assert other["storm_track"] == pytest.approx(0.3 * 111.195, rel=0.01)
    assert other["storm_wind"] == pytest.approx(10)
    same = storms.compare([truth, truth], truth)
    assert same.pop("storm_hits") == 1.0 and set(same.values()) == {0.0}


def test_without_wind_only_the_low_is_compared():
    calm = found(low(4000)[0], None)
    assert set(storms.compare([calm], calm)) == {"storm_depth", "storm_time", "storm_track", "storm_hits"}


def test_a_low_on_the_rim_is_no_storm_however_deep():
    psl, _ = low(4000)
    psl[3, 0, 7] = psl[5, -1, 7] = psl[6, 20, 0] = psl[8, 20, -1] = 90_000
    storm = found(psl, None)
    assert storm.depth == pytest.approx(101_300 - 4000)
    assert np.isnan(storm.track[[3, 5, 6, 8]]).all() and np.isfinite(storm.track[[4, 7, 9]]).all()
    flat = found(np.full((5, 40, 50), 100_000.0), None)
    assert flat.hour == -1 and np.isnan(flat.depth) and np.isnan(flat.track).all()
    narrow = storms.centres(np.random.default_rng(0).normal(size=(4, 2, 9)), GRID)
    assert np.isnan(narrow[0]).all() and np.isnan(narrow[1]).all()


def test_the_hours_of_a_storm_have_no_break_in_them():
    psl, _ = low(4000, hours=40, peak=9)
    psl[3, 0, 0] = 90_000
    assert found(psl, None).hours == slice(4, 9 + storms.REACH + 1)


def test_a_member_is_searched_for_the_same_storm_only():
    """A deeper low two days later is another storm; hours without the low count as missed."""
    truth = found(low(3000, hours=72, peak=9)[0], None)
    late = low(4000, hours=72, peak=60, shift=-100)[0]
    both = np.minimum(low(2000, hours=72, peak=12)[0], late)
    assert found(both, None).hour == 60
    member = found(both, None, like=truth)
    assert member.hour == 12
    blind = found(np.full((72, 40, 50), 100_000.0), None, like=truth)
    errors = storms.compare([member, blind], truth)
    assert errors["storm_time"] == 3 and errors["storm_depth"] == pytest.approx(1000)
    assert errors["storm_hits"] == 0.5
    missed = storms.compare([blind], truth)
    assert missed["storm_hits"] == 0.0 and np.isnan(missed["storm_track"]) and np.isnan(missed["storm_depth"])


def test_the_wind_of_another_week_is_not_the_storms():
    """Two gales of nearly the same strength, the second without a low; the member's second is the stronger."""
    depth, track = np.full(24 * 90, np.nan), np.full((24 * 90, 2), np.nan)
    depth[200:224], track[200:224] = 98_000 - 1000 * np.hanning(24), 50.0

    def wind(first, second):
        peak = np.full(depth.size, 10.0)
        peak[200:224] += first * np.hanning(24)
        peak[1700:1724] += second * np.hanning(24)
        return peak

    truth = storms.storm(depth, track, wind(20.0, 19.9), threshold=20.0)
    assert 200 <= truth.wind_hour < 224 and 0 < truth.duration < 24
    member = storms.storm(depth, track, wind(19.0, 20.5), threshold=20.0, like=truth)
    errors = storms.compare([member], truth)
    assert errors["storm_wind_time"] == 0 and errors["storm_wind"] == pytest.approx(1.0, abs=0.02)
    same = storms.storm(depth, track, wind(20.0, 25.0), threshold=20.0, like=truth)
    assert storms.compare([same], truth)["storm_duration"] == 0
    calm = storms.storm(
        np.full_like(depth, np.nan), np.full_like(track, np.nan), wind(20.0, 19.9), threshold=20.0
    )
    unknown = storms.compare([storms.storm(depth, track, wind(1.0, 1.0), like=calm)], calm)
    assert {"storm_wind", "storm_wind_time", "storm_duration"} < set(unknown)
    assert np.isnan(list(unknown.values())).all()


def test_without_a_true_storm_there_is_nothing_to_be_right_about():
    nothing = found(np.full((20, 40, 50), 100_000.0), None)
    errors = storms.compare([found(low(4000)[0], None, like=nothing)], nothing)
    assert set(errors) == {"storm_depth", "storm_time", "storm_track", "storm_hits"}
    assert np.isnan(list(errors.values())).all()


def test_great_circle_of_a_degree_and_a_quarter():
    a, b = np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([[0.0, 1.0], [90.0, 0.0]])
    np.testing.assert_allclose(storms.great_circle(a, b) / 1000, [111.195, 10007.5], rtol=1e-4)

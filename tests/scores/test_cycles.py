"""Cycles, spells and the change signal."""

import numpy as np
import pytest
import xarray as xr

from finescale.scores import cycles
from finescale.scores import hourly as hourly_pass


def hourly(values, start="2001-01-01", calendar="standard"):
    time = xr.date_range(
        start, periods=len(values), freq="h", calendar=calendar, use_cftime=calendar != "standard"
    )
    data = np.broadcast_to(np.asarray(values, dtype=float)[:, None, None], (len(values), 2, 3))
    return xr.DataArray(data, dims=("time", "lat", "lon"), coords={"time": time}, name="tas")


AREA = np.full((2, 3), 1 / 6)


def test_the_cycle_of_the_day_is_compared_without_its_mean():
    t = np.arange(24 * 5)
    o = hourly(280 + 5 * np.sin(2 * np.pi * t / 24))
    x = hourly(290 + 4 * np.sin(2 * np.pi * t / 24)).expand_dims("member")
    assert cycles.cycle_error(x, o, AREA) == pytest.approx(1 / np.sqrt(2), rel=1e-6)
    assert cycles.cycle_error(o.expand_dims("member") + 3, o, AREA) == pytest.approx(0, abs=1e-9)


def test_a_mean_cycle_is_that_of_the_hours_block_by_block(monkeypatch):
    x = hourly(np.random.default_rng(0).normal(size=50), start="2001-01-01T05").expand_dims(member=3)
    x = x + np.arange(3)[:, None, None, None]
    expected = np.stack([x.isel(time=x["time"].dt.hour == h).mean("time") for h in range(24)], axis=1)
    for size in (2**20, 8 * 18 * 7):
        monkeypatch.setattr(hourly_pass, "BLOCK_BYTES", size)
        hours, found = cycles.mean_cycle(x, "hour")
        np.testing.assert_array_equal(hours, np.arange(24))
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_members_with_opposite_errors_do_not_mend_one_another():
    t = np.arange(24 * 5)
    wave = np.sin(2 * np.pi * t / 24)
    o = hourly(280 + 5 * wave)
    x = xr.concat([o + 3 * hourly(wave), o - 3 * hourly(wave)], "member")
    assert cycles.cycle_error(x, o, AREA) == pytest.approx(3 / np.sqrt(2), rel=1e-6)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([0, 1, 1, 0, 1, 1, 1, 0], 3),
        ([1, 1, 1, 1, 1], 5),
        ([1, 1, 0, 1, 1], 0),
        ([1, 1, 1, 0, 1, 1, 1, 1], 7),
    ],
)
def test_days_in_spells(days, expected):
    assert cycles.in_spells(np.array(days, dtype=float), np.array(0.5)).sum() == expected


def test_a_spell_does_not_run_over_a_gap():
    hot, follows = np.ones(7), np.array([False, True, False, True, True, True, False])
    assert cycles.in_spells(hot, np.array(0.5), follows=follows).tolist() == [False] * 2 + [True] * 4 + [
        False
    ]
    days = hourly(np.zeros(24 * 4)).isel(time=np.r_[0:48, 72:96])
    assert cycles.follows(cycles.daily_mean(days)["day"]).tolist() == [False, True, False]


def test_a_cycle_of_few_hours_is_compared_at_those_hours():
    t = np.arange(24 * 5)
    o = hourly(280 + 5 * np.sin(2 * np.pi * t / 24) + (t % 6 == 1))
    x = o.isel(time=slice(0, None, 6)).expand_dims("member")
    assert cycles.cycle_error(x, o, AREA) == pytest.approx(0, abs=1e-12)


def test_only_whole_days_of_the_own_calendar_are_averaged():
    field = hourly(np.arange(24 * 4 + 5), start="2001-02-28T20:00", calendar="360_day")
    found = cycles.daily_mean(field)
    assert [str(d)[:10] for d in found["day"].values] == [
        "2001-02-29",
        "2001-02-30",
        "2001-03-01",
        "2001-03-02",
    ]
    np.testing.assert_allclose(found[:, 0, 0], [4 + 11.5 + 24 * k for k in range(4)])

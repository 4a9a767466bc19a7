"""Every time step of every calendar belongs to one group, and neighbours stay neighbours."""

import numpy as np
import pytest
import xarray as xr

from finescale.bias.grouping import Grouping, clock
from finescale.errors import FinescaleError

CALENDARS = ("standard", "proleptic_gregorian", "noleap", "all_leap", "360_day", "julian")


def times(calendar, years=4, freq="6h"):
    end = f"{1999 + years}-12-30T18" if calendar == "360_day" else f"{1999 + years}-12-31T18"
    values = xr.date_range("2000-01-01", end, freq=freq, calendar=calendar, use_cftime=True)
    return xr.DataArray(values, dims="time", coords={"time": values}, name="time")


@pytest.mark.parametrize("calendar", CALENDARS)
@pytest.mark.parametrize("season", ["year", "season", "month", "dayofyear"])
def test_no_day_is_lost_and_none_made_up(calendar, season):
    axis, grouping = times(calendar), Grouping(season)
    index = grouping.index(axis, grouping.hour_classes(axis))
    assert sorted(index.order.tolist()) == list(range(axis.size))
    assert index.starts[-1] == axis.size
    for g in np.unique(index.group):
        assert (index.group[index.order[index.starts[g] : index.starts[g + 1]]] == g).all()
    hours = index.group // index.slots
    assert (hours == np.asarray(axis.dt.hour) // 6).all()


@pytest.mark.parametrize("calendar", CALENDARS)
@pytest.mark.parametrize("step", [1, 5])
def test_slots_go_through_the_year_in_order_in_every_calendar(calendar, step):
    axis, grouping = times(calendar), Grouping("dayofyear", window=35, step=step)
    slot = grouping.index(axis, grouping.hour_classes(axis)).group % grouping.slots
    fraction = (np.asarray(axis.dt.dayofyear) - 0.5) / np.asarray(axis.dt.days_in_year)
    assert (np.diff(slot[np.argsort(fraction, kind="stable")]) >= 0).all()
    assert slot.min() == 0
    assert slot.max() == grouping.slots - 1
    # The middle of a slot is never further from its days than half a slot and half a day.
    assert np.abs((slot + 0.5) / grouping.slots - fraction).max() <= (step / 2 + 0.5) / 365


def test_no_leap_days_are_the_slots_themselves():
    axis, grouping = times("noleap"), Grouping("dayofyear", window=31, step=1)
    slot = grouping.index(axis, grouping.hour_classes(axis)).group % 365
    assert (slot == np.asarray(axis.dt.dayofyear) - 1).all()


def test_windows_of_a_360_day_year_have_no_holes():
    axis, grouping = times("360_day"), Grouping("dayofyear", window=31, step=1)
    index = grouping.index(axis, grouping.hour_classes(axis))
    assert np.diff(index.starts).min() == 0  # five slots have no day of their own
    assert index.pool_sizes.min() >= 4 * 30
    assert index.pool_sizes.sum() == 31 * axis.size


def test_seasons_and_months_follow_the_calendars_own_months():
    axis = times("360_day")
    month = Grouping("month", hours=False).index(axis, (-1,)).group
    season = Grouping("season", hours=False).index(axis, (-1,)).group
    assert (month == np.asarray(axis.dt.month) - 1).all()
    assert (season == np.asarray(axis.dt.month) % 12 // 3).all()


def test_one_instant_a_day_is_one_class_whatever_the_hour():
    noon, grouping = times("noleap", freq="24h"), Grouping()
    assert grouping.hour_classes(noon) == (-1,)
    assert Grouping(hours=False).hour_classes(times("noleap")) == (-1,)
    assert [clock(m) for m in grouping.hour_classes(times("noleap"))] == ["00:00", "06:00", "12:00", "18:00"]


def test_an_hour_without_maps_is_refused():
    with pytest.raises(FinescaleError, match="03:00 is not among 00:00, 06:00, 12:00, 18:00"):
        Grouping().index(times("noleap", freq="3h"), (0, 360, 720, 1080))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"season": "week"}, "'week'"),
        ({"step": 7, "window": 35}, "step 7"),
        ({"step": 5, "window": 31}, "choose 35"),
        ({"step": 1, "window": 30}, "choose 31"),
        ({"step": 1, "window": 365}, "365 days"),
    ],
)
def test_groupings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(FinescaleError, match=message):
        Grouping(**settings)

"""Calendars: xarray's own conversion by date as the oracle, counting by hand for the rest."""

import numpy as np
import pytest
import xarray as xr

from finescale.climate.calendar import calendar_of, convert
from finescale.errors import FinescaleError


@pytest.mark.parametrize("source", ["360_day", "noleap", "julian", "all_leap"])
@pytest.mark.parametrize("target", ["standard", "noleap", "360_day"])
def test_same_date_equals_xarrays_alignment_by_date(cmip, source, target):
    ds = cmip(start="2003-12-20", steps=500 * 4, calendar=source)
    ours = convert(ds, target, "same-date")
    theirs = ds.convert_calendar(target, align_on="date", use_cftime=target != "standard")
    np.testing.assert_array_equal(ours["tas"].values, theirs["tas"].values)
    assert [str(t)[:16].replace("T", " ") for t in ours["time"].values] == [
        str(t)[:16].replace("T", " ") for t in theirs["time"].values
    ]


def test_nearest_day_fills_every_day_and_keeps_the_hour(cmip):
    ds = cmip(start="2001-01-01", steps=720 * 4, calendar="360_day")
    moved = convert(ds, "standard", "nearest-day")
    assert moved.sizes["time"] == 730 * 4
    assert calendar_of(moved) in ("standard", "proleptic_gregorian")
    np.testing.assert_array_equal(np.diff(moved["time"].values), np.timedelta64(6, "h"))
    # The value at each time comes from the source day whose fraction of the year is nearest.
    value_day = {float(v): int(d) for v, d in zip(ds["tas"][:, 0, 0], ds["time"].dt.dayofyear, strict=True)}
    source_day = np.array([value_day[float(v)] for v in moved["tas"][:, 0, 0]])
    gap = (source_day - 0.5) / 360 - (moved["time"].dt.dayofyear.values - 0.5) / 365
    assert np.abs(gap).max() <= 0.5 / 360 + 1e-9
    counts = np.bincount(source_day[:1460], minlength=361)[1:] // 4
    assert sorted(set(counts)) == [1, 2] and (counts == 2).sum() == 5
    assert moved.attrs["calendar_policy"] == "360_day to standard by nearest-day"


@pytest.mark.parametrize(("target", "days"), [("360_day", 360), ("noleap", 365), ("all_leap", 366)])
def test_nearest_day_can_also_leave_days_out(cmip, target, days):
    ds = cmip(start="2004-01-01", steps=366, freq="D")
    assert convert(ds, target, "nearest-day").sizes["time"] == days


def test_days_beyond_2262_have_dates_too(cmip):
    ds = cmip(start="2262-01-01", steps=2 * 365, freq="D", calendar="noleap")
    moved = convert(ds, "standard", "nearest-day")
    assert moved["time"].dtype.kind == "M" and str(moved["time"].values[-1])[:10] == "2263-12-31"


def test_equal_calendars_are_left_alone(cmip):
    ds = cmip()
    xr.testing.assert_identical(convert(ds, "proleptic_gregorian", "same-date"), ds)
    xr.testing.assert_identical(convert(ds, "gregorian", "nearest-day"), ds)


def test_conversion_is_lazy_and_unknown_calendars_are_refused(cmip):
    lazy = convert(cmip(steps=40, calendar="360_day").chunk(time=4), "standard", "same-date")
    assert lazy["tas"].chunks is not None
    with pytest.raises(FinescaleError, match="a calendar is one of"):
        convert(cmip(), "maya", "same-date")

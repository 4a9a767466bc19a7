"""Time axes: what is certain is mended and said, what is not is refused by its own message."""

import numpy as np
import pytest
import xarray as xr

from finescale.climate.timeline import interval_seconds, regular_time, sampling
from finescale.errors import FinescaleError


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_a_sound_axis_comes_back_untouched(cmip, calendar):
    ds = cmip(steps=200, calendar=calendar)
    same, done = regular_time(ds)
    xr.testing.assert_identical(same, ds)
    assert done == []


@pytest.mark.parametrize("freq", ["MS", "YS", "h", "D"])
def test_calendar_steps_are_regular(cmip, freq):
    assert regular_time(cmip(steps=40, freq=freq))[1] == []


def test_other_names_and_text_stamps(cmip):
    ds = cmip(steps=4).rename(time="valid_time")
    assert regular_time(ds)[0]["tas"].dims[0] == "time"
    wrf = cmip(steps=3).rename(time="Time").drop_vars("Time")
    wrf["Times"] = (
        "Time",
        np.array([b"2008-10-26_12:00:00", b"2008-10-26_15:00:00", b"2008-10-26_18:00:00"]),
    )
    out, done = regular_time(wrf.set_coords("Times"))
    assert str(out["time"].values[1])[:16] == "2008-10-26T15:00"
    assert done == ["read time from the characters of Times"]


@pytest.mark.parametrize("axis", ["time", "step"])
def test_forecasts_stand_at_the_time_they_are_valid(cmip, axis):
    """GRIB readers put the start on the axis and the lead time beside it, or the other way round."""
    ds = cmip(steps=8)
    valid, lead = ds["time"].values + np.timedelta64(6, "h"), np.timedelta64(6, "h")
    if axis == "time":
        forecast = ds.assign_coords(step=lead, valid_time=("time", valid))
    else:
        start = ds["time"].values[0]
        forecast = ds.rename(time="step").assign_coords(step=valid - start, time=start)
        forecast = forecast.assign_coords(valid_time=("step", valid, {"standard_name": "time"}))
    out, done = regular_time(forecast)
    np.testing.assert_array_equal(out["time"], valid)
    assert out["tas"].dims[0] == "time"
    assert done == [f"took valid_time for {axis}"]


def test_the_start_of_a_forecast_beside_valid_times_gives_way(cmip):
    ds = cmip(steps=4)
    beside = ds.rename(time="valid_time").assign_coords(time=ds["time"].values[0])
    out, done = regular_time(beside)
    np.testing.assert_array_equal(out["time"], ds["time"])
    assert done == ["renamed valid_time to time"]


def test_disorder_is_sorted_and_equal_repeats_are_dropped(cmip):
    ds = cmip(steps=10)
    mixed = ds.isel(time=[3, 0, 1, 2, 4, 5, 5, 6, 7, 8, 9, 9])
    out, done = regular_time(mixed)
    xr.testing.assert_identical(out, ds)
    assert done == ["sorted time", "dropped 2 repeated time steps that were equal"]


def test_a_repeat_that_differs_is_refused(cmip):
    ds = cmip(steps=10)
    both = xr.concat([ds, ds.isel(time=[4]) + 1], dim="time")
    with pytest.raises(FinescaleError, match="tas has two different fields at 2001-01-02T00:00:00"):
        regular_time(both)


def test_a_gap_is_refused_with_its_place_or_kept_on_request(cmip):
    ds = cmip(steps=48, freq="h")
    holed = ds.drop_isel(time=list(range(12, 21)))
    with pytest.raises(
        FinescaleError, match="10 h from 2001-01-01T11:00:00 to 2001-01-01T21:00:00, elsewhere 1 h"
    ):
        regular_time(holed)
    out, done = regular_time(holed, gaps="allow")
    assert out.sizes["time"] == 39
    assert done == ["kept 1 gaps in time, the first from 2001-01-01T11:00:00 to 2001-01-01T21:00:00"]


def test_a_stray_stamp_between_steps_is_refused_even_with_gaps(cmip):
    ds = cmip(steps=10, freq="D")
    stray = xr.concat(
        [ds, ds.isel(time=[3]).assign_coords(time=ds["time"][[3]] + np.timedelta64(5, "h"))], dim="time"
    )
    with pytest.raises(FinescaleError, match="time steps are equal: 5 h"):
        regular_time(stray, gaps="allow")


def test_binary_fractions_of_a_day_are_rounded(cmip):
    ds = cmip(steps=24, freq="h")
    days = np.arange(24, dtype="float32") / 24
    odd = ds.assign_coords(time=ds["time"].values[0] + (days * 86400e9).astype("timedelta64[ns]"))
    assert not odd.indexes["time"].equals(ds.indexes["time"])
    out, done = regular_time(odd)
    assert out.indexes["time"].equals(ds.indexes["time"])
    assert done == ["rounded time stamps to whole seconds"]


def test_undecoded_and_missing_times_are_refused(cmip):
    ds = cmip(steps=3)
    numbers = ds.assign_coords(time=("time", [197901.0, 197902.0, 197903.0], {"units": "yyyymm"}))
    with pytest.raises(FinescaleError, match="time has the units 'yyyymm'"):
        regular_time(numbers)
    stamps = ds["time"].values.copy()
    stamps[1] = np.datetime64("NaT")
    with pytest.raises(FinescaleError, match="1 of 3 are missing"):
        regular_time(ds.assign_coords(time=stamps))


def test_forecasts_side_by_side_are_refused(cmip):
    ds = cmip(steps=4).rename(time="init_time").expand_dims(step=3)
    with pytest.raises(FinescaleError, match="init_time and step"):
        regular_time(ds)


def test_static_fields_have_no_time(cmip):
    static = cmip().isel(time=0, drop=True)
    assert regular_time(static) == (static, [])


@pytest.mark.parametrize(
    ("methods", "kind"),
    [("area: mean time: point", "instant"), ("time: mean", "mean"), ("area: time: mean", "mean"),
     ("time: point time: mean", "mean"), ("area: mean time: point time: mean (interval: 1 hour)", "mean"),
     ("time: maximum", "mean"), ("area: mean", "unknown"), ("", "unknown")],
)  # fmt: skip
def test_cell_methods_tell_instants_from_means(cmip, methods, kind):
    assert sampling(cmip()["tas"].assign_attrs(cell_methods=methods)) == kind


def test_the_interval_comes_from_bounds(cmip):
    ds = cmip(steps=4)
    bounds = np.stack([ds["time"] - np.timedelta64(6, "h"), ds["time"]], axis=1)
    assert interval_seconds(ds.assign_coords(time_bnds=(("time", "b"), bounds))) == 6 * 3600
    bounds[2, 0] -= np.timedelta64(1, "h")
    assert interval_seconds(ds.assign_coords(time_bnds=(("time", "b"), bounds))) is None
    assert interval_seconds(ds) is None

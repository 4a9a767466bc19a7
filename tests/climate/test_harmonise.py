"""One form for every source: the same physics in other clothes comes out the same."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from finescale.climate.harmonise import harmonise
from finescale.errors import FinescaleError


def test_kelvin_and_celsius_come_out_the_same(cmip):
    kelvin = cmip("tas", steps=4)
    celsius = kelvin.copy()
    celsius["tas"] = (kelvin["tas"].astype("float64") - 273.15).assign_attrs(
        units="degC", standard_name="air_temperature"
    )
    one, two = harmonise(kelvin), harmonise(celsius)
    np.testing.assert_allclose(one["tas"], two["tas"], atol=3.1e-5)  # one float32 step at 280
    assert "converted tas from degC to K" in two.attrs["history"]
    assert one["tas"].attrs == two["tas"].attrs


def test_the_form_of_the_result(cmip):
    ds = xr.merge([cmip("tas"), cmip("psl")], compat="override", combine_attrs="override")
    ds["psl"] = (ds["psl"] / 100 + 1000).assign_attrs(units="hPa", standard_name="air_pressure_at_sea_level")
    out = harmonise(ds.transpose("lon", "lat", "time"), variables=["psl", "tas"])
    assert list(out) == ["psl", "tas"]
    for name, units in (("psl", "Pa"), ("tas", "K")):
        assert out[name].dims == ("time", "lat", "lon") and out[name].dtype == "float32"
        assert out[name].attrs["units"] == units
    assert out["psl"].attrs["standard_name"] == "air_pressure_at_mean_sea_level"
    assert set(out.coords) == {"time", "lat", "lon"} and out.attrs["tracking_id"]


def test_nothing_is_loaded(cmip):
    ds = cmip(lat=np.arange(80, -81, -2.0), lon=np.arange(0, 360, 2.0), steps=40).rename(
        tas="t2m", lat="latitude", lon="longitude"
    )

    def never(block):
        raise AssertionError("harmonise read the data")

    ds["t2m"] = (
        ds["t2m"].dims,
        da.zeros(ds["t2m"].shape, chunks=(4, -1, -1)).map_blocks(never, meta=np.zeros((0, 0, 0))),
    )
    ds["t2m"].attrs = {"units": "degC"}
    out = harmonise(ds, region=(-20, 20, 340, 30), period=("2001-01-03", "2001-01-05"))
    assert out["tas"].shape == (12, 21, 26)
    with pytest.raises(AssertionError, match="read the data"):
        out["tas"].compute()


def test_amounts_need_an_interval(cmip):
    ds = cmip("pr", steps=4)
    ds["pr"] = (ds["pr"] * 0 + 3.6).assign_attrs(units="mm", standard_name="precipitation_amount")
    with pytest.raises(FinescaleError, match="an amount becomes a flux over a known interval: pr is in 'mm'"):
        harmonise(ds)
    np.testing.assert_allclose(harmonise(ds, accumulation_hours=1)["pr"], 3.6 / 3600, rtol=1e-6)
    bounds = np.stack([ds["time"] - np.timedelta64(6, "h"), ds["time"]], axis=1)
    bounded = ds.assign_coords(time_bnds=(("time", "b"), bounds))
    np.testing.assert_allclose(harmonise(bounded)["pr"], 3.6 / 21600, rtol=1e-6)
    np.testing.assert_allclose(harmonise(bounded, accumulation_hours=6)["pr"], 3.6 / 21600, rtol=1e-6)
    with pytest.raises(FinescaleError, match="bounds of pr are 6 h apart, accumulation_hours is 1"):
        harmonise(bounded, accumulation_hours=1)


def test_packed_integers_are_unpacked_once(cmip):
    ds = cmip("tas", steps=4)
    packed = ds.copy()
    packed["tas"] = (ds["tas"].dims, np.round((ds["tas"].values - 280) / 0.001).astype("int16"))
    packed["tas"].values[0, 0, 0] = -32768
    packed["tas"].attrs = {
        "units": "K",
        "scale_factor": 0.001,
        "add_offset": 280.0,
        "_FillValue": np.int16(-32768),
    }
    out = harmonise(packed)
    assert np.isnan(out["tas"].values[0, 0, 0])
    np.testing.assert_allclose(out["tas"].values[1:], ds["tas"].values[1:], atol=6e-4)


def test_single_levels_go_and_several_are_refused(cmip):
    ds = cmip("tas").expand_dims(height=[2.0])
    out = harmonise(ds)
    assert out["tas"].dims == ("time", "lat", "lon") and out["tas"].attrs["height"] == "2 m"
    with pytest.raises(FinescaleError, match=r"also has the dimension height \(2\)"):
        harmonise(cmip("tas").expand_dims(height=[2.0, 10.0]))


def test_members_come_first(cmip):
    ds = cmip("tas").expand_dims(member_id=["r1", "r2"], axis=3)
    assert harmonise(ds)["tas"].dims == ("member", "time", "lat", "lon")


def test_static_fields_that_repeat_in_time_are_taken_once(cmip):
    ds = cmip("orog", steps=5)
    ds["orog"] = (ds["orog"] * 0 + 98.0665).assign_attrs(units="m**2 s**-2", standard_name="geopotential")
    out = harmonise(ds, variables=["orog"])
    assert out["orog"].dims == ("lat", "lon") and set(out.coords) == {"lat", "lon"}
    np.testing.assert_allclose(out["orog"], 10.0, rtol=1e-6)


def test_a_calendar_changes_only_by_a_stated_policy(cmip):
    ds = cmip("tas", steps=360 * 4, calendar="360_day")
    assert harmonise(ds)["time"].dt.calendar == "360_day"
    moved = harmonise(ds, calendar=("noleap", "nearest-day"))
    assert moved["time"].dt.calendar == "noleap" and moved.sizes["time"] == 365 * 4
    assert moved.attrs["calendar_policy"] == "360_day to noleap by nearest-day"


def test_units_are_demanded(cmip):
    ds = cmip("tas")
    del ds["tas"].attrs["units"]
    with pytest.raises(FinescaleError, match="tas has none"):
        harmonise(ds)
    ds["tas"].attrs["units"] = "%"
    with pytest.raises(FinescaleError, match="units of tas mean what tas is"):
        harmonise(ds)


def test_it_is_idempotent(cmip):
    once = harmonise(cmip("tas", lat=[44, 42, 40.0], lon=[358.0, 0.0, 2.0, 4.0]))
    xr.testing.assert_identical(harmonise(once), once)


def test_missing_stays_missing(cmip):
    ds = cmip("tas")
    ds["tas"].values[2, 1, 1] = np.nan
    assert int(harmonise(ds)["tas"].isnull().sum()) == 1


def test_means_over_hours_are_stamped_at_their_end(cmip):
    ds = cmip("tas", start="2001-01-01T03", steps=8)
    ds["tas"].attrs["cell_methods"] = "area: time: mean"
    half = np.timedelta64(3, "h")
    ds = ds.assign_coords(time_bnds=(("time", "b"), np.stack([ds["time"] - half, ds["time"] + half], axis=1)))
    out = harmonise(ds)
    np.testing.assert_array_equal(out["time"], ds["time"] + half)
    assert "stamped means with the end of their interval" in out.attrs["history"]
    both = ds.assign(psl=ds["tas"].assign_attrs(units="Pa", standard_name="x", cell_methods="time: point"))
    both["psl"].attrs["standard_name"] = "air_pressure_at_sea_level"
    with pytest.raises(FinescaleError, match="means and instants have stamps of their own"):
        harmonise(both)


def test_instants_keep_their_stamps_whatever_their_bounds(cmip):
    ds = cmip("tas", steps=8)
    ds["tas"].attrs["cell_methods"] = "area: mean time: point"
    half = np.timedelta64(3, "h")
    bounds = np.stack([ds["time"] - half, ds["time"] + half], axis=1)
    np.testing.assert_array_equal(harmonise(ds.assign(time_bnds=(("time", "b"), bounds)))["time"], ds["time"])


def test_daily_means_keep_their_noon(cmip):
    ds = cmip("tas", start="2001-01-01T12", steps=8, freq="D")
    ds["tas"].attrs["cell_methods"] = "area: time: mean"
    half = np.timedelta64(12, "h")
    ds = ds.assign_coords(time_bnds=(("time", "b"), np.stack([ds["time"] - half, ds["time"] + half], axis=1)))
    np.testing.assert_array_equal(harmonise(ds)["time"], ds["time"])


def test_dates_that_cannot_be_read_are_named(cmip):
    ds = cmip("tas", steps=3).assign_coords(time=("time", [1, 2, 3], {"units": "days since the flood"}))
    with pytest.raises(FinescaleError, match=r"values can be decoded: .*the flood"):
        harmonise(ds)

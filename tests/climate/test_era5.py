"""ERA5 as its doors hand it out: months of the CDS, the ARCO store, static fields, daily sums, snow."""

import numpy as np
import xarray as xr

from finescale.climate.reference import open_reference
from finescale.climate.retrieve import retrieve


def era5(cmip, start="2001-01-01"):
    """Hourly CDS netCDF of today: valid_time, descending latitude, 0..360, extra scalar coordinates."""
    parts = {"t2m": "K", "msl": "Pa", "u10": "m s**-1", "v10": "m s**-1", "tp": "m"}
    lat, lon = np.arange(50, 45, -0.25), np.arange(355, 365, 0.25) % 360
    ds = xr.merge(
        [cmip(n, start=start, steps=24, freq="h", lat=lat, lon=lon) for n in parts], compat="override"
    )
    for n, units in parts.items():
        ds[n].attrs = {"units": units, "GRIB_paramId": 167}
    ds["tp"] = ds["tp"] * 0 + 0.0036
    ds["tp"].attrs = {"units": "m"}
    ds = ds.rename(time="valid_time", lat="latitude", lon="longitude").assign_coords(number=0)
    return ds.assign_coords(expver=("valid_time", ["0001"] * 24))


def test_era5_from_cds(cmip, tmp_path):
    ds = era5(cmip)
    ds.to_netcdf(tmp_path / "e.nc", engine="h5netcdf")
    out = open_reference(tmp_path / "e.nc", preset="era5", variables=["psl", "tas", "uas", "vas", "pr"])
    assert out["tas"].dims == ("time", "lat", "lon") and set(out.coords) == {"time", "lat", "lon"}
    np.testing.assert_array_equal(out["lon"], np.arange(-5, 5, 0.25))
    there = ds["t2m"].sel(latitude=47.5, longitude=359.0)
    np.testing.assert_array_equal(out["tas"].sel(lat=47.5, lon=-1.0), there)
    np.testing.assert_allclose(out["pr"], 3.6 / 3600, rtol=1e-6)


def test_months_of_era5_from_cds_are_joined(cmip, tmp_path):
    for day in (1, 2):
        era5(cmip, f"2001-01-0{day}").to_netcdf(tmp_path / f"e{day}.nc", engine="h5netcdf")
    out = open_reference(str(tmp_path / "e*.nc"), preset="era5", variables=["tas", "pr"])
    assert out.sizes["time"] == 48
    np.testing.assert_array_equal(out["tas"][24:], era5(cmip)["t2m"].sortby("latitude"))


def test_static_fields_with_a_time_of_their_own_become_a_store(cmip, tmp_path):
    ds = era5(cmip)[["t2m", "msl"]].isel(valid_time=[0]).rename(t2m="z", msl="lsm")
    ds["z"].attrs, ds["lsm"].attrs = {"units": "m**2 s**-2"}, {"units": "(0 - 1)"}
    ds.to_netcdf(tmp_path / "static.nc", engine="h5netcdf")
    out = open_reference(tmp_path / "static.nc", preset="era5", variables=["orog", "sftlf"])
    assert set(out.dims) == {"lat", "lon"} and "time" not in out.coords
    retrieve(out, tmp_path / "static.zarr")
    xr.testing.assert_equal(xr.open_zarr(tmp_path / "static.zarr", consolidated=False), out)


def test_bounds_of_daily_sums_come_before_the_hours_of_a_preset(cmip, tmp_path):
    day = cmip("tp", freq="D", steps=5)
    day["tp"] = (day["tp"] * 0 + 0.01).assign_attrs(units="m", standard_name="unknown")
    bounds = np.stack([day["time"], day["time"] + np.timedelta64(1, "D")], axis=1)
    day.assign(time_bnds=(("time", "bnds"), bounds)).to_netcdf(tmp_path / "sum.nc", engine="h5netcdf")
    out = open_reference(tmp_path / "sum.nc", preset="era5", variables=["pr"])
    np.testing.assert_allclose(out["pr"] * 86400, 10.0, rtol=1e-6)


def test_era5_from_an_arco_store_with_its_static_fields(cmip, tmp_path):
    long = {"t2m": "2m_temperature", "msl": "mean_sea_level_pressure", "u10": "10m_u_component_of_wind",
            "v10": "10m_v_component_of_wind", "tp": "total_precipitation"}  # fmt: skip
    ds = era5(cmip).drop_vars(["number", "expver"]).rename(valid_time="time", **long)
    ds["geopotential_at_surface"] = ds["2m_temperature"] * 0 + 980.665
    ds["geopotential_at_surface"].attrs = {"units": "m**2 s**-2", "standard_name": "geopotential"}
    ds.chunk(time=1).to_zarr(tmp_path / "full_37-1h-0p25deg-chunk-1.zarr-v3", consolidated=False)
    out = open_reference(
        tmp_path / "full_37-1h-0p25deg-chunk-1.zarr-v3", preset="era5", variables=["tas", "orog"],
        period=("2001-01-01", "2001-01-01"), region=(46, 48, -2, 2),
    )  # fmt: skip
    assert out["tas"].shape == (24, 9, 17) and out["orog"].dims == ("lat", "lon")
    np.testing.assert_allclose(out["orog"], 100, rtol=1e-6)


def test_snowfall_of_era5_is_a_depth_of_water(cmip, tmp_path):
    ds = cmip("sf", freq="h")
    ds["sf"] = (ds["sf"] * 0 + 1e-3).assign_attrs(
        units="m of water equivalent", standard_name="lwe_thickness_of_snowfall_amount"
    )
    ds.to_netcdf(tmp_path / "snow.nc", engine="h5netcdf")
    out = open_reference(tmp_path / "snow.nc", preset="era5", variables=["prsn"])
    np.testing.assert_allclose(out["prsn"], 1 / 3600, rtol=1e-6)

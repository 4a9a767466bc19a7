"""Every real file and what becomes of it: the good in one form with the right ranges, the others one clear error."""

import warnings

import numpy as np
import pytest
import xarray as xr

from finescale.climate.files import open_file
from finescale.climate.harmonise import harmonise
from finescale.errors import FinescaleError

CMIP6 = "cmip6/CMIP6"
ACCESS = f"{CMIP6}/CMIP/CSIRO/ACCESS-ESM1-5/historical"
CANESM2 = "train/canesm2_10km_noleap_2095"
_R = "rcp85_r1i1p1_na10kgrid_qm-moving-50bins-detrend_2095.nc"

# file: (options of harmonise, {our variable: (lowest, highest)} in our units, calendar; None for static fields)
GOOD = {
    f"{ACCESS}/r1i1p1f1/Amon/tas/gn/v20191115/tas_Amon_ACCESS-ESM1-5_historical_r1i1p1f1_gn_200001-201412.nc": (
        {}, {"tas": (207.8, 311.75)}, "proleptic_gregorian"),
    f"{ACCESS}/r1i1p1f1/Amon/pr/gn/v20191115/pr_Amon_ACCESS-ESM1-5_historical_r1i1p1f1_gn_200001-201412.nc": (
        {}, {"pr": (0, 4.446e-4)}, "proleptic_gregorian"),
    f"{ACCESS}/r1i1p1f1/Amon/ts/gn/v20191115/ts_Amon_ACCESS-ESM1-5_historical_r1i1p1f1_gn_200001-201412.nc": (
        {}, {"ts": (201.6, 315.3)}, "proleptic_gregorian"),
    f"{ACCESS}/r2i1p1f1/Amon/ts/gn/v20191128/ts_Amon_ACCESS-ESM1-5_historical_r2i1p1f1_gn_200001-201412.nc": (
        {}, {"ts": (200.7, 315.4)}, "proleptic_gregorian"),
    f"{ACCESS}/r1i1p1f1/fx/areacella/gn/v20191115/areacella_fx_ACCESS-ESM1-5_historical_r1i1p1f1_gn.nc": (
        {}, {"areacella": (7.9e7, 2.897e10)}, None),
    f"{ACCESS}/r1i1p1f1/fx/sftlf/gn/v20191115/sftlf_fx_ACCESS-ESM1-5_historical_r1i1p1f1_gn.nc": (
        {}, {"sftlf": (0, 1)}, None),
    f"{CMIP6}/ScenarioMIP/CSIRO/ACCESS-ESM1-5/ssp126/r1i1p1f1/Amon/tas/gn/v20210318/"
    "tas_Amon_ACCESS-ESM1-5_ssp126_r1i1p1f1_gn_201501-202512.nc": ({}, {"tas": (206.0, 311.2)}, "proleptic_gregorian"),
    f"{CMIP6}/ScenarioMIP/CSIRO/ACCESS-ESM1-5/ssp126/r1i1p1f1/fx/areacella/gn/v20210318/"
    "areacella_fx_ACCESS-ESM1-5_ssp126_r1i1p1f1_gn.nc": ({}, {"areacella": (7.9e7, 2.897e10)}, None),
    f"{CMIP6}/CMIP/CAS/FGOALS-g3/historical/r1i1p1f1/Amon/tas/gn/v20190818/"
    "tas_Amon_FGOALS-g3_historical_r1i1p1f1_gn_185001.nc": ({}, {"tas": (220.9, 309.6)}, "noleap"),
    f"{CMIP6}/CMIP/CCCma/CanESM5/historical/r1i1p1f1/day/prsn/gn/v20190429/"
    "prsn_day_CanESM5_historical_r1i1p1f1_gn_19910101-20101231.nc": ({}, {"prsn": (0, 4.546e-4)}, "noleap"),
    f"{CMIP6}/ScenarioMIP/MIROC/MIROC6/ssp119/r1i1p1f1/day/tas/gn/v20191016/"
    "tas_day_MIROC6_ssp119_r1i1p1f1_gn_20150101.nc": ({}, {"tas": (230.2, 317.0)}, "proleptic_gregorian"),
    f"{CMIP6}/ScenarioMIP/NCC/NorESM2-MM/ssp585/r1i1p1f1/day/tas/gn/v20191108/"
    "tas_day_NorESM2-MM_ssp585_r1i1p1f1_gn_20000101-20501231.nc": ({}, {"tas": (236.7, 304.7)}, "noleap"),
    "static/era5_orography_lsm_025deg_global.nc": (
        {}, {"orog": (-1386 / 9.80665, 57460 / 9.80665), "sftlf": (0, 1)}, None),
    "static/mpi-esm-lr_orog_t63.nc": ({}, {"orog": (-523.6, 5491)}, None),
    "static/mpi-esm-lr_sftlf_t63.nc": ({}, {"sftlf": (0, 1)}, None),
    f"{CANESM2}/pr_day_CanESM2_{_R}": ({}, {"pr": (0, 7.232e-4)}, "noleap"),
    f"{CANESM2}/tasmax_day_CanESM2_{_R}": ({}, {"tasmax": (267.6, 317.7)}, "noleap"),
    f"{CANESM2}/tasmin_day_CanESM2_{_R}": ({}, {"tasmin": (254.5, 303.0)}, "noleap"),
    "train/era5_t2m_hourly_uk_2019-03.nc": ({}, {"tas": (265.7, 291.6)}, "proleptic_gregorian"),
    "train/iberia/cmip5_cnrm-cm5_coarse_historical_daily_djf_1983-2002.nc": (
        {"gaps": "allow"}, {"tas": (261.5, 295.3), "pr": (0, 8.002e-4), "psl": (95910, 104800)}, "proleptic_gregorian"),
    "train/iberia/cmip5_cnrm-cm5_coarse_rcp85_daily_djf_2081-2100.nc": (
        {"gaps": "allow"}, {"tas": (262.4, 298.4), "pr": (0, 8.457e-4), "psl": (97620, 105200)}, "proleptic_gregorian"),
    "train/iberia/eobs_fine_daily_djf_1983-2002.nc": (
        {"gaps": "allow"}, {"tas": (256.28, 297.65), "pr": (0, 115.7 / 86400)}, "proleptic_gregorian"),
    "train/meteonet_nw/arome_fine_hourly_20180501.nc": (
        {"variables": ["psl"]}, {"psl": (99600, 101800)}, "proleptic_gregorian"),
    "train/meteonet_nw/arpege_coarse_hourly_20180501.nc": (
        {"accumulation_hours": 1.0},
        {"tas": (273.4, 288), "psl": (99660, 101800), "uas": (-4.319, 12.92), "vas": (-8.03, 16.68),
         "tdps": (272.1, 283.5), "hurs": (41.29, 100.1), "sfcWind": (0.011, 16.91), "pr": (0, 14.88 / 3600)},
        "proleptic_gregorian"),
    "train/meteonet_nw/static_fine.nc": ({}, {"orog": (0, 628.7), "sftlf": (0, 1)}, None),
    "train/ncep_slp_daily_2001-2010.nc": ({}, {"psl": (93960, 106600)}, "proleptic_gregorian"),
    "train/storm_jan1996_6hourly_namerica.nc": (
        {}, {"tas": (234.1, 307.8), "uas": (-22.02, 24.31), "vas": (-20.85, 30.39), "psl": (96040, 104400)},
        "proleptic_gregorian"),
    "train/ukv_2km_t_hourly_uk_20190101.nc": ({}, {"tas": (262.4, 285.7)}, "proleptic_gregorian"),
    "nasty/A1B_north_america.nc": ({}, {"tas": (257.3, 306.1)}, "360_day"),
    "nasty/ERA_Interim_2017a.nc": (
        {"variables": ["tas", "uas", "vas", "ps"]},
        {"tas": (229, 310.8), "uas": (-10.42, 10.87), "vas": (-9.519, 9.579), "ps": (51990, 103600)},
        "proleptic_gregorian"),
    "nasty/tas_Amon_HadGEM2-ES_rcp85_r1i1p1_200512-203011.nc": ({}, {"tas": (206.7, 304.7)}, "360_day"),
    "nasty/tas_rotated_grid_EUR11.nc": ({}, {"tas": (252.8, 293.7)}, "proleptic_gregorian"),
}  # fmt: skip

# file: (options, what the one error says)
REFUSED = {
    "nasty/T2m_1x1.nc": ({}, "time has the units 'yyyymm'; write them as CF does"),
    "nasty/Tstorm.cdf": ({}, "a data set holds at least one variable that is known: found t"),
    "nasty/regular_ll_sfc.grib": ({}, "regular_ll_sfc.grib is a GRIB file; convert it to netCDF first"),
    "nasty/rotated_cordex.nc": ({}, "found no field at all"),
    "nasty/wrf_cropped_compressed.nc": ({}, "a grid stands still: XLAT changes with time"),
    "nasty/ERA_Interim_2017a.nc": ({}, "pr is in 'm' and has no time bounds; give accumulation_hours"),
    "train/meteonet_nw/arome_fine_hourly_20180501.nc": ({}, "pr is in 'kg m\\*\\*-2' and has no time bounds"),
    "train/iberia/eobs_fine_daily_djf_1983-2002.nc": (
        {},
        "time steps are equal: 6624 h .*allow gaps if the series is seasonal",
    ),
    "train/ukv_2km_multivar_20190101.nc": (
        {},
        "fields have init_time and step, several forecasts side by side",
    ),
}


def test_every_file_is_in_the_table(real_data):
    files = {
        p.relative_to(real_data).as_posix()
        for p in real_data.rglob("*")
        if p.suffix in (".nc", ".cdf", ".grib") and p.is_file()
    }
    assert files == set(GOOD) | set(REFUSED)


@pytest.mark.parametrize("name", GOOD)
def test_good_files_come_out_in_one_form(real_data, name):
    options, ranges, calendar = GOOD[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = harmonise(open_file(str(real_data / name)), **options)
    assert set(out.data_vars) == set(ranges)
    for variable, (low, high) in ranges.items():
        da = out[variable]
        assert da.dtype == "float32" and da.dims[-2:] in (("lat", "lon"), ("y", "x"))
        # The table's figures are rounded to four digits.
        assert float(da.min()) == pytest.approx(low, rel=6e-4, abs=1e-5 * abs(high))
        assert float(da.max()) == pytest.approx(high, rel=6e-4)
    assert (calendar is None) == ("time" not in out.dims)
    if calendar is not None:
        kinds = {"standard": "proleptic_gregorian", "365_day": "noleap"}
        assert kinds.get(out["time"].dt.calendar, out["time"].dt.calendar) == calendar
    for axis in ("lat", "lon"):
        if out[axis].ndim == 1:
            assert np.all(np.diff(out[axis]) > 0)
    assert float(out["lon"].min()) >= -180 and float(out["lon"].max()) < 180


@pytest.mark.parametrize("name", REFUSED)
def test_nasty_files_end_in_one_clear_error(real_data, name):
    options, message = REFUSED[name]
    with pytest.raises(FinescaleError, match=message) as told:
        harmonise(open_file(str(real_data / name)), **options)
    assert "\n" not in str(told.value) and str(real_data) not in str(told.value)


def test_values_of_a_packed_descending_0_to_360_file_stay_at_their_places(real_data):
    path = real_data / "nasty" / "ERA_Interim_2017a.nc"
    plain = xr.open_dataset(path)
    out = harmonise(open_file(str(path)), variables=["tas"])
    for lat, lon in ((52.5, 351.0), (-33.0, 18.75), (0.0, 180.0)):
        there = plain["t2m"].sel(latitude=lat, longitude=lon).values
        here = out["tas"].sel(lat=lat, lon=(lon + 180) % 360 - 180).values
        np.testing.assert_allclose(here, there, rtol=1e-7)


def test_the_british_grid_lies_over_britain(real_data):
    out = harmonise(open_file(str(real_data / "train" / "ukv_2km_t_hourly_uk_20190101.nc")))
    assert 47 < float(out["lat"].min()) < 49 and 60 < float(out["lat"].max()) < 61.5
    assert -14 < float(out["lon"].min()) < -12 and 5 < float(out["lon"].max()) < 7

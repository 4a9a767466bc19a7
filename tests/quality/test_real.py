"""Real files: the clean ones pass, the faulty ones are stopped for what is wrong with them."""

import numpy as np
import pytest
import xarray as xr

from finescale.quality.gates import check
from finescale.quality.profile import profile
from finescale.quality.verdicts import GateError

ACCESS = "cmip6/CMIP6/CMIP/CSIRO/ACCESS-ESM1-5/historical/r1i1p1f1"
CANESM2 = (
    "train/canesm2_10km_noleap_2095/{}_day_CanESM2_rcp85_r1i1p1_na10kgrid_qm-moving-50bins-detrend_2095.nc"
)
CLEAN = (
    "train/era5_t2m_hourly_uk_2019-03.nc",
    "train/ncep_slp_daily_2001-2010.nc",
    "train/ukv_2km_t_hourly_uk_20190101.nc",
    *(CANESM2.format(name) for name in ("pr", "tasmin", "tasmax")),
    "train/iberia/cmip5_cnrm-cm5_coarse_historical_daily_djf_1983-2002.nc",
    "train/iberia/cmip5_cnrm-cm5_coarse_rcp85_daily_djf_2081-2100.nc",
    f"{ACCESS}/Amon/tas/gn/v20191115/tas_Amon_ACCESS-ESM1-5_historical_r1i1p1f1_gn_200001-201412.nc",
    f"{ACCESS}/Amon/pr/gn/v20191115/pr_Amon_ACCESS-ESM1-5_historical_r1i1p1f1_gn_200001-201412.nc",
    f"{ACCESS}/fx/sftlf/gn/v20191115/sftlf_fx_ACCESS-ESM1-5_historical_r1i1p1f1_gn.nc",
    "cmip6/CMIP6/CMIP/CCCma/CanESM5/historical/r1i1p1f1/day/prsn/gn/v20190429/"
    "prsn_day_CanESM5_historical_r1i1p1f1_gn_19910101-20101231.nc",
    "cmip6/CMIP6/ScenarioMIP/NCC/NorESM2-MM/ssp585/r1i1p1f1/day/tas/gn/v20191108/"
    "tas_day_NorESM2-MM_ssp585_r1i1p1f1_gn_20000101-20501231.nc",
    "cmip6/CMIP6/ScenarioMIP/MIROC/MIROC6/ssp119/r1i1p1f1/day/tas/gn/v20191016/"
    "tas_day_MIROC6_ssp119_r1i1p1f1_gn_20150101.nc",
    "nasty/A1B_north_america.nc",
    "nasty/tas_Amon_HadGEM2-ES_rcp85_r1i1p1_200512-203011.nc",
    "nasty/tas_rotated_grid_EUR11.nc",
    "static/era5_orography_lsm_025deg_global.nc",
    "train/meteonet_nw/static_fine.nc",
)
FAULTY = {
    "train/storm_jan1996_6hourly_namerica.nc": {
        ("tas", "nan_loose"),
        ("vas", "nan_loose"),
        ("v500", "nan_loose"),
    },
    "train/iberia/eobs_fine_daily_djf_1983-2002.nc": {("pr", "nan_loose")},
    "train/meteonet_nw/arpege_coarse_hourly_20180501.nc": {("pr", "nan_loose")},
    "train/meteonet_nw/arome_fine_hourly_20180501.nc": {("pr", "nan_loose")},
    "nasty/T2m_1x1.nc": {("time", "decoded")},
    "nasty/ERA_Interim_2017a.nc": {("pr", "units_fit")},
}


@pytest.mark.parametrize("name", CLEAN)
def test_clean_file_passes(real_data, name):
    with xr.open_dataset(real_data / name, chunks={}) as ds:
        report = check(profile(ds, name=name), "source")
    assert report.rows["judged"].sum() > 10


@pytest.mark.parametrize("name", FAULTY)
def test_faulty_file_is_stopped_for_its_fault(real_data, name):
    with xr.open_dataset(real_data / name, chunks={}) as ds, pytest.raises(GateError) as stopped:
        check(profile(ds, name=name), "source")
    failures = stopped.value.report.rows.query("status == 'fail'")
    assert set(map(tuple, failures[["variable", "rule"]].to_numpy())) == FAULTY[name]


def test_temperatures_of_one_model_are_ordered(real_data):
    """Lowest below highest, and the other way round when the two files are mixed up."""
    low, high = (
        xr.open_dataset(real_data / CANESM2.format(n)).drop_vars("time_vectors") for n in ("tasmin", "tasmax")
    )
    assert check(profile(xr.merge([low, high])), "source").passed
    mixed = xr.merge([low.rename(tasmin="tasmax"), high.rename(tasmax="tasmin")])
    with pytest.raises(GateError, match="above_tasmax"):
        check(profile(mixed), "source")


HOUR = {
    "degC written as K": (lambda v: v - 273.15, "min"),
    "a frozen hour": (lambda v: np.concatenate([v[:99], v[98:99], v[100:]]), "frozen_fields"),
    "a repeated day": (lambda v: np.concatenate([v[:480], v[24:48], v[504:]]), "repeated_fields"),
    "one NaN": (lambda v: np.where(np.arange(v.size).reshape(v.shape) == 123456, np.nan, v), "nan_loose"),
    "a spike": (lambda v: np.where(np.arange(v.size).reshape(v.shape) == 123456, v + 40, v), "spike"),
    "a constant map": (
        lambda v: np.where(np.arange(len(v))[:, None, None] == 7, v.mean(), v),
        "constant_fields",
    ),
}


@pytest.mark.parametrize("fault", HOUR)
def test_fault_in_a_real_month_is_stopped(real_data, fault):
    how, rule = HOUR[fault]
    ds = xr.open_dataset(real_data / "train/era5_t2m_hourly_uk_2019-03.nc").load()
    ds["t2m"] = ds.t2m.copy(data=how(ds.t2m.values).astype(np.float32))
    with pytest.raises(GateError) as stopped:
        check(profile(ds), "source")
    failures = stopped.value.report.rows.query("status == 'fail'")
    assert rule in set(failures["rule"])
    assert set(failures["variable"]) == {"tas"}

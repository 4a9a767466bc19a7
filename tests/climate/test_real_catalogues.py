"""The real sample catalogues, searched, cut, joined, read: equal to plain xarray; the great ones parsed and refused."""

import json
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import xarray as xr

from finescale.climate import catalogue
from finescale.climate.harmonise import harmonise
from finescale.climate.retrieve import retrieve
from finescale.errors import FinescaleError

ACCESS = {"source_id": "ACCESS-ESM1-5", "member_id": "r1i1p1f1", "table_id": "Amon"}
BOTH = {**ACCESS, "experiment_id": ["historical", "ssp126"]}


def plain(real_data):
    """ACCESS-ESM1-5 tas of both runs, read by xarray alone."""
    root = real_data / "cmip6/CMIP6"
    hist = xr.open_dataset(next(root.glob("CMIP/CSIRO/ACCESS-ESM1-5/historical/r1i1p1f1/Amon/tas/gn/*/*.nc")))
    scen = xr.open_dataset(
        next(root.glob("ScenarioMIP/CSIRO/ACCESS-ESM1-5/ssp126/r1i1p1f1/Amon/tas/gn/*/*.nc"))
    )
    return xr.concat([hist["tas"], scen["tas"]], dim="time")


@pytest.fixture
def samples(real_data):
    return {
        "netcdf": real_data / "cmip6/real-cmip6-sample.json",
        "zarr": real_data / "cmip6_zarr/real-cmip6-zarr.json",
    }


@pytest.mark.parametrize("form", ["netcdf", "zarr"])
def test_historical_and_scenario_joined_equal_a_plain_read(real_data, samples, form):
    ds = catalogue.open_series(samples[form], BOTH, variables=["tas"])
    np.testing.assert_array_equal(ds["tas"].values, plain(real_data).values)
    seam = [str(t)[:7] for t in ds["time"].values[178:182]]
    assert seam == ["2014-11", "2014-12", "2015-01", "2015-02"]
    assert ds.attrs["version"].replace("v", "") == "20191115\n20210318"
    assert ds.attrs["tracking_id"].count("hdl:21.14100/") == 2
    assert ds.attrs["further_info_url"].count("furtherinfo.es-doc.org") == 2 and ds.attrs["license"]


@pytest.mark.parametrize("form", ["netcdf", "zarr"])
def test_a_period_over_the_seam_and_a_region_over_greenwich(real_data, samples, form):
    period, region = ("2014-06-01", "2015-06-30"), (30, 60, -20, 30)
    ds = catalogue.open_series(samples[form], BOTH, variables=["tas"], period=period, region=region)
    wanted = plain(real_data).sel(time=slice(*period), lat=[30, 40, 50, 60], lon=[340, 350, 0, 10, 20, 30])
    np.testing.assert_array_equal(ds["tas"].values, wanted.values)
    out = harmonise(ds)
    np.testing.assert_array_equal(out["lon"], [-20, -10, 0, 10, 20, 30])
    np.testing.assert_array_equal(out["tas"].values, wanted.values)
    assert out["tas"].attrs["cell_methods"] == "area: time: mean"


def test_noleap_days_equal_a_plain_read(real_data, samples):
    ds = catalogue.open_series(
        samples["netcdf"], {"source_id": "NorESM2-MM"}, variables=["tas"], period=("2004-02-25", "2004-03-05")
    )
    path = next((real_data / "cmip6/CMIP6/ScenarioMIP/NCC").rglob("*.nc"))
    there = xr.open_dataset(path)["tas"].sel(time=slice("2004-02-25", "2004-03-05"))
    np.testing.assert_array_equal(ds["tas"].values, there.values)
    assert ds["time"].dt.calendar == "noleap" and ds.sizes["time"] == 9


def test_several_variables_and_static_fields(real_data, samples):
    ds = catalogue.open_series(
        samples["zarr"], {**ACCESS, "experiment_id": "historical"}, variables=["tas", "pr"]
    )
    assert harmonise(ds)["pr"].sizes == {"time": 180, "lat": 19, "lon": 36}
    facets = {"source_id": "ACCESS-ESM1-5", "table_id": "fx", "experiment_id": "historical"}
    static = harmonise(catalogue.open_series(samples["netcdf"], facets, variables=["sftlf", "areacella"]))
    assert static["sftlf"].dims == ("lat", "lon") and float(static["sftlf"].max()) == 1.0


def test_ingest_all_the_way_to_a_store(samples, tmp_path, real_data):
    ds = catalogue.open_series(samples["netcdf"], BOTH, variables=["tas"])
    retrieve(ds, tmp_path / "tas.zarr", chunk_bytes=100_000)
    back = xr.open_zarr(tmp_path / "tas.zarr", consolidated=False)
    np.testing.assert_array_equal(back["tas"].values, plain(real_data).values)
    assert back.attrs["tracking_id"] == ds.attrs["tracking_id"]


def test_ambiguous_queries_list_the_members(samples):
    with pytest.raises(FinescaleError) as told:
        catalogue.open_series(
            samples["netcdf"], {"source_id": "ACCESS-ESM1-5", "experiment_id": "historical"}, variables=["ts"]
        )
    assert "say which member_id and version" in str(told.value)
    assert "member_id=r2i1p1f1, version=v20191128" in str(told.value)
    with pytest.raises(FinescaleError, match="no source_id='ACCESS-CM2'; nearest: ACCESS-ESM1-5"):
        catalogue.open_series(samples["netcdf"], {"source_id": "ACCESS-CM2"}, variables=["tas"])


@pytest.mark.parametrize("processes", [1, pytest.param(9, marks=pytest.mark.slow)])
def test_fresh_processes_read_in_threads_without_a_crash(samples, processes):
    """The library's own threaded opening crashed the interpreter in most runs; ours reads in threads without."""
    code = """
        import sys, xarray as xr
        from finescale.climate import catalogue
        cat = catalogue.load(sys.argv[1])
        for _ in range(3):
            ds = catalogue.open_series(cat, {"source_id": "ACCESS-ESM1-5", "member_id": "r1i1p1f1", "table_id": "Amon",
                                             "experiment_id": ["historical", "ssp126"]}, variables=["tas"])
            ds.compute(scheduler="threads", num_workers=8)
        print(ds.sizes["time"])
    """
    for _ in range(processes):
        command = [sys.executable, "-c", textwrap.dedent(code), samples["netcdf"]]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (run.returncode, run.stdout.strip()) == (0, "312"), run.stderr[-500:]


@pytest.mark.parametrize(
    ("name", "table", "facets", "rows"),
    [
        ("pangeo-gcp-subset.json", None,
         {"variable_id": "tas", "source_id": "IPSL-CM6A-LR", "experiment_id": "historical"}, 32),
        ("cmip6-netcdf.json", None, {"source_id": "CNRM-CM6-1", "variable_id": "prsn"}, None),
        ("aws-cesm1-le.json", "aws-cesm1-le.csv", {"variable": "TREFHT", "frequency": "daily"}, None),
        ("xscen-pangeo-cmip6.json", "xscen-pangeo-cmip6.csv", {"variable": "tasmax", "source_id": "GFDL-CM4"}, None),
        ("pangeo-cmip6.json", "pangeo-gcp-subset.csv.gz", {"variable_id": "tas", "version": "v20180803"}, None),
        ("glade-cmip6.json", "cmip6-netcdf-test.csv", {"variable_id": "tasmax"}, None),
    ],
)  # fmt: skip
def test_real_catalogues_parse_and_answer(real_data, tmp_path, name, table, facets, rows):
    """Every answer equals a plain pandas query; a table that lies elsewhere is put beside its description."""
    import pandas as pd

    spec = json.loads((real_data / "catalogs" / name).read_text())
    table = table or spec["catalog_file"]
    shutil.copy(real_data / "catalogs" / table, tmp_path / table)
    (tmp_path / name).write_text(json.dumps({**spec, "catalog_file": table}))
    found = catalogue.search(tmp_path / name, **facets)
    frame = pd.read_csv(tmp_path / table, dtype=str)
    for facet, value in facets.items():
        column = facet if facet in frame else facet.removesuffix("_id")
        wanted = value.removeprefix("v") if facet == "version" else value
        cells = frame[column].fillna("")
        frame = frame[
            cells.str.contains(f"'{wanted}'") if cells.str.startswith("(").any() else cells == wanted
        ]
    assert list(found.index) == [k + 2 for k in frame.index] and len(found) > 0
    assert rows is None or len(found) == rows


@pytest.mark.parametrize("name", ["pangeo-cmip6.json", "glade-cmip6.json", "xscen-pangeo-cmip6.json"])
def test_catalogues_without_their_table_are_refused(real_data, tmp_path, name):
    spec = json.loads((real_data / "catalogs" / name).read_text())
    # The tables of some lie on the web; a test asks no one out there.
    spec["catalog_file"] = spec["catalog_file"].rsplit("/", 1)[-1]
    (tmp_path / name).write_text(json.dumps(spec))
    with pytest.raises(
        FinescaleError, match=r"has a table: that of .* cannot be read from .*check catalog_file"
    ):
        catalogue.search(tmp_path / name, variable_id="tas")


def test_rows_that_point_nowhere_are_told_by_line(real_data):
    facets = {"source_id": "CNRM-CM6-1", "experiment_id": "historical", "member_id": "r4i1p1f2"}
    with pytest.raises(FinescaleError, match=r"cmip6-netcdf.json, line 4 .*CNRM-CM6-1.*: it is missing"):
        catalogue.open_series(real_data / "catalogs/cmip6-netcdf.json", facets, variables=["prsn"])


def test_two_grids_of_one_series_in_the_pangeo_subset_are_listed(real_data):
    facets = {
        "source_id": "GFDL-ESM4",
        "experiment_id": "historical",
        "member_id": "r2i1p1f1",
        "table_id": "Omon",
    }
    with pytest.raises(FinescaleError, match="say which grid_label") as told:
        catalogue.open_series(real_data / "catalogs/pangeo-gcp-subset.json", facets, variables=["tos"])
    assert "grid_label=gr" in str(told.value) and "grid_label=gn" in str(told.value)

"""Catalogues: exactly one series or a list of what was found; every door equal to a plain read; bad rows by line."""

import json
import shutil

import fsspec
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from finescale.climate import catalogue
from finescale.climate.harmonise import harmonise
from finescale.errors import FinescaleError

FACETS = {
    "source_id": "MODEL-A",
    "experiment_id": "historical",
    "member_id": "r1i1p1f1",
    "table_id": "6hrPlev",
}


def row(path, variable, **changes):
    facets = {
        "activity_id": "CMIP",
        "institution_id": "INST",
        **FACETS,
        "grid_label": "gn",
        "version": "v20190101",
    }
    return {**facets, **changes, "variable_id": variable, "path": path}


@pytest.fixture
def shelf(tmp_path, cmip):
    """A folder with zarr and netCDF stores of two runs, and its catalogue."""
    hist = {v: cmip(v, start="2001-01-01", steps=40) for v in ("tas", "psl")}
    scen = {v: cmip(v, start="2001-01-11", steps=40, lat=[40, 42, 44]) for v in ("tas", "psl")}
    rows = []
    for v in hist:
        hist[v].chunk(time=10).to_zarr(tmp_path / f"h/{v}.zarr", consolidated=False)
        scen[v].to_netcdf(tmp_path / f"{v}_s.nc", engine="h5netcdf")
        rows.append(row(f"h/{v}.zarr", v))
        rows.append(
            row(f"{v}_s.nc", v, experiment_id="ssp245", activity_id="ScenarioMIP", version="v20200202")
        )
    hist["tas"].to_netcdf(tmp_path / "r2.nc", format="NETCDF3_64BIT")
    rows.append(row("r2.nc", "tas", member_id="r2i1p1f1"))
    path = catalogue.write(tmp_path, rows, id="shelf", description="Invented.")
    return path, hist, scen


def test_variables_whose_places_differ_by_rounding_are_opened_together(tmp_path, cmip):
    lat = np.linspace(40.0, 50.0, 12)
    for name, places in (("tas", lat), ("psl", lat + 1e-10), ("uas", lat + 0.1)):
        cmip(name, lat=places).to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
    path = catalogue.write(
        tmp_path, [row(f"{v}.nc", v) for v in ("tas", "psl", "uas")], id="near", description="Invented."
    )
    both = catalogue.open_series(path, FACETS, variables=["tas", "psl"])
    np.testing.assert_array_equal(both["lat"], lat)
    assert both["psl"].shape == both["tas"].shape and bool(np.isfinite(both["psl"]).all())
    with pytest.raises(FinescaleError, match="variables of one series share their axes: tas, uas"):
        catalogue.open_series(path, FACETS, variables=["tas", "uas"])


def test_search_shows_rows_by_their_line(shelf):
    found = catalogue.search(shelf[0], variable_id="tas", member_id="r1i1p1f1")
    assert list(found.index) == [2, 3]
    assert set(found["experiment_id"]) == {"historical", "ssp245"}
    lines = (shelf[0].parent / "catalogue.csv").read_text().splitlines()
    assert all(lines[k - 1].endswith(found.loc[k, "path"]) for k in found.index)


@pytest.mark.parametrize(
    ("facets", "lines"),
    [({"source_id": "MODEL-*"}, 5), ({"member_id": ["r1i1p1f1", "r2i1p1f1"], "variable_id": "psl"}, 2),
     ({"version": 20200202}, 2), ({"version": "latest", "variable_id": "tas"}, 3), ({"source": "MODEL-A"}, 5),
     ({"variable_id": "^t"}, 3), ({}, 5)],
)  # fmt: skip
def test_facets_lists_patterns_and_synonyms(shelf, facets, lines):
    assert len(catalogue.search(shelf[0], **facets)) == lines


def test_search_says_which_facet_matches_nothing(shelf):
    with pytest.raises(FinescaleError, match=r"has no source_id='MODEL-B'; nearest: MODEL-A"):
        catalogue.search(shelf[0], source_id="MODEL-B", variable_id="tas")
    with pytest.raises(FinescaleError, match="has experiment_id=ssp245, member_id=r2i1p1f1 together"):
        catalogue.search(shelf[0], experiment_id="ssp245", member_id="r2i1p1f1")
    with pytest.raises(FinescaleError, match=r"no 'colour'; choose out of activity_id"):
        catalogue.search(shelf[0], colour="red")


def test_one_run_equals_a_plain_read(shelf):
    path, hist, _ = shelf
    ds = catalogue.open_series(path, FACETS, variables=["tas", "psl"])
    for v in ("tas", "psl"):
        xr.testing.assert_equal(ds[v].drop_attrs(), hist[v][v].drop_attrs())
        assert ds[v].chunks is not None
    assert ds.attrs["tracking_id"] == "hdl:tas\nhdl:psl"
    assert not any(str(k).startswith("intake_esm") for k in ds.attrs)
    assert str(path.parent) not in str(ds.attrs)


def test_runs_are_joined_cut_and_equal_to_a_plain_read(shelf):
    path, hist, scen = shelf
    facets = {**FACETS, "experiment_id": ["historical", "ssp245"]}
    period, region = ("2001-01-09", "2001-01-13"), (41, 45, 1, 5)
    ds = catalogue.open_series(path, facets, variables=["tas"], period=period, region=region)
    whole = xr.concat([hist["tas"]["tas"], scen["tas"]["tas"]], dim="time")
    xr.testing.assert_equal(
        ds["tas"].drop_attrs(), whole.sel(time=slice(*period), lat=[42, 44], lon=[2, 4]).drop_attrs()
    )
    assert ds.attrs["version"] == "v20190101\nv20200202"


def test_netcdf3_through_the_catalogue(shelf):
    path, hist, _ = shelf
    ds = catalogue.open_series(path, {**FACETS, "member_id": "r2i1p1f1"}, variables=["tas"])
    np.testing.assert_array_equal(ds["tas"], hist["tas"]["tas"])


def test_a_query_that_names_two_series_lists_them(shelf):
    facets = {k: v for k, v in FACETS.items() if k != "member_id"}
    with pytest.raises(FinescaleError) as told:
        catalogue.open_series(shelf[0], facets, variables=["tas"])
    assert "2 of tas in catalogue.json; say which member_id:" in str(told.value)
    assert "member_id=r1i1p1f1" in str(told.value) and "member_id=r2i1p1f1" in str(told.value)


def test_files_of_one_run_are_one_series(tmp_path, cmip):
    whole = cmip("tas", steps=12)
    rows = []
    for k, part in enumerate([whole.isel(time=slice(6, 12)), whole.isel(time=slice(0, 6))]):
        part.to_netcdf(tmp_path / f"p{k}.nc", engine="h5netcdf")
        rows.append({**row(f"p{k}.nc", "tas"), "time_range": f"{k}"})
    path = catalogue.write(tmp_path, rows, id="x", description="Two files.")
    ds = catalogue.open_series(path, FACETS, variables=["tas"])
    xr.testing.assert_equal(ds["tas"].drop_attrs(), whole["tas"].drop_attrs())


def test_files_outside_the_period_are_not_even_opened(tmp_path, cmip):
    whole = cmip("tas", start="2001-12-28", steps=32)
    spans = ("2000", "200112-200112", "20020101-20020104")
    rows = [{**row(f"p{k}.nc", "tas"), "time_range": span} for k, span in enumerate(spans)]
    whole.isel(time=slice(0, 16)).to_netcdf(tmp_path / "p1.nc", engine="h5netcdf")
    whole.isel(time=slice(16, 32)).to_netcdf(tmp_path / "p2.nc", engine="h5netcdf")
    path = catalogue.write(tmp_path, rows, id="x", description="The first file is missing.")
    ds = catalogue.open_series(path, FACETS, variables=["tas"], period=("2001-12-30", "2002-01-02"))
    xr.testing.assert_equal(ds["tas"].drop_attrs(), whole["tas"][8:24].drop_attrs())
    with pytest.raises(FinescaleError, match=r"line 2 .*p0.nc: it is missing"):
        catalogue.open_series(path, FACETS, variables=["tas"])


def test_all_bad_rows_are_told_at_once(shelf):
    path, *_ = shelf
    folder = path.parent
    shutil.rmtree(folder / "h/tas.zarr")
    (folder / "tas_s.nc").write_bytes((folder / "tas_s.nc").read_bytes()[:3000])
    facets = {**FACETS, "experiment_id": ["historical", "ssp245"]}
    with pytest.raises(FinescaleError, match=r"line 2 \(.*MODEL-A.*\): h/tas.zarr: it is missing"):
        catalogue.open_series(path, facets, variables=["tas"])
    with pytest.raises(FinescaleError, match=r"line 3 .*tas_s.nc: it cannot be opened"):
        catalogue.open_series(path, {**FACETS, "experiment_id": "ssp245"}, variables=["tas"])


def test_two_bad_files_of_one_series_give_two_lines(tmp_path, cmip):
    rows = [{**row(f"p{k}.nc", "tas"), "time_range": str(k)} for k in range(3)]
    cmip("tas").to_netcdf(tmp_path / "p1.nc", engine="h5netcdf")
    path = catalogue.write(tmp_path, rows, id="x", description="Two are missing.")
    with pytest.raises(FinescaleError) as told:
        catalogue.open_series(path, FACETS, variables=["tas"])
    assert [line.split("line ")[1][0] for line in str(told.value).splitlines()] == ["2", "4"]


def test_a_missing_chunk_is_found_before_it_reads_as_nan(shelf):
    path, *_ = shelf
    chunk = next((path.parent / "h/tas.zarr/tas/c/2").rglob("0"))
    chunk = chunk if chunk.is_file() else next(p for p in chunk.rglob("*") if p.is_file())
    chunk.unlink()
    with pytest.raises(
        FinescaleError, match=r"tas of tas.zarr lacks 1 of its chunks, the first at \[20..29, 0..2, 0..3\]"
    ):
        catalogue.open_series(path, FACETS, variables=["tas"])


def test_dry_chunks_that_were_never_written_are_no_holes(tmp_path, cmip):
    ds = cmip("pr", steps=40)
    ds["pr"] = ds["pr"] * 0
    ds.chunk(time=10).to_zarr(tmp_path / "pr.zarr", consolidated=False, encoding={"pr": {"fill_value": 0.0}})
    assert not list((tmp_path / "pr.zarr/pr").glob("c/*"))
    path = catalogue.write(tmp_path, [row("pr.zarr", "pr")], id="x", description="No rain.")
    assert float(catalogue.open_series(path, FACETS, variables=["pr"])["pr"].max()) == 0


def test_an_asset_that_holds_another_variable_is_refused(tmp_path, cmip):
    cmip("psl").to_netcdf(tmp_path / "tas.nc", engine="h5netcdf")
    path = catalogue.write(tmp_path, [row("tas.nc", "tas")], id="x", description="Mislabelled.")
    with pytest.raises(FinescaleError, match=r"line 2 of catalogue.json says tas, the asset has psl"):
        catalogue.open_series(path, FACETS, variables=["tas"])


def test_a_rubbish_file_is_named(tmp_path):
    (tmp_path / "tas.nc").write_text("<html>404</html>")
    path = catalogue.write(tmp_path, [row("tas.nc", "tas")], id="x", description="A web page.")
    with pytest.raises(FinescaleError, match=r"tas.nc is not a netCDF file"):
        catalogue.open_series(path, FACETS, variables=["tas"])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p.write_text("{not json"), "line 1: Expecting property name"),
        (lambda p: p.write_text("{}"), "has no assets.column_name"),
        (lambda p: p.unlink(), "catalogue.json cannot be read"),
        (lambda p: (p.parent / "catalogue.csv").unlink(), "catalogue.csv .*check catalog_file"),
        (lambda p: (p.parent / "catalogue.csv").write_text("a,b\n1,2\n"), "lacks path; found a, b"),
        (lambda p: (p.parent / "catalogue.csv").open("a").write("too,short\n"), "line 7 has 2"),
    ],
)
def test_broken_catalogues_are_told_apart(shelf, spoil, message):
    spoil(shelf[0])
    with pytest.raises(FinescaleError, match=message):
        catalogue.search(shelf[0], variable_id="tas")


def test_writing_is_deterministic_and_needs_paths(shelf, tmp_path):
    rows = [row("a.zarr", "tas"), row("b.nc", "psl")]
    one = catalogue.write(tmp_path / "1", rows, id="x", description="y")
    two = catalogue.write(tmp_path / "2", rows, id="x", description="y")
    assert one.read_bytes() == two.read_bytes()
    assert (one.parent / "catalogue.csv").read_bytes() == (two.parent / "catalogue.csv").read_bytes()
    assert list(catalogue.search(one)["format"]) == ["zarr", "netcdf"]
    with pytest.raises(FinescaleError, match="needs path and variable_id"):
        catalogue.write(tmp_path, [{"path": "a"}], id="x", description="y")


def pangeo(folder, prefix, ds):
    """A catalogue in Pangeo's layout: zstore URLs, an empty dcpp column, versions as numbers."""
    columns = {
        "activity_id": "CMIP",
        "institution_id": "INST",
        **FACETS,
        "variable_id": "tas",
        "grid_label": "gn",
    }
    table = pd.DataFrame(
        [
            {
                **columns,
                "zstore": f"{prefix}/CMIP6/CMIP/INST/MODEL-A/",
                "dcpp_init_year": "",
                "version": 20190101,
            }
        ]
    )
    table.to_csv(folder / "pangeo.csv", index=False)
    spec = {
        "esmcat_version": "0.1.0", "id": "pangeo", "description": "x", "catalog_file": "pangeo.csv",
        "attributes": [{"column_name": "dcpp_start_year", "vocabulary": ""}],
        "assets": {"column_name": "zstore", "format": "zarr"},
        "aggregation_control": {
            "variable_column_name": "variable_id",
            "groupby_attrs": ["activity_id", "institution_id", "source_id", "experiment_id", "table_id", "grid_label"],
            "aggregations": [{"type": "union", "attribute_name": "variable_id"},
                             {"type": "join_new", "attribute_name": "dcpp_init_year", "options": {}}],
        },
    }  # fmt: skip
    (folder / "pangeo.json").write_text(json.dumps(spec))
    ds.chunk(time=10).to_zarr(
        f"{prefix}/CMIP6/CMIP/INST/MODEL-A/", zarr_format=2, consolidated=True, mode="w"
    )
    return folder / "pangeo.json"


@pytest.fixture
def memory():
    fs = fsspec.filesystem("memory")
    yield fs
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


def test_pangeo_layout_in_memory(tmp_path, cmip, memory):
    ds = cmip("tas", steps=40)
    path = pangeo(tmp_path, "memory://cmip6", ds)
    out = catalogue.open_series(
        path, {**FACETS, "version": "v20190101"}, variables=["tas"], period=("2001-01-02", "2001-01-03")
    )
    xr.testing.assert_equal(
        out["tas"].drop_attrs(), ds["tas"].sel(time=slice("2001-01-02", "2001-01-03")).drop_attrs()
    )
    memory.rm("/cmip6/CMIP6/CMIP/INST/MODEL-A/tas/3.0.0")
    with pytest.raises(FinescaleError, match=r"line 2 .*lacks 1 of its chunks, the first at \[30..39"):
        catalogue.open_series(path, FACETS, variables=["tas"])


def test_a_whole_catalogue_in_memory(tmp_path, cmip, memory):
    path = pangeo(tmp_path, "memory://cmip6", cmip("tas", steps=40))
    for name in ("pangeo.json", "pangeo.csv"):
        memory.pipe(f"/shelf/{name}", (path.parent / name).read_bytes())
    out = catalogue.open_series("memory://shelf/pangeo.json", FACETS, variables=["tas"])
    assert out.sizes["time"] == 40


@pytest.mark.parametrize(("scheme", "option"), [("gs", {"token": "anon"}), ("s3", {"anon": True})])
def test_public_buckets_are_asked_anonymously(tmp_path, cmip, memory, monkeypatch, scheme, option):
    """The bucket's file system is replaced by memory of the same layout: what remains is our code."""
    from fsspec.implementations.memory import MemoryFileSystem

    asked = []

    class Bucket(MemoryFileSystem):
        protocol = scheme
        cachable = False

        def __init__(self, *args, **options):
            asked.append({k: v for k, v in options.items() if k in option})
            super().__init__()

        @classmethod
        def _strip_protocol(cls, path):
            return MemoryFileSystem._strip_protocol(path.replace(f"{scheme}://", "memory://"))

    ds = cmip("tas", steps=20)
    local = pangeo(tmp_path, "memory://cmip6", ds)
    table = (tmp_path / "pangeo.csv").read_text().replace("memory://", f"{scheme}://")
    (tmp_path / "pangeo.csv").write_text(table)
    known = fsspec.get_filesystem_class(scheme)
    fsspec.register_implementation(scheme, Bucket, clobber=True)
    try:
        out = catalogue.open_series(local, FACETS, variables=["tas"])
        np.testing.assert_array_equal(out["tas"], ds["tas"])
    finally:
        fsspec.register_implementation(scheme, known, clobber=True)
    assert asked and all(a == option for a in asked)


def test_each_variable_keeps_the_height_of_its_own(tmp_path, cmip):
    """CMIP6 writes a scalar coordinate `height`: 2 m beside tas, 10 m beside uas; merged, only one would be left."""
    rows = []
    for name, metres in (("tas", 2.0), ("uas", 10.0)):
        ds = cmip(name).assign_coords(height=((), metres, {"units": "m", "standard_name": "height"}))
        ds.to_netcdf(tmp_path / f"{name}.nc")
        rows.append({"source_id": "M", "variable_id": name, "path": f"{name}.nc"})
    path = catalogue.write(tmp_path, rows, id="two", description="Two heights.")
    ds = harmonise(catalogue.open_series(path, {"source_id": "M"}, variables=["tas", "uas"]))
    assert (ds["tas"].attrs["height"], ds["uas"].attrs["height"]) == ("2 m", "10 m")

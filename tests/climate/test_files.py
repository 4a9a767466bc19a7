"""Files are opened by what they are, and by nothing else."""

import numpy as np
import pytest
import xarray as xr

from finescale.climate.files import engine_of, open_file, options_for
from finescale.climate.provenance import note, row_attrs, series_attrs
from finescale.errors import FinescaleError


@pytest.mark.parametrize(
    ("form", "engine"),
    [("NETCDF4", "h5netcdf"), ("NETCDF3_CLASSIC", "netcdf4"), ("NETCDF3_64BIT", "netcdf4")],
)
def test_the_engine_follows_the_first_bytes_and_not_the_name(cmip, tmp_path, form, engine):
    path = tmp_path / "weather.grb"
    cmip("tas").to_netcdf(path, format=form, engine="netcdf4")
    assert engine_of(str(path), {}) == engine
    np.testing.assert_array_equal(open_file(str(path))["tas"], cmip("tas")["tas"])


def test_a_store_is_known_by_being_a_folder(cmip, tmp_path):
    cmip("tas").to_zarr(tmp_path / "anything", consolidated=False)
    assert open_file(str(tmp_path / "anything"))["tas"].chunks is not None


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"GRIB....7777", "a GRIB file; convert it"),
        (b"", "not a netCDF file"),
        (b"\x00" * 99, "not a netCDF file"),
    ],
)
def test_what_is_no_netcdf_is_named(tmp_path, content, what):
    (tmp_path / "x.nc").write_bytes(content)
    with pytest.raises(FinescaleError, match=f"x.nc is {what}"):
        open_file(str(tmp_path / "x.nc"))


def test_long_files_without_chunks_are_read_in_pieces(cmip, tmp_path):
    ds = cmip("tas", steps=700, lat=np.linspace(-80, 80, 120), lon=np.arange(0, 360, 3.0))
    ds.to_netcdf(tmp_path / "long.nc", format="NETCDF3_64BIT", engine="netcdf4")
    opened = open_file(str(tmp_path / "long.nc"))["tas"]
    sizes = [int(np.prod(s)) * 4 for s in np.array(np.meshgrid(*opened.chunks)).reshape(3, -1).T]
    assert max(sizes) <= 32 * 2**20 < sum(sizes)


def test_given_options_come_before_those_of_a_public_bucket():
    assert options_for("gs://b/x") == {"token": "anon"}
    assert options_for("s3://b/x", {"anon": False, "key": "k"}) == {"anon": False, "key": "k"}
    assert options_for("/tmp/x") == options_for("https://a/x") == {}


def test_history_grows_by_lines_and_never_repeats_one():
    ds = note(note(note(xr.Dataset(attrs={"history": "made"}), "a"), "b"), "a")
    assert ds.attrs["history"] == "made\nfinescale: a\nfinescale: b"


def test_identities_are_listed_once_and_the_row_decides_the_version():
    parts = [xr.Dataset(attrs={"tracking_id": t, "license": "CC BY"}) for t in ("1", "2", "1")]
    assert series_attrs(parts) == {"tracking_id": "1\n2", "license": "CC BY"}
    row = {"version": "v2", "source_id": "M", "path": "/home/me", "experiment_id": None}
    assert row_attrs(row, {"version": "v1", "source_id": "N"}) == {"version": "v2"}
    assert row_attrs(row, {}) == {"version": "v2", "source_id": "M"}


@pytest.mark.parametrize("form", ["zarr", "netcdf"])
def test_a_chunk_a_step_is_read_many_at_a_time_and_no_stored_chunk_is_cut(cmip, tmp_path, form):
    ds = cmip("tas", steps=600, lat=np.arange(40, 60.0), lon=np.arange(0, 30.0))
    for name, stored in (("one", (1, 20, 30)), ("seven", (7, 20, 30)), ("tiles", (50, 10, 10))):
        path = tmp_path / f"{name}.{form}"
        if form == "zarr":
            ds.to_zarr(path, encoding={"tas": {"chunks": stored}}, consolidated=False)
        else:
            ds.to_netcdf(path, encoding={"tas": {"chunksizes": stored}}, engine="h5netcdf")
        opened = open_file(str(path))["tas"]
        assert max(map(len, opened.chunks)) <= 3
        assert all(c % s == 0 for axis, s in zip(opened.chunks, stored, strict=True) for c in axis[:-1])
        np.testing.assert_array_equal(opened, ds["tas"])

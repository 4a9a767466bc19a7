"""Reference products, imitated in their own spelling, come out in one form."""

import functools
import http.server
import threading
from pathlib import Path

import fsspec
import numpy as np
import pytest
import xarray as xr

from finescale.climate.lambert import inverse_lambert
from finescale.climate.reference import PRESETS, open_reference
from finescale.climate.winds import grid_angle, turn
from finescale.errors import FinescaleError
from finescale.grid.grid import Grid
from finescale.grid.pole import RotatedPole
from finescale.grid.regrid import conservative


def test_months_and_variables_in_many_files(cmip, tmp_path):
    whole = cmip("tas", steps=48, freq="h").merge(
        cmip("psl", steps=48, freq="h"), compat="override", combine_attrs="override"
    )
    for n in ("tas", "psl"):
        for k in range(2):
            whole[[n]].isel(time=slice(24 * k, 24 * k + 24)).to_netcdf(
                tmp_path / f"{n}_{k}.nc", engine="h5netcdf"
            )
    out = open_reference(str(tmp_path / "*.nc"), variables=["psl", "tas"])
    xr.testing.assert_equal(out[["psl", "tas"]].drop_attrs(), whole[["psl", "tas"]].drop_attrs())
    (tmp_path / "tas_0.nc").unlink()
    with pytest.raises(FinescaleError, match="files of one reference share their axes"):
        open_reference(str(tmp_path / "*.nc"), variables=["psl", "tas"])


def test_cosmo_rea6_winds_are_turned_to_east_and_north(tmp_path):
    rlat, rlon = np.arange(-2, 2, 0.5), np.arange(-6, 0, 0.5)
    rows, columns = np.meshgrid(rlat, rlon, indexing="ij")
    rng = np.random.default_rng(5)
    u, v = rng.normal(size=(2, 4, rlat.size, rlon.size)).astype("float32")
    dims = ("time", "rlat", "rlon")
    ds = xr.Dataset(
        {"U_10M": (dims, u, {"units": "m s-1", "grid_mapping": "rotated_pole"}),
         "V_10M": (dims, v, {"units": "m s-1", "grid_mapping": "rotated_pole"}),
         "T_2M": (dims, u + 280, {"units": "K"}), "PMSL": (dims, v + 1e5, {"units": "Pa"})},
        coords={"time": xr.date_range("2006-01-01", periods=4, freq="h"),
                "rlat": ("rlat", rlat, {"standard_name": "grid_latitude", "units": "degrees"}),
                "rlon": ("rlon", rlon, {"standard_name": "grid_longitude", "units": "degrees"})},
    )  # fmt: skip
    ds["rotated_pole"] = xr.DataArray(b"", attrs={"grid_mapping_name": "rotated_latitude_longitude",
        "grid_north_pole_latitude": 39.25, "grid_north_pole_longitude": -162.0})  # fmt: skip
    ds.to_netcdf(tmp_path / "rea6.nc", engine="netcdf4")
    out = open_reference(tmp_path / "rea6.nc", preset="cosmo-rea6", variables=["psl", "tas", "uas", "vas"])
    _, lat = RotatedPole(39.25, -162.0).to_geographic(columns, rows)
    np.testing.assert_allclose(out["lat"], lat, atol=1e-10)
    angle = xr.DataArray(grid_angle(out), dims=("y", "x"))
    back = turn(out["uas"], out["vas"], -angle)
    np.testing.assert_allclose(back[0], u, atol=1e-6)
    np.testing.assert_allclose(back[1], v, atol=1e-6)
    assert not np.allclose(out["uas"], u, atol=1e-2)
    kept = open_reference(tmp_path / "rea6.nc", preset="cosmo-rea6", variables=["uas", "vas"], winds="earth")
    np.testing.assert_array_equal(kept["uas"], u)


def test_eobs_is_daily_celsius_and_millimetres(cmip, tmp_path):
    ds = cmip("tg", freq="D").merge(cmip("rr", freq="D"), compat="override", combine_attrs="override")
    ds["tg"].attrs = {"units": "Celsius", "standard_name": "air_temperature"}
    ds["rr"].attrs = {"units": "mm", "standard_name": "thickness_of_rainfall_amount"}
    ds.to_netcdf(tmp_path / "eobs.nc", engine="h5netcdf")
    out = open_reference(tmp_path / "eobs.nc", preset="e-obs", variables=["tas", "pr"])
    np.testing.assert_allclose(out["tas"], ds["tg"] + 273.15, rtol=1e-6)
    np.testing.assert_allclose(out["pr"], ds["rr"] / 86400, rtol=1e-6)


def test_wrong_presets_sources_and_files_are_named(cmip, tmp_path):
    with pytest.raises(FinescaleError, match="a preset is one of cf, era5"):
        open_reference(tmp_path, preset="era6", variables=["tas"])
    with pytest.raises(FinescaleError, match=r"nothing matches \*.nc"):
        open_reference(tmp_path / "*.nc", variables=["tas"])
    with pytest.raises(FinescaleError, match=r"a.nc is missing"):
        open_reference(tmp_path / "a.nc", variables=["tas"])
    cmip().to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    (tmp_path / "a.nc").write_bytes((tmp_path / "a.nc").read_bytes()[:2000])
    with pytest.raises(FinescaleError, match=r"a.nc cannot"):
        open_reference(tmp_path / "a.nc", variables=["tas"])


def test_every_preset_speaks_of_known_variables():
    from finescale.climate.variables import VARIABLES

    for preset in PRESETS.values():
        assert set(preset.names.values()) <= set(VARIABLES)


CERRA_CRS = {
    "grid_mapping_name": "lambert_conformal_conic", "standard_parallel": 50.0, "earth_radius": 6371229.0,
    "latitude_of_projection_origin": 50.0, "longitude_of_central_meridian": 8.0,
}  # fmt: skip


@pytest.fixture
def cerra(tmp_path):
    """A file as the CDS hands CERRA out: rows and columns, 2-D places from 0 to 360, speed and direction, 3-hourly."""
    x, y = np.meshgrid(np.arange(-12, 13) * 5500.0 - 4e5, np.arange(-10, 11) * 5500.0)
    lat, lon = inverse_lambert(y, x, CERRA_CRS)
    rng = np.random.default_rng(2)
    shape, dims = (6, *lat.shape), ("valid_time", "y", "x")
    east, north = rng.normal(0, 8, (2, *shape))
    fields = {
        "t2m": (280 + rng.normal(0, 5, shape), "K", "air_temperature"),
        "msl": (101000 + rng.normal(0, 500, shape), "Pa", "unknown"),
        "si10": (np.hypot(east, north), "m s**-1", "unknown"),
        "wdir10": (np.rad2deg(np.arctan2(-east, -north)) % 360, "Degree true", "unknown"),
        "tp": (rng.gamma(1, 2, shape), "kg m**-2", "unknown"),
    }
    ds = xr.Dataset(
        {n: (dims, v.astype("float32"), {"units": u, "standard_name": s, "GRIB_gridType": "lambert"})
         for n, (v, u, s) in fields.items()},
        coords={
            "valid_time": np.datetime64("2001-01-01", "ns") + 3 * np.arange(6) * np.timedelta64(1, "h"),
            "latitude": (("y", "x"), lat, {"units": "degrees_north", "standard_name": "latitude"}),
            "longitude": (("y", "x"), lon % 360, {"units": "degrees_east", "standard_name": "longitude"}),
            "heightAboveGround": 2.0, "step": 0, "surface": 0.0,
        },
    )  # fmt: skip
    ds["orog"] = (
        ("y", "x"),
        np.full(lat.shape, 250.0, "float32"),
        {"units": "m", "standard_name": "unknown"},
    )
    ds["lsm"] = (
        ("y", "x"),
        np.ones(lat.shape, "float32"),
        {"units": "1", "standard_name": "land_binary_mask"},
    )
    ds.to_netcdf(tmp_path / "cerra.nc")
    return tmp_path / "cerra.nc", east, north, ds


def test_cerra_becomes_components_rates_and_places(cerra):
    path, east, north, ds = cerra
    out = open_reference(path, preset="cerra", variables=["psl", "tas", "uas", "vas", "pr"])
    assert out["tas"].dims == ("time", "y", "x")
    np.testing.assert_allclose(out["uas"], east, atol=1e-4)
    np.testing.assert_allclose(out["vas"], north, atol=1e-4)
    np.testing.assert_allclose(out["pr"], ds["tp"] / (3 * 3600), rtol=1e-6)
    np.testing.assert_array_equal(out["psl"], ds["msl"])
    np.testing.assert_allclose(out["lat"], ds["latitude"])
    assert -180 <= float(out["lon"].min()) < 180
    static = open_reference(path, preset="cerra", variables=["orog", "sftlf"])
    assert static["orog"].dims == ("y", "x")


def test_cerra_comes_to_a_regular_grid_with_its_area_mean(cerra):
    path, *_ = cerra
    out = open_reference(path, preset="cerra", variables=["tas", "sfcWind"])
    lat, lon = (float(out[c].mean()) for c in ("lat", "lon"))
    grid = Grid(tuple(lat + 0.1 * np.arange(-2, 3)), tuple(lon + 0.15 * np.arange(-2, 3)))
    regular = conservative(out, grid, coverage=0.999)
    assert np.isfinite(regular["tas"]).all()
    dense = conservative(out, Grid(grid.lat[1:4], grid.lon[1:4]))
    np.testing.assert_allclose(dense["tas"], regular["tas"][:, 1:4, 1:4], rtol=1e-6)
    one = out.assign(tas=xr.ones_like(out["tas"]) * 281.5)
    np.testing.assert_allclose(conservative(one, grid)["tas"], 281.5, rtol=1e-6)


def test_a_projected_file_without_places_gets_them_from_its_mapping(cerra, tmp_path):
    _, _, _, ds = cerra
    x, y = np.arange(-12, 13) * 5500.0 - 4e5, np.arange(-10, 11) * 5500.0
    bare = ds[["t2m"]].drop_vars(["latitude", "longitude"]).assign_coords(
        x=("x", x, {"standard_name": "projection_x_coordinate", "units": "m"}),
        y=("y", y, {"standard_name": "projection_y_coordinate", "units": "m"}),
        crs=xr.DataArray(0, attrs=CERRA_CRS),
    )  # fmt: skip
    bare["t2m"].attrs["grid_mapping"] = "crs"
    bare.to_netcdf(tmp_path / "bare.nc")
    out = open_reference(tmp_path / "bare.nc", preset="cerra", variables=["tas"])
    np.testing.assert_allclose(out["lat"], ds["latitude"], atol=1e-9)
    np.testing.assert_allclose(np.mod(out["lon"], 360), ds["longitude"], atol=1e-9)


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves parts of files, as THREDDS and object stores do."""

    def do_GET(self):
        wanted = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            return self.send_error(404)
        body = path.read_bytes()
        part = body
        if wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            part = body[int(first) : int(last or len(body) - 1) + 1]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Accept-Ranges", "bytes")
        if wanted:
            self.send_header("Content-Range", f"bytes {wanted.removeprefix('bytes=')}/{len(body)}")
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *args):
        pass


@pytest.fixture
def web(tmp_path):
    """A web server on this machine over the folder."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Ranges, directory=str(tmp_path))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize(("engine", "form"), [("h5netcdf", None), ("scipy", "NETCDF3_64BIT")])
def test_a_netcdf_file_over_http(cmip, tmp_path, web, engine, form):
    ds = cmip("tas", steps=20)
    ds.to_netcdf(tmp_path / "tas.nc", engine=engine, format=form)
    out = open_reference(f"{web}/tas.nc", variables=["tas"], period=("2001-01-02", "2001-01-03"))
    np.testing.assert_array_equal(out["tas"], ds["tas"].sel(time=slice("2001-01-02", "2001-01-03")))


def test_a_store_in_memory(cmip):
    ds = cmip("tas", steps=20)
    ds.chunk(time=5).to_zarr("memory://ref/a.zarr", zarr_format=2, consolidated=True, mode="w")
    try:
        out = open_reference("memory://ref/a.zarr", variables=["tas"])
        np.testing.assert_array_equal(out["tas"], ds["tas"])
        fsspec.filesystem("memory").rm("/ref/a.zarr/tas/2.0.0")
        with pytest.raises(FinescaleError, match="lacks 1 of its chunks"):
            open_reference("memory://ref/a.zarr", variables=["tas"])
    finally:
        fsspec.filesystem("memory").store.clear()


def test_an_esgf_catalogue_whose_paths_are_web_addresses(cmip, tmp_path, web):
    from finescale.climate import catalogue

    rows, pieces = [], []
    for k in range(2):
        pieces.append(cmip("tas", start=f"2001-01-0{1 + 2 * k}", steps=8))
        pieces[k].to_netcdf(tmp_path / f"tas_{k}.nc", engine="h5netcdf")
        rows.append({"source_id": "M", "experiment_id": "historical", "variable_id": "tas", "time_range": str(k),
                     "path": f"{web}/tas_{k}.nc"})  # fmt: skip
    catalogue.write(tmp_path, rows, id="esgf", description="Two files behind a web server.")
    ds = catalogue.open_series(f"{web}/catalogue.json", {"source_id": "M"}, variables=["tas"])
    np.testing.assert_array_equal(ds["tas"], xr.concat([p["tas"] for p in pieces], dim="time"))
    (tmp_path / "tas_1.nc").unlink()
    with pytest.raises(FinescaleError, match=r"line 3 .*tas_1.nc: it cannot be opened"):
        catalogue.open_series(f"{web}/catalogue.json", {"source_id": "M"}, variables=["tas"])

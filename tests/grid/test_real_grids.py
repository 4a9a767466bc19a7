"""The grids of real files: rotated poles as their authors wrote them, Gaussian rows, half cells at the poles."""

import numpy as np
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.grid.cells import cells_of
from finescale.grid.grid import Grid
from finescale.grid.regrid import bilinear, conservative

EUROPE = Grid(tuple(44.0 + 0.5 * np.arange(20)), tuple(2.0 + 0.5 * np.arange(30)))


def test_the_pole_is_read_as_the_model_meant_it(real_data):
    """CORDEX South America gives true latitude and longitude of every centre; ours come from the pole alone."""
    with xr.open_dataset(real_data / "nasty" / "rotated_cordex.nc") as ds:
        cells = cells_of(ds)
        np.testing.assert_allclose(cells.lat, ds["lat"], atol=1e-5)
        np.testing.assert_allclose(cells.lon, ds["lon"], atol=1e-5)


def test_a_euro_cordex_field_is_averaged_over_its_centres(real_data):
    """Against the plain mean of the centres that fall in a cell: about 20 of them, so a few tenths of a kelvin."""
    with xr.open_dataset(real_data / "nasty" / "tas_rotated_grid_EUR11.nc") as ds:
        out = conservative(ds, EUROPE)["tas"]
        cells = cells_of(ds)
        x = ds["tas"].values[0, 0]
    assert out.dims == ("time", "height", "lat", "lon")
    assert "grid_mapping" not in out.attrs
    edges = (EUROPE.lat_edges, EUROPE.lon_edges)
    sums, _, _ = np.histogram2d(cells.lat.ravel(), cells.lon.ravel(), bins=edges, weights=x.ravel())
    counts, _, _ = np.histogram2d(cells.lat.ravel(), cells.lon.ravel(), bins=edges)
    miss = out.values[0, 0] - sums / counts
    assert np.sqrt((miss**2).mean()) < 0.2
    assert abs(miss.mean()) < 0.01


def test_a_gaussian_grid_keeps_its_global_mean(real_data):
    with xr.open_dataset(real_data / "static" / "mpi-esm-lr_orog_t63.nc") as ds:
        globe = Grid(tuple(np.arange(-88.5, 90, 3)), tuple(np.arange(-178.5, 180, 3)))
        out = conservative(ds, globe, coverage=1.0)["orog"]
        rows = np.abs(np.diff(np.sin(np.deg2rad(ds["lat_bnds"].values)), axis=1))[:, 0]
        mean = float((ds["orog"].values.mean(axis=1) * rows).sum() / rows.sum())
    assert float((out * globe.area).sum()) == pytest.approx(mean, rel=1e-6)


def test_both_methods_agree_on_a_smooth_real_field(real_data):
    (path,) = (real_data / "cmip6").rglob("tas_day_MIROC6_ssp119_r1i1p1f1_gn_20150101.nc")
    with xr.open_dataset(path) as ds:
        area, point = conservative(ds, EUROPE)["tas"], bilinear(ds, EUROPE)["tas"]
    assert bool(area.notnull().all() & point.notnull().all())
    assert float(np.abs(area - point).mean()) < 1.0
    assert 250 < float(area.mean()) < 290


def test_wrf_without_cf_coordinates_is_refused(real_data):
    with (
        xr.open_dataset(real_data / "nasty" / "wrf_cropped_compressed.nc") as ds,
        pytest.raises(FinescaleError, match="lat is missing from"),
    ):
        conservative(ds, EUROPE)

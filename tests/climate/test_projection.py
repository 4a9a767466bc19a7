"""Places of rotated and projected cells against published values and against each other."""

import numpy as np
import pytest
import xarray as xr

from finescale.climate.projection import BRITISH_GRID, geographic, inverse_mercator, pole, rotate, unrotate
from finescale.errors import FinescaleError

REA6 = (39.25, -162.0)


def test_british_grid_at_the_worked_example_of_the_ordnance_survey():
    """Caister water tower: E 651409.903, N 313177.270 is 52 39 27.2531 N, 1 43 4.5177 E (OSGB36)."""
    lat, lon = inverse_mercator(np.array([313177.270]), np.array([651409.903]), BRITISH_GRID)
    assert lat[0] == pytest.approx(52 + 39 / 60 + 27.2531 / 3600, abs=1e-7)
    assert lon[0] == pytest.approx(1 + 43 / 60 + 4.5177 / 3600, abs=1e-7)


def test_rotated_pole_and_equator_lie_where_they_must():
    lat, lon = unrotate(np.array([90.0, 0.0]), np.array([0.0, 0.0]), *REA6)
    np.testing.assert_allclose(lat, [39.25, 50.75], atol=1e-9)
    np.testing.assert_allclose(lon, [-162.0, 18.0], atol=1e-5)


def test_rotating_back_gives_the_same_point():
    rng = np.random.default_rng(1)
    lat, lon = rng.uniform(-89, 89, 500), rng.uniform(-180, 180, 500)
    rlat, rlon = rotate(lat, lon, *REA6)
    back = unrotate(rlat, rlon, *REA6)
    np.testing.assert_allclose(back[0], lat, atol=1e-9)
    np.testing.assert_allclose(np.mod(back[1] - lon + 180, 360) - 180, 0, atol=1e-8)


def test_rotation_keeps_distances():
    rng = np.random.default_rng(2)
    lat, lon = rng.uniform(-80, 80, (2, 200)), rng.uniform(-180, 180, (2, 200))

    def cosine(la, lo):
        a, b = np.deg2rad(la), np.deg2rad(lo)
        return np.sin(a[0]) * np.sin(a[1]) + np.cos(a[0]) * np.cos(a[1]) * np.cos(b[0] - b[1])

    np.testing.assert_allclose(cosine(*rotate(lat, lon, *REA6)), cosine(lat, lon), atol=1e-12)


def test_places_equal_those_that_a_cordex_file_carries(real_data):
    ds = xr.open_dataset(real_data / "nasty" / "rotated_cordex.nc")
    rows, columns = np.meshgrid(ds["rlat"], ds["rlon"], indexing="ij")
    lat, lon = unrotate(rows, columns, *pole(ds["rotated_pole"].attrs))
    np.testing.assert_allclose(lat, ds["lat"], atol=1e-4)
    np.testing.assert_allclose(np.mod(lon - ds["lon"] + 180, 360) - 180, 0, atol=1e-4)


def test_a_grid_without_place_is_refused():
    ds = xr.Dataset({"tas": (("y", "x"), np.zeros((2, 2)))})
    with pytest.raises(FinescaleError, match="a field has a place on Earth"):
        geographic(ds)


def test_an_unknown_projection_is_named():
    ds = xr.Dataset({"tas": (("y", "x"), np.zeros((2, 2)))}, coords={"y": [0.0, 1.0], "x": [0.0, 1.0]})
    ds["y"].attrs["standard_name"], ds["x"].attrs["standard_name"] = (
        "projection_y_coordinate",
        "projection_x_coordinate",
    )
    ds["crs"] = xr.DataArray(0, attrs={"grid_mapping_name": "lambert_conformal_conic"})
    with pytest.raises(FinescaleError, match="lambert_conformal_conic"):
        geographic(ds)

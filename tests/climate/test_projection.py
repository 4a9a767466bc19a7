"""Places of rotated and projected cells against published values and against each other."""

import numpy as np
import pytest
import xarray as xr

from finescale.climate.lambert import inverse_lambert
from finescale.climate.projection import BRITISH_GRID, geographic, inverse_mercator
from finescale.errors import FinescaleError


def test_british_grid_at_the_worked_example_of_the_ordnance_survey():
    """Caister water tower: E 651409.903, N 313177.270 is 52 39 27.2531 N, 1 43 4.5177 E (OSGB36)."""
    lat, lon = inverse_mercator(np.array([313177.270]), np.array([651409.903]), BRITISH_GRID)
    assert lat[0] == pytest.approx(52 + 39 / 60 + 27.2531 / 3600, abs=1e-7)
    assert lon[0] == pytest.approx(1 + 43 / 60 + 4.5177 / 3600, abs=1e-7)


def test_places_equal_those_that_a_cordex_file_carries(real_data):
    ds = xr.open_dataset(real_data / "nasty" / "rotated_cordex.nc")
    placed, done = geographic(ds.drop_vars(["lat", "lon"]))
    np.testing.assert_allclose(placed["lat"], ds["lat"], atol=1e-4)
    np.testing.assert_allclose(np.mod(placed["lon"] - ds["lon"] + 180, 360) - 180, 0, atol=1e-4)
    assert done == ["computed latitude and longitude from rotated_latitude_longitude"]


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
    ds["crs"] = xr.DataArray(0, attrs={"grid_mapping_name": "polar_stereographic"})
    with pytest.raises(FinescaleError, match="or lambert_conformal_conic: polar_stereographic; add lat"):
        geographic(ds)


SNYDER = {
    "standard_parallel": [33.0, 45.0],
    "latitude_of_projection_origin": 23.0,
    "longitude_of_central_meridian": -96.0,
}


@pytest.mark.parametrize(
    ("shape", "x", "y", "digits"),
    [
        ({"semi_major_axis": 1.0, "semi_minor_axis": 1.0}, 0.2966785, 0.2462112, 1e-5),
        ({"semi_major_axis": 6378206.4, "semi_minor_axis": 6356583.8}, 1894410.9, 1564649.5, 1e-6),
    ],
)
def test_lambert_at_the_worked_examples_of_snyder(shape, x, y, digits):
    """35 N, 75 W on a sphere of radius one and on Clarke's ellipsoid (Snyder 1987, pp. 295-297)."""
    lat, lon = inverse_lambert(np.array([y]), np.array([x]), SNYDER | shape)
    assert lat[0] == pytest.approx(35.0, abs=digits)
    assert lon[0] == pytest.approx(-75.0, abs=digits)


def test_lambert_with_one_parallel_is_the_limit_of_two():
    one = SNYDER | {"standard_parallel": 39.0}
    two = SNYDER | {"standard_parallel": [39.0 - 1e-4, 39.0 + 1e-4]}
    y, x = np.meshgrid(np.linspace(-1e6, 2e6, 7), np.linspace(-2e6, 2e6, 9))
    for a, b in zip(inverse_lambert(y, x, one), inverse_lambert(y, x, two), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_lambert_cone_of_the_south_mirrors_that_of_the_north():
    y, x = np.meshgrid(np.linspace(-1e6, 1e6, 5), np.linspace(-1e6, 1e6, 5))
    south = SNYDER | {"standard_parallel": [-33.0, -45.0], "latitude_of_projection_origin": -23.0}
    north_lat, north_lon = inverse_lambert(y, x, SNYDER)
    lat, lon = inverse_lambert(-y, x, south)
    np.testing.assert_allclose(lat, -north_lat, atol=1e-9)
    np.testing.assert_allclose(lon, north_lon, atol=1e-9)

"""Places of rotated and projected cells against published values and against each other."""

import numpy as np
import pytest
import xarray as xr

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
    ds["crs"] = xr.DataArray(0, attrs={"grid_mapping_name": "lambert_conformal_conic"})
    with pytest.raises(FinescaleError, match="lambert_conformal_conic"):
        geographic(ds)

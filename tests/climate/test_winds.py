"""Turning winds: the exact angle against finite differences, the published angle, and the length of the vector."""

import numpy as np
import pytest
import xarray as xr

from finescale.climate.winds import grid_angle, to_earth, turn
from finescale.errors import FinescaleError
from finescale.grid.pole import RotatedPole

REA6 = {"grid_mapping_name": "rotated_latitude_longitude", "grid_north_pole_latitude": 39.25,
        "grid_north_pole_longitude": -162.0}  # fmt: skip


def rotated(rlat, rlon, mapping=REA6):
    rows, columns = np.meshgrid(rlat, rlon, indexing="ij")
    lon, lat = RotatedPole.from_mapping(mapping).to_geographic(columns, rows)
    ones = np.ones((2, *lat.shape), "float32")
    return xr.Dataset(
        {
            "uas": (("time", "y", "x"), 7 * ones, {"units": "m s-1", "standard_name": "grid_eastward_wind"}),
            "vas": (
                ("time", "y", "x"),
                -3 * ones,
                {"units": "m s-1", "standard_name": "grid_northward_wind"},
            ),
        },
        coords={
            "lat": (("y", "x"), lat),
            "lon": (("y", "x"), lon),
            "rotated_pole": xr.DataArray(0, attrs=mapping),
        },
    )


def numeric_angle(rlat, rlon, step=1e-5):
    """The direction of growing rlon seen from true east, by moving a little along the grid."""
    pole = RotatedPole.from_mapping(REA6)
    lon0, lat0 = pole.to_geographic(rlon - step, rlat)
    lon1, lat1 = pole.to_geographic(rlon + step, rlat)
    mid = np.deg2rad((lat0 + lat1) / 2)
    return np.arctan2(np.deg2rad(lat1 - lat0), np.deg2rad(lon1 - lon0) * np.cos(mid))


def test_angle_equals_a_small_step_along_the_grid():
    rlat, rlon = np.linspace(-20, 20, 17), np.linspace(-25, 20, 19)
    rows, columns = np.meshgrid(rlat, rlon, indexing="ij")
    np.testing.assert_allclose(grid_angle(rotated(rlat, rlon)), numeric_angle(rows, columns), atol=1e-6)


def test_angle_over_germany_is_the_published_five_degrees():
    """Centre of a 128 x 128 patch of COSMO-REA6 at about 49.6 N, 11.1 E: 5.3 degrees."""
    lat, lon = xr.DataArray([[49.6]], dims=("y", "x")), xr.DataArray([[11.1]], dims=("y", "x"))
    ds = xr.Dataset(coords={"lat": lat, "lon": lon, "rotated_pole": xr.DataArray(0, attrs=REA6)})
    assert abs(np.rad2deg(grid_angle(ds)[0, 0])) == pytest.approx(5.3, abs=0.15)


def test_neighbours_give_the_angle_where_no_pole_is_known():
    rlat, rlon = np.arange(-5, 5, 0.1), np.arange(-8, 8, 0.1)
    ds = rotated(rlat, rlon)
    exact = grid_angle(ds)
    # One-sided differences at the first and last column are of first order: half a cell's turn.
    np.testing.assert_allclose(grid_angle(ds.drop_vars("rotated_pole"))[:, 1:-1], exact[:, 1:-1], atol=1e-5)


def test_turning_keeps_the_speed_and_can_be_undone():
    rng = np.random.default_rng(0)
    u, v, angle = (xr.DataArray(rng.normal(size=(4, 5)), dims=("y", "x")) for _ in range(3))
    east, north = turn(u, v, angle)
    np.testing.assert_allclose(east**2 + north**2, u**2 + v**2, rtol=1e-12)
    back = turn(east, north, -angle)
    np.testing.assert_allclose(back[0], u, atol=1e-12)
    np.testing.assert_allclose(back[1], v, atol=1e-12)


def test_a_wind_along_the_grid_points_where_the_grid_points():
    ds = rotated(np.linspace(-3, 3, 5), np.linspace(10, 18, 6))
    turned, done = to_earth(ds.assign(vas=ds["vas"] * 0))
    direction = np.arctan2(turned["vas"][0], turned["uas"][0])
    rows, columns = np.meshgrid(np.linspace(-3, 3, 5), np.linspace(10, 18, 6), indexing="ij")
    np.testing.assert_allclose(direction, numeric_angle(rows, columns), atol=1e-5)
    assert done == ["turned uas and vas from the grid's axes to east and north"]


def test_winds_to_east_and_north_stay():
    ds = rotated(np.linspace(-3, 3, 5), np.linspace(10, 18, 6))
    ds["uas"].attrs["standard_name"], ds["vas"].attrs["standard_name"] = "eastward_wind", "northward_wind"
    same, done = to_earth(ds)
    assert done == []
    xr.testing.assert_identical(same, ds)


def test_one_component_alone_cannot_be_turned():
    ds = rotated(np.linspace(-3, 3, 5), np.linspace(10, 18, 6)).drop_vars("vas")
    with pytest.raises(FinescaleError, match="as a pair"):
        to_earth(ds)

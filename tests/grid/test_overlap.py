"""Rotated and curvilinear sources against a brute-force integral: points in target cells, looked up in source cells."""

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.transform import Rotation

from finescale.errors import FinescaleError
from finescale.grid.cells import cells_of
from finescale.grid.grid import Grid
from finescale.grid.overlap import overlap_shares
from finescale.grid.pole import RotatedPole
from finescale.grid.regrid import bilinear, conservative

# Pole of the grid; its latitudes and longitudes as start, step, size; target.
CASES = {
    "fine source": (
        (39.25, -162.0), (-4.0, 0.11, 60), (-4.0, 0.11, 70),
        Grid((47.2, 48.2, 49.2), (15.0, 16.5, 18.0)),
    ),
    "coarse source": (
        (39.25, -162.0), (-15.0, 1.0, 31), (-16.0, 1.0, 33),
        Grid((47.0, 47.3, 47.6), (15.0, 15.4, 15.8)),
    ),
    "north pole inside": (
        (6.55, 0.0), (-10.0, 0.5, 41), (-12.0, 0.5, 49),
        Grid((87.0, 89.0), (-170.0, -120.0, -70.0)),
    ),
    "south pole inside": (
        (-6.55, 0.0), (-10.0, 0.5, 41), (168.0, 0.5, 49),
        Grid((-89.0, -87.0), (60.0, 120.0, 179.0)),
    ),
    "date line": (
        (30.0, 0.0), (-10.0, 0.5, 41), (-12.0, 0.5, 49),
        Grid((58.0, 59.0, 60.0), (173.0, 175.0, 177.0, 179.0)),
    ),
}  # fmt: skip


def turned(lon, lat, pole):
    """Grid longitude and latitude of true ones, by a rotation of the globe written independently with scipy."""
    x, y = np.deg2rad(lon), np.deg2rad(lat)
    v = np.stack((np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)), axis=-1)
    turn = Rotation.from_euler("ZY", [pole[1] + 180.0, pole[0] - 90.0], degrees=True)
    a, b, c = np.moveaxis(turn.apply(v.reshape(-1, 3), inverse=True).reshape(v.shape), -1, 0)
    return np.rad2deg(np.arctan2(b, a)), np.rad2deg(np.arcsin(c))


def rotated(pole, rlat, rlon, seed=0) -> xr.Dataset:
    lat, lon = (a[0] + a[1] * np.arange(a[2]) for a in (rlat, rlon))
    grid_lon, grid_lat = np.meshgrid(lon, lat)
    smooth = 280 + 8 * np.sin(np.deg2rad(9 * grid_lat)) + 5 * np.cos(np.deg2rad(7 * grid_lon))
    mapping = {
        "grid_mapping_name": "rotated_latitude_longitude",
        "grid_north_pole_latitude": pole[0],
        "grid_north_pole_longitude": pole[1],
    }
    noise = np.random.default_rng(seed).normal(size=smooth.shape)
    return xr.Dataset(
        {"tas": (("rlat", "rlon"), smooth + noise, {"grid_mapping": "crs"}), "crs": ((), 0, mapping)},
        coords={"rlat": lat, "rlon": lon},
    )


def brute_force(ds, pole, target, i, j, points=700):
    """Mean over target cell (i, j) of the source cells under points spread evenly over its area, and their share."""
    s = np.linspace(*np.sin(np.deg2rad(target.lat_edges[i : i + 2])), points + 1)
    x = np.linspace(*target.lon_edges[j : j + 2], points + 1)
    lon, lat = np.meshgrid((x[1:] + x[:-1]) / 2, np.rad2deg(np.arcsin((s[1:] + s[:-1]) / 2)))
    rlon, rlat = turned(lon, lat, pole)
    at = []
    for where, axis in ((rlat, ds["rlat"].values), (rlon, ds["rlon"].values)):
        away = where - axis[0]
        if axis is ds["rlon"].values or where is rlon:
            away = (away + 90.0) % 360.0 - 90.0
        at.append(np.floor(away / (axis[1] - axis[0]) + 0.5).astype(int))
    inside = (at[0] >= 0) & (at[0] < ds["rlat"].size) & (at[1] >= 0) & (at[1] < ds["rlon"].size)
    return ds["tas"].values[at[0][inside], at[1][inside]].mean(), inside.mean()


@pytest.mark.parametrize("case", CASES)
def test_means_agree_with_a_subsampled_integral(case):
    pole, rlat, rlon, target = CASES[case]
    ds = rotated(pole, rlat, rlon)
    got = conservative(ds, target, coverage=0.01)["tas"].values
    shares = overlap_shares(cells_of(ds), target).sum(axis=1).reshape(target.shape)
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            mean, share = brute_force(ds, pole, target, i, j)
            assert got[i, j] == pytest.approx(mean, abs=1e-3), (i, j)
            assert shares[i, j] == pytest.approx(share, abs=1e-3), (i, j)


@pytest.mark.parametrize("case", CASES)
def test_rows_inside_the_source_sum_to_one(case):
    pole, rlat, rlon, target = CASES[case]
    sums = overlap_shares(cells_of(rotated(pole, rlat, rlon)), target).sum(axis=1)
    np.testing.assert_allclose(sums, 1.0, atol=1e-9)


def test_the_globe_is_tiled_once_by_a_rotated_globe():
    """All of a turned globe, both of its poles and both true poles within cells: every target cell is covered once."""
    ds = rotated((37.0, 20.0), (-85.0, 10.0, 18), (-175.0, 10.0, 36))
    target = Grid(tuple(np.arange(-87.5, 90, 5)), tuple(np.arange(-177.5, 180, 5)))
    shares = overlap_shares(cells_of(ds), target)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-3)
    edges = np.sin(np.deg2rad(np.arange(-90, 91, 10)))
    true_area = np.repeat(np.diff(edges) / 2 / 36, 36)
    np.testing.assert_allclose(target.area.ravel() @ shares, true_area, rtol=2e-3)


def test_a_pole_that_is_not_turned_gives_the_separable_weights():
    plain = rotated((90.0, -180.0), (30.0, 0.7, 30), (-20.0, 0.9, 40))
    target = Grid(tuple(32.0 + 1.3 * np.arange(12)), tuple(-17.0 + 1.7 * np.arange(15)))
    regular = plain.drop_vars("crs").rename(rlat="lat", rlon="lon")
    np.testing.assert_allclose(
        conservative(plain, target)["tas"], conservative(regular, target)["tas"], rtol=1e-10
    )


def test_area_means_of_a_closed_region_are_kept():
    pole, rlat, rlon, _ = CASES["fine source"]
    ds = rotated(pole, rlat, rlon)
    target = Grid(tuple(np.arange(44.5, 58)), tuple(np.arange(7.5, 30)))
    shares = overlap_shares(cells_of(ds), target)
    edges = np.sin(np.deg2rad(rlat[0] + rlat[1] * (np.arange(rlat[2] + 1) - 0.5)))
    area = np.repeat(np.diff(edges), rlon[2])
    x = ds["tas"].values.ravel()
    got = target.area.ravel() @ (shares @ x) / (target.area.ravel() @ shares.sum(axis=1))
    assert got == pytest.approx((area * x).sum() / area.sum(), rel=1e-6)


@pytest.mark.parametrize("name", ["2-D centres", "bounds"])
def test_two_dimensional_coordinates_alone_give_nearly_the_same(name):
    pole, rlat, rlon, target = CASES["fine source"]
    ds = rotated(pole, rlat, rlon)
    lon, lat = RotatedPole(*pole).to_geographic(*np.meshgrid(ds["rlon"], ds["rlat"]))
    curved = ds.drop_vars(["rlat", "rlon", "crs"]).rename(rlat="y", rlon="x")
    curved = curved.assign_coords(lat=(("y", "x"), lat), lon=(("y", "x"), lon % 360))
    if name == "bounds":
        around = [(-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5)]
        corners = [
            RotatedPole(*pole).to_geographic(*np.meshgrid(ds["rlon"] + 0.11 * i, ds["rlat"] + 0.11 * j))
            for j, i in around
        ]
        curved["lon"].attrs["bounds"], curved["lat"].attrs["bounds"] = "lon_v", "lat_v"
        curved = curved.assign(
            lon_v=(("y", "x", "v"), np.stack([c[0] for c in corners], -1)),
            lat_v=(("y", "x", "v"), np.stack([c[1] for c in corners], -1)),
        )
    out = conservative(curved, target)
    assert set(out.data_vars) == {"tas"}
    np.testing.assert_allclose(out["tas"], conservative(ds, target)["tas"], atol=1e-3)


def test_nothing_of_the_old_cells_stays_behind():
    pole, rlat, rlon, target = CASES["fine source"]
    ds = rotated(pole, rlat, rlon).rename(rlat="y", rlon="x").set_coords("crs").assign_coords(height=2.0)
    ds["y"].attrs["standard_name"], ds["x"].attrs["standard_name"] = "grid_latitude", "grid_longitude"
    ds["tas"].encoding["grid_mapping"] = ds["tas"].attrs.pop("grid_mapping")
    for out in (conservative(ds, target), bilinear(ds, target)):
        assert set(out.variables) == {"tas", "lat", "lon", "height"}
        assert out["tas"].dims == ("lat", "lon")
        assert "grid_mapping" not in out["tas"].attrs | out["tas"].encoding


def test_holes_and_the_outside_are_nan():
    pole, rlat, rlon, _ = CASES["fine source"]
    ds = rotated(pole, rlat, rlon)
    wide = Grid(tuple(np.arange(30.5, 70)), tuple(np.arange(-9.5, 40)))
    ds["tas"][20:40, 20:50] = np.nan
    shares = overlap_shares(cells_of(ds), wide)
    held = (shares @ np.isfinite(ds["tas"].values.ravel())).reshape(wide.shape)
    out = conservative(ds, wide, coverage=0.5)["tas"].values
    np.testing.assert_array_equal(np.isnan(out), held < 0.5)
    assert np.isnan(out[:5]).all()
    assert np.nanmin(out) > 250
    assert (held[np.isnan(out)] > 0).sum() > 0


def test_a_masked_corner_of_a_curvilinear_grid_is_left_out():
    lat, lon = np.meshgrid(np.arange(40.0, 50), np.arange(0.0, 12), indexing="ij")
    lat[0, 0] = lon[0, 0] = np.nan
    ds = xr.Dataset(
        {"tas": (("y", "x"), np.ones(lat.shape))}, {"lat": (("y", "x"), lat), "lon": (("y", "x"), lon)}
    )
    out = conservative(ds, Grid((42.0, 46.0), (2.0, 6.0)), coverage=0.9)["tas"].values
    np.testing.assert_allclose(out, [[np.nan, 1.0], [1.0, 1.0]])


def test_a_halo_that_doubles_cells_is_refused():
    lat, lon = np.meshgrid(np.arange(-80.0, 81, 4), np.arange(0.0, 372, 4), indexing="ij")
    ds = xr.Dataset(
        {"tos": (("j", "i"), np.ones(lat.shape))}, {"lat": (("j", "i"), lat), "lon": (("j", "i"), lon)}
    )
    with pytest.raises(FinescaleError, match="cover a target cell 2 times; drop the doubled rows or columns"):
        conservative(ds, Grid((-2.0, 2.0), (0.0, 4.0)))


def test_broken_horizontal_coordinates_are_refused():
    lat, lon = np.meshgrid(np.arange(40.0, 50), np.arange(0.0, 12), indexing="ij")
    mixed = xr.Dataset({"tas": (("y", "x"), lat)}, {"lat": (("y", "x"), lat), "lon": (("x", "y"), lon.T)})
    with pytest.raises(FinescaleError, match="same two dimensions"):
        conservative(mixed, CASES["fine source"][3])
    pole, rlat, rlon, target = CASES["fine source"]
    ds = rotated(pole, rlat, rlon)
    del ds["crs"].attrs["grid_north_pole_longitude"]
    with pytest.raises(FinescaleError, match="grid_north_pole_longitude is missing from the grid mapping"):
        conservative(ds, target)


@pytest.mark.parametrize("case", CASES)
def test_bilinear_from_a_rotated_grid_is_bilinear_on_that_grid(case):
    """Against interpolation along the grid's own axes, at points rotated independently."""
    pole, rlat, rlon, target = CASES[case]
    ds = rotated(pole, rlat, rlon)
    lon, lat = turned(*np.meshgrid(target.lon, target.lat), pole)
    lon = (lon - rlon[0] + 90) % 360 - 90 + rlon[0]
    expected = ds["tas"].interp(rlat=(("lat", "lon"), lat), rlon=(("lat", "lon"), lon)).values
    np.testing.assert_allclose(bilinear(ds, target)["tas"].values, expected, atol=2e-3)


def test_bilinear_is_nan_outside_and_beside_nan():
    pole, rlat, rlon, _ = CASES["fine source"]
    ds = rotated(pole, rlat, rlon)
    ds["tas"][30, 30] = np.nan
    wide = Grid(tuple(np.arange(44.0, 58, 0.05)), tuple(np.arange(10.0, 24, 0.05)))
    out = bilinear(ds, wide)["tas"].values
    rlons, rlats = turned(*np.meshgrid(wide.lon, wide.lat), pole)
    y, x = (rlats - rlat[0]) / rlat[1], (rlons - rlon[0]) / rlon[1]
    rim = np.maximum(np.abs(y / (rlat[2] - 1) - 0.5), np.abs(x / (rlon[2] - 1) - 0.5))
    hole = np.maximum(np.abs(y - 30), np.abs(x - 30))
    clear = (np.abs(rim - 0.5) > 1e-4) & (np.abs(hole - 1) > 1e-2)  # Sides are great circles, not grid lines.
    assert (hole[clear] < 1).sum() > 10
    np.testing.assert_array_equal(np.isnan(out)[clear], ((rim > 0.5) | (hole < 1))[clear])

"""Horizontal axes: the same field whatever way round, wherever counted from, whatever called."""

import numpy as np
import pytest
import xarray as xr

from finescale.climate.space import regular_axes
from finescale.errors import FinescaleError


def globe(cmip, **kwargs):
    return cmip(lat=np.arange(-85, 86, 10.0), lon=np.arange(0, 360, 10.0), steps=2, **kwargs)


def at(ds, lat, lon):
    return ds["tas"].sel(lat=lat, lon=(lon + 180) % 360 - 180 if float(ds["lon"].min()) < 0 else lon).values


def test_longitude_from_0_or_from_minus_180_is_the_same_field(cmip):
    ds = globe(cmip)
    shifted = ds.assign_coords(lon=(ds["lon"] + 180) % 360 - 180).sortby("lon")
    shifted["lon"].attrs = ds["lon"].attrs
    one, done = regular_axes(ds)
    two, nothing = regular_axes(shifted)
    xr.testing.assert_identical(one, two)
    assert (done, nothing) == (["counted longitude from -180"], [])
    assert float(one["lon"].min()) == -180 and float(one["lon"].max()) == 170


def test_latitude_upside_down_is_the_same_field(cmip):
    ds = globe(cmip)
    one, _ = regular_axes(ds)
    two, done = regular_axes(ds.isel(lat=slice(None, None, -1)))
    xr.testing.assert_identical(one, two)
    assert "turned latitude to ascend" in done


def test_any_order_of_dimensions_and_any_name(cmip):
    ds = globe(cmip)
    one, _ = regular_axes(ds)
    odd = ds.transpose("lon", "time", "lat").rename(lat="nav", lon="navi")
    two, done = regular_axes(odd)
    xr.testing.assert_identical(one, two.drop_attrs().assign(tas=two["tas"].assign_attrs(ds["tas"].attrs)).assign_attrs(
        two.attrs).assign_coords(lat=one["lat"], lon=one["lon"]))  # fmt: skip
    assert two["tas"].dims == ("time", "lat", "lon")
    assert done[:2] == ["renamed nav to lat", "renamed navi to lon"]


def test_a_box_over_greenwich_stays_in_one_piece(cmip):
    ds = cmip(lon=[350.0, 355.0, 0.0, 5.0])
    one, _ = regular_axes(ds)
    np.testing.assert_array_equal(one["lon"], [-10, -5, 0, 5])
    np.testing.assert_array_equal(one["tas"], ds["tas"])


@pytest.mark.parametrize(
    "lon", [[170.0, 175.0, 180.0, 185.0], [170.0, 175.0, -180.0, -175.0], [-180.0, -175.0, 170.0, 175.0]]
)
def test_a_box_over_the_dateline_runs_on_beyond_180(cmip, lon):
    ds = cmip(lon=lon)
    one, done = regular_axes(ds)
    np.testing.assert_array_equal(one["lon"], [170, 175, 180, 185])
    for k, x in enumerate(lon):
        np.testing.assert_array_equal(one["tas"].sel(lon=x % 360), ds["tas"].isel(lon=k))
    if lon[-1] != 185.0:
        assert done == ["let longitude run on beyond 180 across the dateline"]


def test_a_rotated_pole_gets_its_places_from_the_mapping():
    ds = xr.Dataset(
        {"tas": (("rlat", "rlon"), np.arange(6.0).reshape(2, 3))},
        coords={
            "rlat": ("rlat", [1.0, 0.0], {"standard_name": "grid_latitude", "units": "degrees"}),
            "rlon": ("rlon", [0.0, 1.0, 2.0], {"standard_name": "grid_longitude", "units": "degrees"}),
            "rotated_pole": xr.DataArray(0, attrs={
                "grid_mapping_name": "rotated_latitude_longitude", "grid_north_pole_latitude": 39.25,
                "grid_north_pole_longitude": -162.0}),
        },
    )  # fmt: skip
    out, done = regular_axes(ds)
    assert out["tas"].dims == ("y", "x") and out["lat"].dims == ("y", "x")
    assert float(out["lat"][0, 0]) == pytest.approx(50.75) and float(out["lon"][0, 0]) == pytest.approx(18.0)
    assert float(out["tas"][0, 0]) == 3.0  # rows were turned to ascend
    assert done == ["computed latitude and longitude from rotated_latitude_longitude", "turned y to ascend"]


@pytest.mark.parametrize("dim", ["ncells", "cell", "values", "i"])
def test_an_unstructured_grid_is_refused_by_name(dim):
    ds = xr.Dataset(
        {"tas": (("time", dim), np.zeros((2, 5)))},
        coords={"clat": (dim, np.linspace(40, 50, 5), {"standard_name": "latitude"}),
                "clon": (dim, np.linspace(0, 9, 5), {"standard_name": "longitude"})},
    )  # fmt: skip
    with pytest.raises(
        FinescaleError, match=rf"share the one dimension {dim} \(5 cells\), an unstructured grid"
    ):
        regular_axes(ds)


def test_moving_grids_and_grids_repeated_in_time():
    lat, lon = np.meshgrid([40.0, 41.0], [5.0, 6.0], indexing="ij")
    ds = xr.Dataset(
        {"T2": (("Time", "south_north", "west_east"), np.zeros((3, 2, 2)))},
        coords={"XLAT": (("Time", "south_north", "west_east"), np.stack([lat] * 3), {"units": "degree_north"}),
                "XLONG": (("Time", "south_north", "west_east"), np.stack([lon] * 3), {"units": "degree_east"})},
    )  # fmt: skip
    out, _ = regular_axes(ds.rename(Time="time"))
    assert out["T2"].dims == ("time", "y", "x") and out["lat"].dims == ("y", "x")
    moving = ds.rename(Time="time").assign_coords(
        XLAT=ds["XLAT"].rename(Time="time") + xr.DataArray([0, 1, 2], dims="time")
    )
    with pytest.raises(FinescaleError, match="XLAT changes with time"):
        regular_axes(moving)


def test_impossible_axes_are_refused(cmip):
    with pytest.raises(FinescaleError, match="lon 2 is repeated"):
        regular_axes(cmip(lon=[0.0, 2.0, 2.0, 4.0]))
    with pytest.raises(FinescaleError, match="lat is in degrees: 4000"):
        regular_axes(cmip(lat=[4000.0, 4200.0, 4400.0]))
    with pytest.raises(FinescaleError, match="lat holds missing values"):
        regular_axes(cmip(lat=[40.0, np.nan, 44.0]))
    with pytest.raises(FinescaleError, match="a field has a place on Earth"):
        regular_axes(xr.Dataset({"tas": (("a", "b"), np.zeros((2, 2)))}))

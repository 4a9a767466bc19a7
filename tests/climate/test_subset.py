"""Cutting periods and regions: brute force over coordinates as the oracle."""

import datetime

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from finescale.climate.subset import crop_period, crop_region
from finescale.errors import FinescaleError


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_a_period_keeps_every_time_of_its_days(cmip, calendar):
    ds = cmip(start="2001-01-28", steps=80, calendar=calendar)
    cut = crop_period(ds, ("2001-01-30", "2001-02-03"))
    wanted = [
        k
        for k, t in enumerate(ds["time"].dt.strftime("%Y-%m-%d").values)
        if "2001-01-30" <= t <= "2001-02-03"
    ]
    xr.testing.assert_identical(cut, ds.isel(time=wanted))


def test_a_period_may_be_dates(cmip):
    ds = cmip(steps=40)
    days = datetime.date(2001, 1, 2), datetime.date(2001, 1, 4)
    assert crop_period(ds, days).sizes["time"] == 12


@pytest.mark.parametrize(
    "period", [("1999-01-01", "1999-02-01"), ("2001-01-02", "2002-01-01"), ("2000-06-01", "2001-01-03")]
)
def test_a_period_beyond_the_data_is_refused(cmip, period):
    with pytest.raises(FinescaleError, match=r"has 2001-01-01 .. 2001-01-10"):
        crop_period(cmip(steps=40), period)


def test_a_backward_or_misspelt_period_is_refused(cmip):
    with pytest.raises(FinescaleError, match="ends after it begins"):
        crop_period(cmip(), ("2001-01-02", "2001-01-01"))
    with pytest.raises(FinescaleError, match="YYYY-MM-DD"):
        crop_period(cmip(), ("January", "2001-01-01"))


def test_monthly_means_cover_their_months(cmip):
    ds = cmip(start="2001-01-16", steps=24, freq="MS").assign_coords(
        time=np.array([f"{2001 + k // 12}-{k % 12 + 1:02d}-16" for k in range(24)], dtype="datetime64[ns]")
    )
    assert crop_period(ds, ("2001-01-01", "2002-12-31")).sizes["time"] == 24


@pytest.mark.parametrize("first", [0.0, -180.0])
@pytest.mark.parametrize(
    "box", [(-30, 30, 350, 20), (10, 50, -20, 15), (-90, 90, 170, -170), (0, 60, 100, 140)]
)
def test_a_region_holds_exactly_its_cells_side_by_side(cmip, first, box):
    ds = cmip(lat=np.arange(-88, 89, 4.0), lon=first + np.arange(0, 360, 5.0), steps=1)
    cut = crop_region(ds, box)
    south, north, west, east = box
    inside = {x for x in np.mod(ds["lon"].values, 360) if (x - west) % 360 <= (east - west) % 360}
    assert set(np.mod(cut["lon"].values, 360)) == inside
    assert set(cut["lat"].values) == {y for y in ds["lat"].values if south <= y <= north}
    np.testing.assert_allclose(np.mod(np.diff(cut["lon"].values), 360), 5.0)
    np.testing.assert_array_equal(cut["tas"].values, ds["tas"].sel(lat=cut["lat"], lon=cut["lon"]).values)


def test_a_margin_adds_neighbours_over_the_seam(cmip):
    ds = cmip(lat=np.arange(-88, 89, 4.0), lon=np.arange(0, 360, 5.0), steps=1)
    cut = crop_region(ds, (-30, 30, 0, 20), margin=2)
    np.testing.assert_array_equal(cut["lon"], [350, 355, 0, 5, 10, 15, 20, 25, 30])
    assert float(cut["lat"].min()) == -36


def test_a_margin_stops_at_the_edge_of_a_regional_axis(cmip):
    ds = cmip(lat=np.arange(40, 50, 1.0), lon=np.arange(0, 10, 1.0), steps=1)
    cut = crop_region(ds, (42, 44, 0, 3), margin=2)
    np.testing.assert_array_equal(cut["lon"], [0, 1, 2, 3, 4, 5])


def test_a_box_on_a_curvilinear_grid(cmip):
    lat, lon = np.meshgrid(np.arange(40, 50, 1.0), np.arange(0, 12, 1.0), indexing="ij")
    ds = xr.Dataset(
        {"tas": (("y", "x"), lat * 100 + lon)},
        coords={"lat": (("y", "x"), lat + lon / 10, {"standard_name": "latitude"}),
                "lon": (("y", "x"), lon, {"standard_name": "longitude"})},
    )  # fmt: skip
    cut = crop_region(ds, (43, 45, 2, 5))
    assert float(cut["lon"].min()) <= 2 <= 5 <= float(cut["lon"].max())
    kept = cut["tas"].values
    wanted = ds["tas"].values[(ds["lat"] >= 43) & (ds["lat"] <= 45) & (ds["lon"] >= 2) & (ds["lon"] <= 5)]
    assert set(wanted) <= set(kept.ravel())


def test_an_empty_region_is_refused(cmip):
    with pytest.raises(FinescaleError, match="no longitudes between 100 and 120"):
        crop_region(cmip(), (40, 44, 100, 120))
    with pytest.raises(FinescaleError, match="south lies below"):
        crop_region(cmip(), (44, 40, 0, 4))


def test_only_what_is_needed_is_read(cmip):
    read = []

    def block(info=None):
        read.append(info)
        return np.zeros((1, 45, 72))

    ds = cmip(lat=np.arange(-88, 89, 4.0), lon=np.arange(0, 360, 5.0), steps=400)
    lazy = da.concatenate([da.from_delayed(dask_block(block, k), (1, 45, 72), "float64") for k in range(400)])
    ds["tas"] = (("time", "lat", "lon"), lazy)
    crop_region(crop_period(ds, ("2001-01-11", "2001-01-12")), (0, 10, 0, 10)).compute(
        scheduler="synchronous"
    )
    assert sorted(read) == list(range(40, 48))


def dask_block(function, k):
    import dask

    return dask.delayed(function)(k)

import datetime as dt

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from finescale.errors import FinescaleError
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid

FINE = Grid(tuple(46.0 + 0.08 * np.arange(16)), tuple(8.0 + 0.12 * np.arange(24)))
H = Coarsening(FINE, FINE.coarsen(8))
HOURLY_MEAN = Coarsening(FINE, FINE.coarsen(8), how="mean")


def weather(start="2001-02-27T03", hours=51, calendar="standard", seed=0, dtype="f8") -> xr.Dataset:
    time = xr.date_range(start, periods=hours, freq="h", calendar=calendar, use_cftime=calendar != "standard")
    x = np.random.default_rng(seed).normal(size=(hours, *FINE.shape)).astype(dtype)
    return xr.Dataset(
        {"tas": (("time", "lat", "lon"), x, {"units": "K"})}, coords={"time": time, **FINE.coords()}
    )


def inner(a: xr.Dataset, b: xr.Dataset) -> float:
    return float(sum((a[name] * b[name]).sum() for name in a.data_vars))


def test_space_is_the_integral_over_the_cell():
    """Each coarse value equals the midpoint-rule integral of the piecewise constant field, written out anew."""
    ds = weather(hours=4)
    got = H.space(ds)["tas"].values
    x = ds["tas"].values
    fine_points = 200
    expected = np.empty_like(got)
    for i in range(2):
        for j in range(3):
            block = x[:, 8 * i : 8 * i + 8, 8 * j : 8 * j + 8]
            lat = 46.0 - 0.04 + 0.08 * (8 * i + (np.arange(8 * fine_points) + 0.5) / fine_points)
            weight = np.cos(np.deg2rad(lat)).reshape(8, fine_points).sum(axis=1)
            expected[:, i, j] = (block.mean(axis=2) * weight).sum(axis=1) / weight.sum()
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    south=st.floats(-89.0, 60.0),
    step=st.floats(0.05, 0.5),
    factor=st.integers(1, 6),
    seed=st.integers(0, 2**20),
)
def test_the_area_mean_is_kept_to_rounding(south, step, factor, seed):
    fine = Grid(tuple(south + step * np.arange(3 * factor)), tuple(-30 + 2 * step * np.arange(4 * factor)))
    x = xr.Dataset(
        {"psl": (("lat", "lon"), 1e5 + 1e3 * np.random.default_rng(seed).normal(size=fine.shape))},
        fine.coords(),
    )
    coarsening = Coarsening(fine, fine.coarsen(factor))
    y = coarsening.space(x)
    area = coarsening.coarse.area
    # The coarse centres are rounded to 1e-9 degrees, the weights are not.
    rows = coarsening.lat_matrix.T @ (area.sum(axis=1))
    np.testing.assert_allclose(rows, fine.area.sum(axis=1), rtol=1e-6)
    assert float((y["psl"] * area).sum()) == pytest.approx(float((x["psl"] * fine.area).sum()), rel=1e-9)


def test_rows_of_the_matrices_sum_to_one_and_the_kronecker_product_is_H():
    ds = weather(hours=3)
    dense = np.kron(H.lat_matrix, H.lon_matrix)
    np.testing.assert_allclose(dense.sum(axis=1), 1.0, atol=1e-14)
    assert H.lat_matrix.dtype == H.lon_matrix.dtype == np.float64
    expected = (ds["tas"].values.reshape(3, -1) @ dense.T).reshape(3, 2, 3)
    np.testing.assert_allclose(H.space(ds)["tas"].values, expected, atol=1e-13)
    np.testing.assert_allclose(H.diagonal(), np.diag(dense @ dense.T).reshape(2, 3), rtol=1e-12)


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
@pytest.mark.parametrize("coarsening", [H, HOURLY_MEAN], ids=["instant", "mean"])
def test_the_adjoint_is_the_transpose(coarsening, calendar):
    x = weather(calendar=calendar)
    y = coarsening.apply(x)
    other = y.copy(data={"tas": np.random.default_rng(1).normal(size=y["tas"].shape)})
    back = coarsening.adjoint(other, x["time"])
    assert inner(y, other) == pytest.approx(inner(x, back), rel=1e-12)
    assert back["tas"].dims == ("time", "lat", "lon")
    assert back["time"].equals(x["time"])


def test_the_diagonal_of_a_mean_is_the_square_of_its_adjoint():
    x = weather()
    unit = HOURLY_MEAN.apply(x) * 0.0
    unit["tas"][2, 1, 1] = 1.0
    row = HOURLY_MEAN.adjoint(unit, x["time"])["tas"]
    assert float((row**2).sum()) == pytest.approx(HOURLY_MEAN.diagonal()[1, 1], rel=1e-12)


@pytest.mark.parametrize("start", ["2001-02-27T00", "2001-02-27T03", "2001-02-27T05"])
@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_instants_fall_on_the_absolute_clock(start, calendar):
    x = weather(start, calendar=calendar)
    y = H.time(x)
    assert set(y["time"].dt.hour.values) == {0, 6, 12, 18}
    assert len(y["time"]) == sum(hour % 6 == 0 for hour in x["time"].dt.hour.values)
    xr.testing.assert_identical(y["tas"].drop_attrs(), x["tas"].sel(time=y["time"]).drop_attrs())


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_means_cover_the_hours_that_end_at_the_stamp(calendar):
    x = weather(calendar=calendar)
    y = HOURLY_MEAN.time(x)
    assert y["time"].dt.hour.values.tolist() == [
        12,
        18,
        0,
        6,
        12,
        18,
        0,
    ]  # 06 has only four of its six hours.
    for k, stamp in enumerate(y["time"].values):
        at = int(np.flatnonzero(x["time"].values == stamp)[0])
        np.testing.assert_allclose(
            y["tas"].values[k], x["tas"].values[at - 5 : at + 1].mean(axis=0), atol=1e-14
        )
        begin, end = y["time_bnds"].values[k]
        assert end == stamp
        assert (end - begin) / (
            dt.timedelta(hours=6) if calendar != "standard" else np.timedelta64(6, "h")
        ) == 1
    assert y["tas"].attrs["cell_methods"] == "time: mean"
    assert y["time"].attrs["bounds"] == "time_bnds"


def test_a_mean_of_precipitation_keeps_the_water():
    x = weather("2001-01-01T01", hours=48)
    y = HOURLY_MEAN.time(x)
    assert float(y["tas"].mean()) == pytest.approx(float(x["tas"].mean()), abs=1e-14)


def test_a_nan_spoils_its_own_coarse_cell_and_stamp_only():
    for coarsening in (H, HOURLY_MEAN):
        x = weather("2001-01-01T01", hours=24)
        x["tas"][11, 9, 20] = np.nan  # 12 UTC: the second of four stamps.
        bad = np.isnan(coarsening.apply(x)["tas"].values)
        assert np.argwhere(bad).tolist() == [[1, 1, 2]]


def test_a_constant_stays_constant_in_single_precision():
    x = weather(dtype="f4") * np.float32(0) + np.float32(101325.4)
    for coarsening in (H, HOURLY_MEAN):
        y = coarsening.apply(x)["tas"]
        assert y.dtype == np.float32
        assert np.unique(y.values).tolist() == [np.float32(101325.4)]


def test_dask_stays_lazy_and_gives_the_same_numbers():
    x = weather(hours=200)
    for coarsening in (H, HOURLY_MEAN):
        lazy = coarsening.apply(x.chunk(time=37, lat=5))
        assert isinstance(lazy["tas"].data, da.Array)
        np.testing.assert_array_equal(lazy["tas"].values, coarsening.apply(x)["tas"].values)


def test_nothing_is_computed_before_it_is_asked_for():
    def explode(block):
        raise AssertionError("computed")

    x = weather(hours=48)
    mine = x.chunk(time=12)["tas"].data.map_blocks(explode, meta=np.empty((0, 0, 0)))
    for coarsening in (H, HOURLY_MEAN):
        lazy = coarsening.apply(x.assign(tas=(("time", "lat", "lon"), mine)))
        with pytest.raises(AssertionError, match="computed"):
            lazy.compute()


def test_members_statics_and_attributes_go_along():
    x = weather(hours=12)
    members = xr.concat([x, x * 2], dim="member").assign(
        orog=(("lat", "lon"), np.ones(FINE.shape), {"units": "m"})
    )
    members = members.assign(lat_bnds=(("lat", "bnds"), np.zeros((16, 2))), crs=((), 0))
    members["tas"].attrs = {"units": "K", "cell_methods": "time: point"}
    y = H.apply(members)
    assert y["tas"].dims == ("member", "time", "lat", "lon")
    assert y["tas"].attrs == {"units": "K", "cell_methods": "time: point area: mean"}
    assert y["orog"].shape == (2, 3)
    assert set(y.data_vars) == {"tas", "orog", "crs"}
    assert Grid.from_dataset(y) == H.coarse


def test_data_of_another_grid_are_refused():
    with pytest.raises(FinescaleError, match=r"made for another grid: 16 x 24 cells in 46\.\.47\.2 N"):
        H.space(weather().isel(lat=slice(2, None)))


@pytest.mark.parametrize(
    ("every", "how", "said"), [(5, "instant", "does not divide 24"), (6, "max", "'max'")]
)
def test_wrong_clocks_are_refused(every, how, said):
    with pytest.raises(FinescaleError, match=said):
        Coarsening(FINE, FINE.coarsen(8), every, how)


def test_a_hole_in_the_hours_is_named_and_never_averaged_over():
    x = weather("2001-01-01T01", hours=24).drop_isel(time=7)
    with pytest.raises(FinescaleError, match=r"2001-01-01T07.* is followed by 2001-01-01T09"):
        HOURLY_MEAN.time(x)
    assert len(H.time(x)["time"]) == 4


def test_time_axes_that_miss_the_clock_are_refused():
    x = weather(hours=12)
    with pytest.raises(FinescaleError, match="no stamp of"):
        H.time(x.assign_coords(time=x["time"] + np.timedelta64(30, "m")))
    with pytest.raises(FinescaleError, match="decode it first"):
        H.time(x.assign_coords(time=np.arange(12)))
    with pytest.raises(FinescaleError, match="all of its 6 hours: no block of 4 stamps, 1 h apart"):
        HOURLY_MEAN.time(x.isel(time=slice(4)))


def test_the_adjoint_refuses_stamps_that_H_did_not_see():
    x = weather()
    y = H.apply(x)
    with pytest.raises(FinescaleError, match="8 stamps, 7 observed"):
        H.adjoint(y, x["time"][:40])

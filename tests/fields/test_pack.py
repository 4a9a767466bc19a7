"""Datasets to arrays and back."""

import numpy as np
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.fields.axis import segments, step_hours
from finescale.fields.pack import blocks, pack, spatial_dims, unpack


def dataset(frames=50, dims=("lat", "lon")):
    rng = np.random.default_rng(0)
    time = np.datetime64("2001-01-01", "ns") + np.arange(frames) * np.timedelta64(1, "h")
    shape = (frames, 3, 4)
    return xr.Dataset(
        {
            n: (("time", *dims), rng.standard_normal(shape).astype(np.float32), {"units": u})
            for n, u in (("a", "K"), ("b", "Pa"))
        },
        coords={"time": time, dims[0]: np.arange(3.0), dims[1]: np.arange(4.0)},
    )


@pytest.mark.parametrize("dims", [("lat", "lon"), ("y", "x")])
def test_round_trip(dims):
    ds = dataset(dims=dims)
    assert spatial_dims(ds) == dims
    back = unpack(pack(ds.transpose(*dims, "time"), ["b", "a"]), ds, ["b", "a"])
    xr.testing.assert_identical(back[["a", "b"]], ds)


def test_members_come_first():
    ds = dataset()
    array = pack(ds, ["a", "b"])
    back = unpack(np.stack([array, 2 * array]), ds, ["a", "b"])
    assert back["a"].dims == ("member", "time", "lat", "lon")
    np.testing.assert_array_equal(back["b"][1], 2 * ds["b"])


@pytest.mark.parametrize("size", [7, 50, 64])
def test_blocks_join_to_the_whole(size):
    ds = dataset()
    pieces = list(blocks(ds, ["a", "b"], size))
    assert [start for start, _ in pieces] == list(range(0, 50, size))
    np.testing.assert_array_equal(np.concatenate([b for _, b in pieces]), pack(ds, ["a", "b"]))


def test_blocks_can_be_thinned():
    ds = dataset()
    thin = np.concatenate([b for _, b in blocks(ds, ["a"], 10, every=5)])
    np.testing.assert_array_equal(thin[:, 0], ds["a"][::5])


def test_missing_variables_and_axes_are_refused():
    with pytest.raises(FinescaleError, match=r"no \['c'\]"):
        next(blocks(dataset(), ["a", "c"]))
    with pytest.raises(FinescaleError, match="lat, lon or y, x"):
        spatial_dims(xr.Dataset(coords={"cell": [0]}))


def test_time_axis_breaks_where_it_breaks():
    time = dataset()["time"].values.copy()
    time[20:] += np.timedelta64(2, "h")
    axis = xr.DataArray(time, dims="time")
    assert step_hours(axis) == 1
    np.testing.assert_array_equal(segments(axis), np.repeat([0, 1], [20, 30]))
    odd = xr.DataArray(
        xr.date_range("2001-01-01", periods=5, freq="6h", calendar="360_day", use_cftime=True), dims="time"
    )
    assert step_hours(odd) == 6
    assert segments(odd).max() == 0

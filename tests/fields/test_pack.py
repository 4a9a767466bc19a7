"""Datasets to arrays and back."""

import numpy as np
import pytest
import xarray as xr
import zarr

import finescale.fields.pack
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


@pytest.mark.parametrize("bytes_at_once", [1, 1500, 2**20])
@pytest.mark.parametrize("lengths", [(50,), (3,) * 16 + (2,), (11, 29, 10), (1, 48, 1)])
def test_blocks_of_lazy_data_do_not_depend_on_its_chunks(monkeypatch, lengths, bytes_at_once):
    monkeypatch.setattr(finescale.fields.pack, "READ_BYTES", bytes_at_once)
    ds = dataset()
    for every in (1, 3):
        found = list(blocks(ds.chunk(time=lengths), ["b", "a"], 8, every))
        wanted = list(blocks(ds, ["b", "a"], 8, every))
        assert [start for start, _ in found] == [start for start, _ in wanted] == list(range(0, 50, 8))
        for (_, one), (_, two) in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, two)


def test_a_chunk_is_decoded_once(tmp_path, monkeypatch):
    ds = dataset()
    ds.to_zarr(tmp_path / "a.zarr", encoding={n: {"chunks": (20, 3, 4)} for n in ds.data_vars})
    lazy = xr.open_zarr(tmp_path / "a.zarr")
    reads, decode = [], zarr.codecs.ZstdCodec._decode_single
    monkeypatch.setattr(zarr.codecs.ZstdCodec, "_decode_single", lambda *a: reads.append(1) or decode(*a))
    list(blocks(lazy, ["a", "b"], 8))
    assert len(reads) == 2 * 3  # two variables of three chunks


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

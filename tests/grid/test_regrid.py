import dask.array as da
import numpy as np
import pytest
import xarray as xr
import xarray_regrid  # noqa: F401  registers the accessor that is the oracle here
from hypothesis import given, settings
from hypothesis import strategies as st

from finescale.errors import FinescaleError
from finescale.grid.grid import Grid
from finescale.grid.regrid import bilinear, conservative

TARGET = Grid(tuple(40.75 + 1.5 * np.arange(8)), tuple(-9.25 + 1.5 * np.arange(12)))


def field(lat, lon, *, times=3, seed=0, dtype="f8", holes=0.0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    x = rng.normal(280, 10, size=(times, len(lat), len(lon)))
    x[rng.random(x.shape) < holes] = np.nan
    return xr.Dataset(
        {"tas": (("time", "lat", "lon"), x.astype(dtype))},
        coords={"time": np.arange(times), "lat": np.asarray(lat), "lon": np.asarray(lon)},
    )


def centres(start, step, size):
    return start + step * np.arange(size)


def refined(ds: xr.Dataset, times: int) -> xr.Dataset:
    """The same piecewise constant field on cells cut into `times` in latitude."""
    lat = ds["lat"].values
    step = lat[1] - lat[0]
    fine = lat[0] - step / 2 + step / times * (np.arange(lat.size * times) + 0.5)
    values = np.repeat(ds["tas"].values, times, axis=1)
    return xr.Dataset(
        {"tas": (("time", "lat", "lon"), values)}, {"time": ds["time"], "lat": fine, "lon": ds["lon"]}
    )


def oracle(ds: xr.Dataset, target: Grid) -> np.ndarray:
    return ds.regrid.conservative(xr.Dataset(coords=target.coords()), latitude_coord="lat")["tas"].values


@pytest.mark.parametrize("holes", [0.0, 0.3])
def test_nested_rows_agree_with_xarray_regrid(holes):
    ds = field(centres(38.125, 0.25, 64), centres(-15.0, 0.7, 50), holes=holes)
    got = conservative(ds, TARGET, coverage=1e-6)["tas"].values
    np.testing.assert_allclose(got, oracle(ds, TARGET), rtol=1e-6 / 280)


def test_rows_that_are_cut_agree_with_xarray_regrid_once_it_is_given_whole_rows():
    """Where a target edge cuts a source row, xarray-regrid shares the row by degrees; cut rows make it exact."""
    ds = field(centres(36.5, 1.0, 22), centres(-15.0, 0.7, 50))
    got = conservative(ds, TARGET)["tas"].values
    np.testing.assert_allclose(got, oracle(refined(ds, 4), TARGET), rtol=1e-6 / 280)
    assert 1e-6 < np.abs(got - oracle(ds, TARGET)).max() < 0.1


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(3, 40), columns=st.integers(3, 40), shift=st.sampled_from([-360.0, 0.0, 360.0]),
    flip=st.booleans(), seed=st.integers(0, 2**20),
)  # fmt: skip
def test_the_area_mean_of_a_shared_region_is_kept(rows, columns, shift, flip, seed):
    """Both grids tile 30..60 N, 20 W..25 E; their cells have nothing to do with one another."""
    source = Grid(
        tuple(30 + 30 / rows * (np.arange(rows) + 0.5)),
        tuple(-20 + 45 / columns * (np.arange(columns) + 0.5)),
    )
    target = Grid(tuple(30 + 30 / 11 * (np.arange(11) + 0.5)), tuple(-20 + 45 / 13 * (np.arange(13) + 0.5)))
    ds = field(source.lat, np.asarray(source.lon), times=1, seed=seed)
    mean = float((ds["tas"] * source.area).sum())
    ds = ds.assign_coords(lon=ds["lon"] + shift)
    ds = ds.isel(lat=slice(None, None, -1)) if flip else ds
    out = conservative(ds, target, coverage=1.0)["tas"]
    assert float((out * target.area).sum()) == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize("method", [conservative, bilinear])
@pytest.mark.parametrize("start", [0.0, -180.0, -179.37, 5.0])
def test_a_constant_stays_constant_wherever_the_circle_is_cut(method, start):
    ds = field(centres(-90.0, 2.5, 73)[::-1], centres(start, 1.875, 192), dtype="f4") * np.float32(
        0
    ) + np.float32(285.7)
    target = Grid(tuple(centres(-87.0, 3.0, 59)), tuple(centres(-180.0, 1.7, 211)))
    assert np.unique(method(ds, target)["tas"].values).tolist() == [np.float32(285.7)]


@pytest.mark.parametrize("method", [conservative, bilinear])
def test_the_cut_of_the_circle_does_not_matter(method):
    east = field(centres(-60.0, 2.0, 60), centres(0.0, 2.0, 180))
    west = east.roll(lon=90, roll_coords=True)
    west = west.assign_coords(lon=(west["lon"] + 180) % 360 - 180)
    target = Grid(tuple(centres(-50.0, 1.7, 40)), tuple(centres(-177.0, 1.9, 180)))
    np.testing.assert_allclose(method(east, target)["tas"], method(west, target)["tas"], atol=1e-10)
    assert bool(method(east, target)["tas"].notnull().all())


@pytest.mark.parametrize("method", [conservative, bilinear])
def test_outside_the_source_is_nan_and_never_zero(method):
    ds = field(centres(45.0, 0.5, 6), centres(0.0, 0.5, 6))
    out = method(ds, TARGET)["tas"]
    lat, lon = np.asarray(TARGET.lat), np.asarray(TARGET.lon)
    away = ((lat < 44) | (lat > 48.5))[:, None] | ((lon < -1) | (lon > 3.5))[None, :]
    assert np.isnan(out.values[:, away]).all()
    assert (out.values[~np.isnan(out.values)] > 200).all()
    assert bool(out.notnull().any())


@pytest.mark.parametrize(
    ("coverage", "kept"),
    [(0.2, [1, 1, 1, 1]), (0.5, [0, 1, 1, 1]), (0.75, [0, 0, 1, 1]), (1.0, [0, 0, 0, 1])],
)
def test_a_cell_needs_its_coverage(coverage, kept):
    ds = field(centres(0.25, 0.5, 4), centres(0.25, 0.5, 4), times=1) * 0 + 7.0
    # Quarters of the four 1-degree cells that hold data: about 1/4, 1/2, 3/4 and all.
    for i, j in [(0, 0), (0, 1), (1, 0), (0, 2), (1, 2), (3, 0)]:
        ds["tas"][0, i, j] = np.nan
    out = conservative(ds, Grid((0.5, 1.5), (0.5, 1.5)), coverage=coverage)["tas"].values[0]
    np.testing.assert_allclose(out.ravel(), np.where(kept, 7.0, np.nan), rtol=1e-14)


def test_partly_missing_cells_hold_the_mean_of_what_is_there():
    ds = field(centres(40.25, 0.5, 24), centres(-9.75, 0.5, 40), holes=0.3)
    x, area = ds["tas"].values, Grid.from_dataset(ds).area
    target = Grid.from_dataset(ds).coarsen(4)
    there = np.where(np.isnan(x), 0.0, area)
    blocks = (3, 6, 4, 10, 4)
    share = there.reshape(blocks).sum(axis=(2, 4)) / area.reshape(blocks[1:]).sum(axis=(1, 3))
    total = (np.nan_to_num(x) * there).reshape(blocks).sum(axis=(2, 4))
    expected = np.where(share >= 0.7, total / there.reshape(blocks).sum(axis=(2, 4)), np.nan)
    np.testing.assert_allclose(conservative(ds, target, coverage=0.7)["tas"].values, expected, rtol=1e-8)


def test_one_mask_for_all_times_gives_the_same_as_time_by_time():
    ds = field(centres(38.125, 0.25, 64), centres(-15.0, 0.7, 50), times=4)
    ds = ds.where(np.random.default_rng(5).random((64, 50)) > 0.4)
    whole = conservative(ds, TARGET)["tas"].values
    for k in range(4):
        np.testing.assert_allclose(
            conservative(ds.isel(time=[k]), TARGET)["tas"].values, whole[[k]], rtol=1e-14
        )


def test_bilinear_agrees_with_xarray_regrid_and_is_exact_for_a_plane():
    ds = field(centres(30.0, 1.1, 30), centres(-20.0, 1.3, 40), holes=0.1)
    expected = ds.regrid.linear(xr.Dataset(coords=TARGET.coords()))["tas"].values
    np.testing.assert_allclose(bilinear(ds, TARGET)["tas"].values, expected, rtol=1e-9)
    plane = 2 * ds["lat"] - 3 * ds["lon"]
    out = bilinear(plane.to_dataset(name="p"), TARGET)["p"]
    np.testing.assert_allclose(
        out.values, np.add.outer(2 * np.asarray(TARGET.lat), -3 * np.asarray(TARGET.lon)), atol=1e-10
    )


def test_bilinear_holds_the_outer_centres_to_their_edges():
    coarse = field(centres(46.25, 0.5, 4), centres(8.25, 0.5, 4), times=1)
    out = bilinear(coarse, Grid(tuple(centres(45.95, 0.1, 22)), tuple(centres(8.05, 0.1, 20))))["tas"].values[
        0
    ]
    assert np.isnan(out[[0, -1]]).all()
    assert not np.isnan(out[1:-1]).any()
    assert out[1, 0] == coarse["tas"].values[0, 0, 0]


def test_a_nan_without_weight_does_no_harm_in_bilinear():
    ds = field(centres(46.0, 0.5, 4), centres(8.0, 0.5, 4), times=1)
    ds["tas"][0, 1, 1] = np.nan
    out = bilinear(ds, Grid(tuple(ds["lat"].values), tuple(ds["lon"].values)))["tas"]
    np.testing.assert_array_equal(out.values, ds["tas"].values)


def test_declared_bounds_are_honoured_even_when_wrapped_or_falling():
    ds = field([10.0, 1.0, -10.0], [0.0, 10.0, 20.0], times=1)
    ds["lat"].attrs["bounds"] = "lat_bnds"
    bounds = {"lat_bnds": (("lat", "b"), [[15.0, 3.0], [3.0, -1.0], [-1.0, -15.0]])}
    wrapped = {"lon_bnds": (("lon", "b"), [[355.0, 5.0], [5.0, 15.0], [15.0, 25.0]])}
    out = conservative(ds.assign(bounds | wrapped), Grid((1.0, 5.0), (0.0, 4.0)))["tas"].values[0]
    assert out[0, 0] == pytest.approx(
        ds["tas"].values[0, 1, 0], rel=1e-12
    )  # -1..3 N is the second row alone.
    assert out[1, 0] == pytest.approx(ds["tas"].values[0, 0, 0], rel=1e-12)
    gap = {"lat_bnds": (("lat", "b"), [[15.0, 3.0], [2.0, -1.0], [-1.0, -15.0]])}
    with pytest.raises(FinescaleError, match="lat bounds leave 1 degrees between two"):
        conservative(ds.assign(gap), TARGET)


def test_dask_stays_lazy_bounded_and_equal():
    ds = field(centres(38.125, 0.25, 64), centres(-15.0, 0.7, 50), times=40, holes=0.2, dtype="f4")
    for method in (conservative, bilinear):
        lazy = method(ds.chunk(time=7, lat=20), TARGET)
        assert isinstance(lazy["tas"].data, da.Array)
        assert lazy["tas"].chunksizes["time"] == (7, 7, 7, 7, 7, 5)
        assert lazy["tas"].dtype == np.float32
        np.testing.assert_array_equal(lazy["tas"].values, method(ds, TARGET)["tas"].values)


def test_other_variables_and_attributes_are_kept_true():
    ds = field(centres(38.125, 0.25, 64), centres(-15.0, 0.7, 50))
    ds["tas"].attrs = {"units": "K", "cell_methods": "area: time: mean", "cell_measures": "area: areacella"}
    ds = ds.assign(height=2.0, lat_bnds=(("lat", "bnds"), np.stack([ds.lat - 0.125, ds.lat + 0.125], 1)))
    out = conservative(ds.transpose("lat", "lon", ...), TARGET)
    assert out["tas"].dims == ("time", "lat", "lon")
    assert out["tas"].attrs == {"units": "K", "cell_methods": "area: time: mean area: mean"}
    assert set(out.data_vars) == {"tas", "height"}
    assert Grid.from_dataset(out) == TARGET


def test_what_cannot_be_regridded_is_refused_by_name():
    cells = xr.Dataset(
        {"tas": ("cell", np.zeros(9))}, {"lat": ("cell", np.zeros(9)), "lon": ("cell", np.zeros(9))}
    )
    for method in (conservative, bilinear):
        with pytest.raises(FinescaleError, match=r"unstructured grid .* both run along 'cell'"):
            method(cells, TARGET)
        with pytest.raises(FinescaleError, match="lon is missing"):
            method(cells.drop_vars("lon"), TARGET)
        with pytest.raises(FinescaleError, match="lat has 4 values that neither rise nor fall"):
            method(field([1.0, 3.0, 2.0, 4.0], [1.0, 2.0, 3.0]), TARGET)
    with pytest.raises(FinescaleError, match=r"coverage is a share in \(0, 1\]: 0"):
        conservative(field([1.0, 2.0], [1.0, 2.0]), TARGET, coverage=0)


def test_only_the_rows_and_columns_with_weight_are_read():
    """Each row of the globe is a dask chunk of its own that raises when it lies away from the target and is read."""
    ds = field(centres(-89.5, 1.0, 180), centres(-179.5, 1.0, 360), times=2)
    far = np.abs(ds["lat"] - 46) > 8

    def read(block, block_info=None):
        (begin, end) = block_info[0]["array-location"][1]
        assert not far.values[begin:end].any(), "a row away from the target was read"
        return block

    guarded = ds["tas"].chunk(lat=1).data.map_blocks(read, meta=np.empty((0, 0, 0)))
    for method in (conservative, bilinear):
        out = method(ds.assign(tas=(("time", "lat", "lon"), guarded)), TARGET)
        np.testing.assert_array_equal(out["tas"].values, method(ds, TARGET)["tas"].values)
    with pytest.raises(AssertionError, match="was read"):
        guarded.compute()


def test_a_target_off_the_source_altogether_is_refused():
    ds = field(centres(-10.0, 1.0, 8), centres(100.0, 1.0, 8))
    for method in (conservative, bilinear):
        with pytest.raises(FinescaleError, match="the target overlaps the source: no cell of"):
            method(ds, TARGET)

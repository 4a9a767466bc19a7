import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from finescale.errors import FinescaleError
from finescale.grid.grid import Grid


def axis(start: float, step: float, size: int) -> tuple[float, ...]:
    return tuple(start + step * np.arange(size))


FINE = Grid(axis(46.0, 0.08, 48), axis(8.0, 0.12, 48))


def test_equal_grids_are_equal_and_hash_alike_whatever_made_them():
    summed = Grid(tuple(np.cumsum([46.0] + [0.08] * 47)), axis(8.0, 0.12, 48))
    assert summed == FINE
    assert hash(summed) == hash(FINE)
    assert {FINE: 1}[summed] == 1


def test_float32_coordinates_give_the_decimals_that_were_written():
    ds = xr.Dataset(coords=FINE.coords())
    single = ds.assign_coords(lat=ds["lat"].astype("f4"), lon=ds["lon"].astype("f4"))
    assert Grid.from_dataset(single) == FINE


def test_coords_round_trip_and_carry_cf_attributes():
    ds = xr.Dataset(coords=FINE.coords())
    assert Grid.from_dataset(ds) == FINE
    assert ds["lat"].attrs["standard_name"] == "latitude"
    assert ds["lon"].attrs["units"] == "degrees_east"


def test_area_is_the_share_of_the_band_between_two_parallels():
    grid = Grid(axis(-89.0, 2.0, 90), axis(-179.0, 2.0, 180))
    tropics = np.abs(grid.lat) < 30
    assert grid.area.sum() == pytest.approx(1.0, abs=1e-12)
    assert grid.area[tropics].sum() == pytest.approx(np.sin(np.deg2rad(30)), abs=1e-12)


def test_polar_rows_end_at_the_pole():
    grid = Grid(axis(-90.0, 1.0, 181), axis(-180.0, 1.5, 240))
    assert grid.lat_edges[[0, -1]].tolist() == [-90.0, 90.0]
    assert grid.area.min() > 0


@given(factor=st.integers(1, 6), rows=st.integers(2, 5), columns=st.integers(2, 5), step=st.floats(0.01, 1.5))
def test_a_coarsened_grid_nests_and_keeps_the_area(factor, rows, columns, step):
    fine = Grid(axis(-20.0, step, factor * rows), axis(10.0, step / 2, factor * columns))
    coarse = fine.coarsen(factor)
    coarse.check_nests_in(fine)
    assert coarse.shape == (rows, columns)
    blocks = fine.area.reshape(rows, factor, columns, factor).sum(axis=(1, 3))
    np.testing.assert_allclose(coarse.area, blocks, rtol=1e-6)


def test_a_blunt_factor_is_refused_with_the_ones_that_work():
    with pytest.raises(
        FinescaleError, match=r"48 cells of lat in blocks of 7; choose a factor out of \[1, 2, 3, 4"
    ):
        FINE.coarsen(7)


@pytest.mark.parametrize(
    ("coarse", "said"),
    [
        (
            Grid(axis(46.06, 0.2, 19), FINE.coarsen(8).lon),
            "lat step 0.2 is not a multiple of 0.08; choose a",
        ),
        (
            Grid(axis(46.36, 0.64, 6), FINE.coarsen(8).lon),
            "lat spans 46.04 to 49.88, not 45.96 to 49.8; crop both",
        ),
        (Grid(FINE.coarsen(8).lat, axis(8.48, 0.96, 6)), "lon spans 8 to 13.76"),
        (Grid((46.2, 46.68, 47.32, 48.2, 48.84, 49.48), FINE.coarsen(8).lon), "cuts a fine cell"),
    ],
)
def test_a_grid_that_does_not_nest_is_refused_by_rule_value_and_wish(coarse, said):
    with pytest.raises(FinescaleError, match="coarse grid does not nest in the fine grid: ") as error:
        coarse.check_nests_in(FINE)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("lat", "lon", "said"),
    [
        ((50.0, 49.0), (1.0, 2.0), "lat ascends: 50.0 is followed by 49.0"),
        ((50.0,), (1.0, 2.0), "two cells or more along lat: 1"),
        ((50.0, 51.0), (359.0, 360.0), r"longitude begins in \[-180, 180\)"),
        ((50.0, 51.0), (-180.0, 0.0, 180.0), "ends within one turn: -180.0 to 180.0"),
        ((89.0, 91.0), (1.0, 2.0), r"latitude lies in \[-90, 90\]"),
        ((50.0, float("nan")), (1.0, 2.0), "lat is finite"),
    ],
)
def test_wrong_axes_are_refused(lat, lon, said):
    with pytest.raises(FinescaleError, match=said):
        Grid(lat, lon)


def test_a_dataset_without_regular_axes_is_refused():
    with pytest.raises(FinescaleError, match="a grid needs the coordinate lon: found"):
        Grid.from_dataset(xr.Dataset(coords={"lat": [1.0, 2.0]}))
    curved = xr.Dataset(coords={"lat": (("y", "x"), np.ones((2, 2))), "lon": (("y", "x"), np.ones((2, 2)))})
    with pytest.raises(FinescaleError, match="regrid the data to a regular grid first"):
        Grid.from_dataset(curved)


def test_matching_forgives_rounding_and_nothing_more():
    assert Grid(axis(46.00001, 0.08, 48), FINE.lon).matches(FINE)
    assert not Grid(axis(46.01, 0.08, 48), FINE.lon).matches(FINE)
    assert not Grid(axis(46.0, 0.08, 47), FINE.lon).matches(FINE)


def test_a_grid_over_a_region_has_whole_cells_inside_it():
    grid = Grid.over((47.0, 48.0, 178.9, -178.8), (0.3, 0.5))
    np.testing.assert_allclose(grid.lat_edges, [47.0, 47.3, 47.6, 47.9])
    np.testing.assert_allclose(grid.lon_edges, [178.9, 179.4, 179.9, 180.4, 180.9])
    assert Grid.over((47.0, 48.2, 5.0, 6.2), (0.06, 0.06)).shape == (20, 20)

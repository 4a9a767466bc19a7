import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from finescale.errors import FinescaleError
from finescale.grid.axes import around, edges_of, linear, linear_around, overlap

widths = st.lists(st.floats(0.05, 3.0), min_size=1, max_size=12)


def edges(start: float, sizes: list[float]) -> np.ndarray:
    return start + np.concatenate(([0.0], np.cumsum(sizes)))


@settings(max_examples=100, deadline=None)
@given(begin=st.floats(-5, 5), source=widths, start=st.floats(-5, 5), target=widths, falling=st.booleans())
def test_overlap_is_the_length_that_two_intervals_share(begin, source, start, target, falling):
    s, t = edges(begin, source), edges(start, target)
    expected = np.array(
        [
            [
                max(0.0, min(s[j + 1], t[i + 1]) - max(s[j], t[i])) / (t[i + 1] - t[i])
                for j in range(len(source))
            ]
            for i in range(len(target))
        ]
    )
    got = overlap(s[::-1], t)[:, ::-1] if falling else overlap(s, t)
    np.testing.assert_allclose(got.toarray(), expected, atol=1e-12)


@given(start=st.floats(-720, 720), n=st.integers(2, 40), m=st.integers(2, 40), shift=st.floats(-400, 400))
def test_a_whole_circle_covers_every_longitude_once(start, n, m, shift):
    source = start + 360.0 * np.arange(n + 1) / n
    target = start + shift + 360.0 * np.arange(m + 1) / m
    shares = around(source, target)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-9)
    np.testing.assert_allclose(shares.sum(axis=0), m / n, atol=1e-9)


@given(start=st.floats(-720, 720), n=st.integers(3, 40), at=st.floats(-180, 179))
def test_linear_round_the_circle_lies_between_the_two_neighbours(start, n, at):
    step = 360.0 / n
    centres = start + step * (np.arange(n) + 0.5)
    row = linear_around(centres, start + step * np.arange(n + 1), np.array([at])).toarray()[0]
    away = np.abs((centres - at + 180.0) % 360.0 - 180.0)
    np.testing.assert_allclose(row, np.clip(1 - away / step, 0, None), atol=1e-7)


def test_linear_holds_the_rim_and_leaves_the_outside_empty():
    matrix = linear(
        np.array([0.0, 1.0, 3.0]), np.array([-0.5, 0.5, 2.0, 4.0]), np.array([-0.6, -0.4, 0.25, 3.9, 4.1])
    )
    np.testing.assert_allclose(
        matrix.toarray(), [[0, 0, 0], [1, 0, 0], [0.75, 0.25, 0], [0, 0, 1], [0, 0, 0]], atol=1e-15
    )
    falling = linear(np.array([3.0, 1.0, 0.0]), np.array([4.0, 2.0, 0.5, -0.5]), np.array([0.25]))
    np.testing.assert_allclose(falling.toarray(), [[0, 0.25, 0.75]])


def test_midpoints_serve_where_no_bounds_are_declared():
    ds = xr.Dataset(coords={"lat": [-90.0, -45.0, 45.0, 90.0], "lon": [350.0, 0.0, 10.0]})
    assert edges_of(ds, "lat").tolist() == [-90.0, -67.5, 0.0, 67.5, 90.0]
    assert edges_of(ds, "lon").tolist() == [345.0, 355.0, 365.0, 375.0]


@pytest.mark.parametrize("rows", [32, 64, 96, 192])
def test_the_outermost_rows_of_a_gaussian_grid_reach_the_poles(rows):
    lat = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(rows)[0]))
    whole = xr.Dataset(coords={"lat": lat})
    assert edges_of(whole, "lat")[[0, -1]].tolist() == [-90.0, 90.0]
    north = edges_of(whole.isel(lat=slice(-5, None)).isel(lat=slice(None, None, -1)), "lat")
    assert north[0] == 90.0 and north[-1] < 90.0 - 4 * 180 / rows
    # A regular axis may stop half a row before the poles.
    regular = xr.Dataset(coords={"lat": np.arange(-89.0, 90.0)})
    assert edges_of(regular, "lat")[[0, -1]].tolist() == [-89.5, 89.5]


@pytest.mark.parametrize("lon", [[5.0], [1.0, 1.0, 2.0], [1.0, 3.0, 2.0]])
def test_an_axis_that_turns_back_is_refused(lon):
    with pytest.raises(FinescaleError, match=f"lon has {len(lon)} values that neither rise nor fall"):
        edges_of(xr.Dataset(coords={"lon": lon}), "lon")

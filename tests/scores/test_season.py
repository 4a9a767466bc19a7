"""Days of the year are counted alike in two climates."""

import numpy as np
import pytest
import xarray as xr

from finescale.scores.season import alike


def times(start, end, calendar="standard"):
    """Six-hourly times from one day up to another."""
    axis = xr.date_range(
        start, end, freq="6h", calendar=calendar, use_cftime=calendar != "standard", inclusive="left"
    )
    return xr.DataArray(axis, dims="time", coords={"time": axis}, name="time")


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
@pytest.mark.parametrize(
    ("span", "other"),
    [
        (("2001-01-01", "2006-01-01"), ("2041-01-01", "2044-01-01")),
        (("2003-07-01", "2005-07-01"), ("2041-01-01", "2042-01-01")),
        (("2003-03-01", "2003-06-01"), ("2044-03-01", "2044-06-01")),
    ],
)
def test_whole_years_and_equal_seasons_count_once(calendar, span, other):
    counts, common = alike(times(*span), times(*other, calendar))
    assert (counts == 1).all() and common.all()


def test_seasons_that_come_twice_count_twice():
    """Of 22 months from March on, March to December come twice."""
    earlier, later = times("1991-01-01", "1995-01-01"), times("2011-03-01", "2013-01-01")
    counts, common = alike(earlier, later)
    twice = earlier.dt.month.to_numpy() > 2
    assert (counts[twice] == 2).all() and (counts[~twice] == 1).all() and common.all()


def test_of_a_few_days_the_same_days_count():
    earlier = times("1991-01-01", "1995-01-01")
    counts, common = alike(earlier, times("2011-01-20", "2011-03-11"))
    day = earlier.dt.dayofyear.to_numpy()
    assert common.all() and set(counts) == {0, 1}
    assert set(day[counts > 0]) == set(range(20, 70)) | {70}  # the tenth of March of a leap year


def test_a_period_cut_out_of_the_only_year_is_met_by_the_rest_of_its_months():
    year, cut = times("2001-01-01", "2002-01-01"), times("2001-03-10", "2001-03-21")
    rest = year[~np.isin(year, cut)]
    counts, common = alike(rest, cut)
    assert common.all() and (counts == (rest.dt.month == 3)).all()


def test_what_only_one_climate_has_is_left_out():
    winter, year = times("2001-12-01", "2002-03-01"), times("2011-01-01", "2015-01-01")
    counts, common = alike(winter, year)
    assert (counts == 1).all()
    np.testing.assert_array_equal(common, year.dt.month.isin([12, 1, 2]))
    counts, common = alike(winter, times("2011-06-01", "2011-06-30"))
    assert not counts.any() and not common.any()

import cftime
import numpy as np
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.grid.clock import check_even, check_hourly, ending, on_the_clock, year_fraction


def stamps(start: str, periods: int, freq: str, calendar: str = "standard") -> xr.DataArray:
    time = xr.date_range(
        start, periods=periods, freq=freq, calendar=calendar, use_cftime=calendar != "standard"
    )
    return xr.DataArray(time, dims="time", coords={"time": time}, attrs={"standard_name": "time"})


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_only_full_hours_are_on_the_clock(calendar):
    time = stamps("2001-02-28T22:30", 8, "30min", calendar)
    assert on_the_clock(time, 1).tolist() == [1, 3, 5, 7]
    assert on_the_clock(time, 6).tolist() == [3]


def test_the_clock_runs_on_through_a_30th_of_february():
    time = stamps("2001-02-29T18", 5, "6h", "360_day")
    assert on_the_clock(time, 24).tolist() == [1]
    assert time.values[1] == cftime.Datetime360Day(2001, 2, 30)
    check_hourly(stamps("2001-02-30T20", 10, "h", "360_day"))


def test_an_empty_axis_has_no_stamp():
    with pytest.raises(FinescaleError, match="no stamp of an empty axis does"):
        on_the_clock(stamps("2001-01-01", 4, "h")[:0], 6)


@pytest.mark.parametrize("order", [[0, 1, 1, 2], [0, 2, 1, 3]])
def test_doubled_and_shuffled_hours_are_named(order):
    with pytest.raises(FinescaleError, match="a mean over hours needs every hour: 2001-01-01T0"):
        check_hourly(stamps("2001-01-01", 4, "h")[order])


@pytest.mark.parametrize("calendar", ["standard", "360_day"])
def test_a_hole_in_coarse_times_is_named(calendar):
    time = stamps("2001-02-28T00", 6, "6h", calendar)
    check_even(time, 6)
    with pytest.raises(FinescaleError, match=r"follow every 6 h: 2001-02-28.12.* is followed by 2001-0"):
        check_even(time[[0, 1, 2, 5]], 6)


@pytest.mark.filterwarnings("error::UserWarning")
def test_bounds_of_a_mean_survive_a_file(tmp_path):
    """CF: the bounds are written in the units and calendar of their time axis and come back as dates."""
    time = stamps("2001-03-01T00", 3, "6h", "noleap")
    ds = xr.Dataset({"pr": ("time", [1.0, 2.0, 3.0])}, coords=ending(time, 6))
    ds.to_netcdf(tmp_path / "pr.nc")
    with xr.open_dataset(tmp_path / "pr.nc") as back:
        assert back["time"].attrs["bounds"] == "time_bnds"
        assert back["time_bnds"].values[0].tolist() == [
            cftime.DatetimeNoLeap(2001, 2, 28, 18),
            cftime.DatetimeNoLeap(2001, 3, 1),
        ]


@pytest.mark.parametrize(
    ("calendar", "days"),
    [("standard", 365), ("noleap", 365), ("360_day", 360), ("all_leap", 366), ("julian", 365)],
)
def test_the_year_passes_evenly_in_every_calendar(calendar, days):
    share = year_fraction(stamps("2001-01-01", 24 * days, "h", calendar))
    np.testing.assert_allclose(share, np.arange(24 * days) / (24 * days), atol=1e-12)
    assert year_fraction(stamps("2004-12-31T18", 1, "h"))[0] == pytest.approx(1 - 6 / (24 * 366))

"""Series put end to end: equal to cutting them apart, and every bad seam refused by its own message."""

import pytest
import xarray as xr

from finescale.climate.join import common_times, join_time
from finescale.errors import FinescaleError


def halves(ds):
    return ds.isel(time=slice(0, 5)), ds.isel(time=slice(5, None))


@pytest.mark.parametrize("calendar", ["standard", "360_day", "noleap"])
def test_joining_undoes_cutting_in_any_order(cmip, calendar):
    ds = cmip(steps=12, calendar=calendar)
    first, second = halves(ds)
    for pieces in ([first, second], [second, first]):
        xr.testing.assert_equal(join_time(pieces, ["a", "b"]), ds)


def test_joining_is_lazy_and_keeps_both_identities(cmip):
    first, second = halves(cmip(steps=12).chunk(time=1))
    joined = join_time([first, second.assign_attrs(tracking_id="hdl:2")], ["a", "b"])
    assert joined["tas"].chunks is not None
    assert joined.attrs["tracking_id"] == "hdl:tas\nhdl:2"


def test_months_may_differ_in_length_at_the_seam(cmip):
    ds = cmip(start="2014-01-01", steps=24, freq="MS")
    joined = join_time([ds.isel(time=slice(0, 13)), ds.isel(time=slice(13, None))], ["h", "s"])
    assert joined.sizes["time"] == 24


def test_a_gap_an_overlap_and_a_repeated_step_are_told_apart(cmip):
    ds = cmip(steps=12)
    with pytest.raises(
        FinescaleError, match=r"leave no gap: a ends at 2001-01-02T00:00, b begins at 2001-01-02T12:00"
    ):
        join_time([ds.isel(time=slice(0, 5)), ds.isel(time=slice(6, None))], ["a", "b"])
    with pytest.raises(FinescaleError, match="follow one another: b begins at 2001-01-01T18:00"):
        join_time([ds.isel(time=slice(0, 5)), ds.isel(time=slice(3, None))], ["a", "b"])
    with pytest.raises(FinescaleError, match="follow one another"):
        join_time([ds.isel(time=slice(0, 5)), ds.isel(time=slice(4, None))], ["a", "b"])


def test_a_piece_beyond_2262_goes_on_from_one_before(cmip):
    """Readers date the one as numpy does and the other as cftime does, under two names of one calendar."""
    before, after = cmip(start="2262-01-01", steps=31, freq="D"), cmip(start="2262-02-01", steps=28, freq="D")
    beyond = after.convert_calendar("standard", use_cftime=True)
    joined = join_time([beyond, before], ["b", "a"])
    assert joined.sizes["time"] == 59 and joined["time"].dtype.kind == "O"
    assert [str(joined["time"].values[k])[:10] for k in (0, 30, 31, 58)] == [
        "2262-01-01", "2262-01-31", "2262-02-01", "2262-02-28"
    ]  # fmt: skip
    with pytest.raises(FinescaleError, match="leave no gap"):
        join_time([before.isel(time=slice(0, 30)), beyond], ["a", "b"])


def test_other_calendar_grid_or_units_are_refused(cmip):
    first, second = halves(cmip(steps=12))
    with pytest.raises(FinescaleError, match="share a calendar"):
        join_time([first, cmip(start="2001-01-02T06", steps=4, calendar="noleap")], ["a", "b"])
    with pytest.raises(FinescaleError, match="share a grid: lat"):
        join_time([first, second.assign_coords(lat=second["lat"] + 0.5)], ["a", "b"])
    with pytest.raises(FinescaleError, match="share a grid"):
        join_time([first, second.isel(lon=slice(0, 2))], ["a", "b"])
    other = second.copy()
    other["tas"] = other["tas"].assign_attrs(units="degC")
    with pytest.raises(FinescaleError, match="share units: tas"):
        join_time([first, other], ["a", "b"])


def test_grids_that_differ_by_rounding_are_one_grid(cmip):
    first, second = halves(cmip(steps=12))
    joined = join_time([first, second.assign_coords(lat=second["lat"] + 1e-6)], ["a", "b"])
    assert joined.sizes["lat"] == 3


def test_static_pieces_cannot_be_joined(cmip):
    static = cmip().isel(time=0, drop=True)
    with pytest.raises(FinescaleError, match="b has none"):
        join_time([cmip(), static], ["a", "b"])


def test_instants_given_more_often_are_thinned_to_the_common_times(cmip):
    often, rare = cmip("tas", steps=16, freq="3h"), cmip("psl", steps=8, freq="6h")
    tas, psl = common_times([often, rare], ["tas", "psl"])
    xr.testing.assert_identical(tas, often.isel(time=slice(None, None, 2)))
    xr.testing.assert_identical(psl, rare)


def test_means_and_other_times_are_not_thinned(cmip):
    often, rare = cmip("pr", steps=16, freq="3h"), cmip("psl", steps=8, freq="6h")
    often["pr"].attrs["cell_methods"] = "time: mean"
    with pytest.raises(
        FinescaleError, match="pr has others than the rarest, and only instants may be thinned"
    ):
        common_times([often, rare], ["pr", "psl"])
    mean = cmip("psl", steps=8, freq="6h")
    mean["psl"].attrs["cell_methods"] = "area: mean time: mean"
    with pytest.raises(FinescaleError, match=r"tas has others than the rarest.* to the times of instants"):
        common_times([cmip("tas", steps=16, freq="3h"), mean], ["tas", "psl"])
    with pytest.raises(FinescaleError, match="share their times"):
        common_times([cmip("tas", start="2001-01-01T01", steps=16, freq="3h"), rare], ["tas", "psl"])

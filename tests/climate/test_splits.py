"""Blocks without leakage: no window of one block reaches into another, brute force over all pairs of times."""

import numpy as np
import pytest
import xarray as xr

from finescale.climate.splits import by_periods, by_shares, check_apart
from finescale.errors import FinescaleError

DAY = np.timedelta64(1, "D")


def hours(ds):
    values = ds["time"].values
    if values.dtype.kind == "M":
        return (values - np.datetime64("1850-01-01")) / np.timedelta64(1, "h")
    origin = values[0].replace(year=1850, month=1, day=1, hour=0)
    return np.array([(v - origin).total_seconds() / 3600 for v in values])


def closest(blocks):
    """The shortest distance in hours between times of different blocks, over all pairs."""
    names = list(blocks)
    return min(
        np.abs(hours(blocks[a])[:, None] - hours(blocks[b])[None, :]).min()
        for k, a in enumerate(names)
        for b in names[k + 1 :]
    )


@pytest.mark.parametrize("calendar", ["standard", "360_day", "noleap"])
@pytest.mark.parametrize("window", [6.0, 49.0, 240.0])
def test_no_window_reaches_into_another_block(cmip, calendar, window):
    ds = cmip(start="2001-01-01", steps=4 * 400, calendar=calendar)
    blocks = by_shares(ds, window_hours=window)
    assert closest(blocks) > window
    assert list(blocks) == ["train", "validation", "test"]


def test_little_is_lost_and_nothing_is_there_twice(cmip):
    ds = cmip(steps=4 * 400)
    blocks = by_shares(ds, {"train": 0.7, "test": 0.3}, window_hours=48)
    kept = np.concatenate([b["tas"].values.ravel() for b in blocks.values()])
    assert len(np.unique(kept)) == kept.size
    assert ds.sizes["time"] - sum(b.sizes["time"] for b in blocks.values()) == 48 // 6
    assert blocks["test"].sizes["time"] == pytest.approx(0.3 * 1600, abs=1)


def test_long_series_are_cut_at_the_turn_of_years(cmip):
    ds = cmip(start="2001-01-01", steps=3652, freq="D")
    blocks = by_shares(ds, window_hours=24 * 3)
    for name in ("validation", "test"):
        assert str(blocks[name]["time"].values[0])[5:10] == "01-01"
    assert [str(b["time"].values[0])[:4] for b in blocks.values()] == ["2001", "2009", "2010"]
    assert closest(blocks) > 72


def test_seasons_with_gaps_are_split_by_their_winters(cmip):
    time = np.concatenate(
        [np.arange(f"{y}-12-01", f"{y + 1}-03-01", dtype="datetime64[D]") for y in range(1982, 2002)]
    )
    ds = xr.Dataset({"tas": ("time", np.arange(time.size))}, coords={"time": time.astype("datetime64[ns]")})
    assert closest(by_shares(ds, window_hours=24 * 5)) > 120


def test_stated_periods_are_taken_exactly(cmip):
    ds = cmip(start="2001-01-01", steps=4 * 60)
    periods = {"train": ("2001-01-01", "2001-01-31"), "test": ("2001-02-05", "2001-02-10")}
    blocks = by_periods(ds, periods, window_hours=72)
    assert {n: b.sizes["time"] for n, b in blocks.items()} == {"train": 124, "test": 24}


def test_periods_too_near_or_overlapping_are_refused(cmip):
    ds = cmip(start="2001-01-01", steps=4 * 60)
    near = {"train": ("2001-01-01", "2001-01-31"), "test": ("2001-02-02", "2001-02-10")}
    with pytest.raises(FinescaleError, match="window of 72 h: train ends 30 h before test begins"):
        by_periods(ds, near, window_hours=72)
    over = {"train": ("2001-01-01", "2001-01-31"), "test": ("2001-01-20", "2001-02-10")}
    with pytest.raises(FinescaleError, match="train ends -282 h before"):
        by_periods(ds, over, window_hours=6)


def test_a_window_as_long_as_the_gap_leaks(cmip):
    ds = cmip(start="2001-01-01", steps=40, freq="h")
    blocks = {"a": ds.isel(time=slice(0, 10)), "b": ds.isel(time=slice(20, 30))}
    check_apart(blocks, 10.9)
    with pytest.raises(FinescaleError):
        check_apart(blocks, 11.0)


def test_too_short_a_series_and_wrong_shares_are_refused(cmip):
    with pytest.raises(FinescaleError, match="a block is longer than the gap"):
        by_shares(cmip(steps=40), window_hours=500)
    with pytest.raises(FinescaleError, match="sum to one"):
        by_shares(cmip(steps=40), {"train": 0.5, "test": 0.4}, window_hours=6)


def test_blocks_stay_lazy(cmip):
    blocks = by_shares(cmip(steps=400).chunk(time=10), window_hours=6)
    assert all(b["tas"].chunks is not None for b in blocks.values())

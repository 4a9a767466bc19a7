"""Blocks without leakage: no window of one block reaches into another, brute force over all pairs of times."""

import numpy as np
import pytest
import xarray as xr

from finescale.climate.splits import by_shares
from finescale.climate.subset import crop_period
from finescale.errors import FinescaleError

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def hours(ds):
    values = ds["time"].values
    if values.dtype.kind == "M":
        return (values - np.datetime64("1850-01-01")) / np.timedelta64(1, "h")
    origin = values[0].replace(year=1850, month=1, day=1, hour=0)
    return np.array([(v - origin).total_seconds() / 3600 for v in values])


def cut(ds, shares=SHARES, *, gap):
    return {n: crop_period(ds, p) for n, p in by_shares(ds["time"], shares, gap_hours=gap).items()}


def closest(blocks):
    """The shortest distance in hours between times of different blocks, over all pairs."""
    names = list(blocks)
    return min(
        np.abs(hours(blocks[a])[:, None] - hours(blocks[b])[None, :]).min()
        for k, a in enumerate(names)
        for b in names[k + 1 :]
    )


@pytest.mark.parametrize("calendar", ["standard", "360_day", "noleap"])
@pytest.mark.parametrize("gap", [6.0, 49.0, 240.0])
def test_no_window_reaches_into_another_block(cmip, calendar, gap):
    blocks = cut(cmip(start="2001-01-01T06", steps=4 * 400, calendar=calendar), gap=gap)
    assert closest(blocks) > gap
    assert list(blocks) == ["train", "validation", "test"]


def test_the_gap_costs_its_own_days_and_nothing_is_there_twice(cmip):
    ds = cmip(steps=4 * 400)
    blocks = cut(ds, {"train": 0.7, "test": 0.3}, gap=48)
    kept = np.concatenate([b["tas"].values.ravel() for b in blocks.values()])
    assert len(np.unique(kept)) == kept.size
    assert ds.sizes["time"] - sum(b.sizes["time"] for b in blocks.values()) == 48 // 6
    assert blocks["test"].sizes["time"] == 0.3 * 1600
    assert closest(blocks) == 48 + 6


def test_fine_and_coarse_stamps_of_one_period_are_cut_at_the_same_days(cmip):
    hourly, coarse = cmip(steps=24 * 90, freq="h"), cmip(steps=4 * 90)
    assert by_shares(hourly["time"], SHARES, gap_hours=24) == by_shares(coarse["time"], SHARES, gap_hours=24)


def test_long_series_are_cut_at_the_turn_of_years(cmip):
    blocks = cut(cmip(start="2001-01-01", steps=3652, freq="D"), gap=24 * 3)
    for name in ("validation", "test"):
        assert str(blocks[name]["time"].values[0])[5:10] == "01-01"
    assert [str(b["time"].values[0])[:4] for b in blocks.values()] == ["2001", "2009", "2010"]
    assert closest(blocks) > 72


def test_a_summer_between_two_winters_is_gap_enough(cmip):
    time = np.concatenate(
        [np.arange(f"{y}-12-01", f"{y + 1}-03-01", dtype="datetime64[D]") for y in range(1982, 1988)]
    )
    ds = xr.Dataset({"tas": ("time", np.arange(time.size))}, coords={"time": time.astype("datetime64[ns]")})
    even = cut(ds.isel(time=slice(0, 542)), {"train": 0.5, "test": 0.5}, gap=24 * 5)
    assert even["train"].sizes["time"] == 271
    assert str(even["test"]["time"].values[0])[:10] == "1985-12-01"
    short = cut(ds.isel(time=slice(0, 150)), {"train": 0.5, "test": 0.5}, gap=24 * 5)
    assert closest(short) == 24 * 6


def test_too_short_a_series_and_wrong_shares_are_refused(cmip):
    with pytest.raises(
        FinescaleError, match="a block is longer than the gap behind it: train has 8 days, the gap is 500 h"
    ):
        by_shares(cmip(steps=40)["time"], SHARES, gap_hours=500)
    with pytest.raises(FinescaleError, match="sum to one"):
        by_shares(cmip(steps=40)["time"], {"train": 0.5, "test": 0.4}, gap_hours=6)

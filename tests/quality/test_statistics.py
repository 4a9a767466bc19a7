"""The pass over the data equals a brute-force computation, however the data is cut."""

import tracemalloc

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.quality import stream
from finescale.quality.profile import profile


def look(table, variable, period, check, member=""):
    rows = table.query(
        "variable == @variable and period == @period and check == @check and member == @member"
    )
    assert len(rows) == 1, rows
    return rows["value"].iloc[0]


@pytest.fixture
def masked(weather):
    """A land-only temperature: some cells are never there."""
    ds = weather[["tas", "uas", "vas"]].copy(deep=True)
    ds["tas"][:, 2:5, 3:7] = np.nan
    return ds


def test_moments_and_extremes_equal_numpy(masked):
    table = profile(masked)
    for period in ("2001-01", "2001-02", "2001-03"):
        x = masked.tas.sel(time=period).values.astype(np.float64)
        for check, expected in {
            "min": np.nanmin(x), "max": np.nanmax(x), "mean": np.nanmean(x), "std": np.nanstd(x),
            "nan_share": np.isnan(x).mean(), "nan_loose": 0, "infinite": 0, "steps": len(x),
        }.items():  # fmt: skip
            assert look(table, "tas", period, check) == pytest.approx(expected, rel=1e-6, abs=1e-9), check


def test_jumps_equal_brute_force(masked):
    table = profile(masked)
    x = masked.tas.values
    january = slice(0, 31 * 24)
    in_time = np.abs(np.diff(x[january], axis=0))
    assert look(table, "tas", "2001-01", "jump_time") == pytest.approx(np.nanmax(in_time), rel=1e-6)
    # The first step of February belongs to February.
    assert look(table, "tas", "2001-02", "jump_time") == pytest.approx(
        np.nanmax(np.abs(np.diff(x[31 * 24 - 1 : 59 * 24], axis=0))), rel=1e-6
    )
    near = max(np.nanmax(np.abs(np.diff(x[january], axis=axis))) for axis in (1, 2))
    assert look(table, "tas", "2001-01", "jump_space") == pytest.approx(near, rel=1e-6)
    step = np.diff(x[january], axis=0)
    there_and_back = np.sqrt(max(0, np.nanmax(-step[:-1] * step[1:])))
    assert look(table, "tas", "2001-01", "spike") == pytest.approx(there_and_back, rel=1e-6)
    speed = np.hypot(masked.uas.values[january], masked.vas.values[january]).max()
    assert look(table, "wind", "2001-01", "speed") == pytest.approx(speed, rel=1e-6)


@pytest.mark.parametrize("chunk", [None, 7, 100, 5000])
def test_result_does_not_depend_on_blocks(masked, monkeypatch, chunk):
    masked["uas"][100:130, 4, 4] = 3.25
    masked["vas"][200:202] = masked["vas"][199].values
    whole = profile(masked)
    monkeypatch.setattr(stream, "BLOCK_BYTES", 200_000)
    monkeypatch.setattr(stream, "PIECE_BYTES", 9_000)
    cut = profile(masked if chunk is None else masked.chunk(time=chunk))
    # Quantiles are of a sample that depends on the pieces; the rest is over every value.
    exact = ~whole["check"].isin(["q01", "q25", "q50", "q75", "q99", "edge_share"])
    pd.testing.assert_frame_equal(whole[exact], cut[exact], rtol=1e-6)
    assert look(whole, "uas", "2001-01", "stuck_steps") == 29
    assert look(whole, "vas", "2001-01", "frozen_fields") == 2


def test_sample_quantiles_lie_near_the_true_ones(weather):
    table = profile(weather[["tas"]])
    x = weather.tas.sel(time="2001-01").values
    for check, level in {"q25": 0.25, "q50": 0.5, "q75": 0.75}.items():
        assert look(table, "tas", "2001-01", check) == pytest.approx(
            np.quantile(x, level), abs=0.05 * float(x.std())
        )


def test_units_become_canonical(weather):
    other = weather[["tas", "psl", "pr"]].copy()
    other["tas"] = (other.tas - 273.15).assign_attrs(units="degC")
    other["psl"] = (other.psl / 100).assign_attrs(units="hPa")
    other["pr"] = (other.pr * 3600).assign_attrs(units="mm")  # gathered over the hour
    names = {"tas": "t2m", "psl": "msl", "pr": "tp", "lat": "latitude", "lon": "longitude"}
    ours, theirs = profile(weather[["tas", "psl", "pr"]]), profile(other.rename(names))
    for variable in ("tas", "psl", "pr"):
        for check in ("min", "max", "mean", "std", "jump_time", "shift"):
            expected = look(ours, variable, "2001-02", check)
            scale = look(ours, variable, "2001-02", "std")
            assert look(theirs, variable, "2001-02", check) == pytest.approx(
                expected, abs=2e-4 * scale + 1e-12
            )


def test_members_are_judged_one_by_one(weather):
    runs = xr.concat([weather[["tas"]], weather[["tas"]] + 1], dim="member").transpose("member", ...)
    table = profile(runs)
    low, high = (look(table, "tas", "2001-01", "mean", f"member={m}") for m in (0, 1))
    assert high - low == pytest.approx(1, abs=1e-4)


def test_gap_ends_neighbourhood(weather):
    """Across a gap there is no jump in time: the season went on meanwhile."""
    ds = weather[["tas"]].isel(time=np.r_[0:200, 400:600])
    ds["tas"] = ds.tas + xr.where(ds.time > ds.time[199], 50, 0).astype("float32")
    table = profile(ds)
    assert look(table, "tas", "2001-01", "jump_time") < 10
    assert look(table, "time", "all", "irregular") == 1
    assert look(table, "time", "all", "gap_hours") == 201


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_months_and_seasons_are_regular(calendar):
    months = xr.date_range(
        "2001-01", periods=36, freq="MS", calendar=calendar, use_cftime=calendar != "standard"
    )
    days = xr.date_range(
        "2001-01-01", "2004-12-30", freq="D", calendar=calendar, use_cftime=calendar != "standard"
    )
    winters = days[np.isin(days.month, [12, 1, 2])]
    for time in (months, winters):
        ds = xr.Dataset(
            {"tas": (("time", "lat", "lon"), np.random.default_rng(0).normal(280, 5, (len(time), 3, 3)))},
            coords={"time": time, "lat": [0.0, 1, 2], "lon": [0.0, 1, 2]},
        )
        table = profile(ds)
        assert look(table, "time", "all", "irregular") == 0
    lost = ds.drop_isel(time=[40, 41])
    assert look(profile(lost), "time", "all", "irregular") > 0


def test_a_dry_day_is_neither_frozen_nor_repeated(weather):
    ds = weather[["pr"]].copy(deep=True)
    ds["pr"][100:200] = 0
    table = profile(ds)
    for check in ("frozen_fields", "repeated_fields", "constant_fields"):
        assert look(table, "pr", "2001-01", check) == 0
    ds["pr"][300:303] = ds["pr"].values.max(axis=0)
    assert look(profile(ds), "pr", "2001-01", "frozen_fields") == 2


def test_memory_is_bounded_for_a_long_source(monkeypatch):
    """A lazy source of 256 MB passes through a few blocks of 8 MB."""
    monkeypatch.setattr(stream, "BLOCK_BYTES", 8 * 2**20)

    def make(_: np.ndarray, block_id: tuple[int, ...]) -> np.ndarray:
        return np.random.default_rng(block_id[0]).normal(280, 5, (4, 200, 500)).astype(np.float32)

    lazy = da.zeros((640, 1, 1), chunks=(4, 1, 1)).map_blocks(make, chunks=(4, 200, 500), dtype=np.float32)
    time = pd.date_range("2001-01-01", periods=640, freq="h")
    ds = xr.Dataset({"tas": (("time", "lat", "lon"), lazy)}, coords={"time": time})
    tracemalloc.start()
    table = profile(ds)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert look(table, "tas", "2001-01", "steps") == 640
    assert peak < 10 * 8 * 2**20


def test_nothing_to_profile_is_said():
    with pytest.raises(FinescaleError, match=r"a dataset has fields on a map: file\.nc has none"):
        profile(xr.Dataset({"rotated_pole": ((), 0)}), name="file.nc")

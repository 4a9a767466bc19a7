"""The whole table: its shape, its values by hand, its intervals, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.scores import extremes, floor, hourly, metrics, scorecard, table
from finescale.scores.climate import score_climate


@pytest.fixture
def card(coarsening, static):
    def make(x, o, **kwargs):
        given = {
            "method": "m",
            "case": "perfect",
            "static": static,
            "coarsening": coarsening,
            "resamples": 60,
        }
        return scorecard.score(x, o, **(given | kwargs))

    return make


def test_the_table_has_the_promised_columns_classes_and_metrics(card, fields, coarsening):
    o = fields(0, names=("tas", "psl"))
    found = card(fields(1, members=4, names=("tas", "psl")), o, coarse=coarsening.apply(o))
    assert list(found.columns) == table.COLUMNS
    assert set(found["hours"]) == {"observed", "between", "all"}
    assert set(found["region"]) == {"all", "coast", "mountain"}
    promised = {"mae", "rmse", "crps", "spread_skill", "pit_reliability", "melr", "coarse_misfit", "p99_rmse"}
    assert promised <= set(found["metric"])
    assert found["value"].notna().all()
    assert not found.duplicated(["variable", "region", "hours", "metric"]).any()


def test_the_cycle_of_the_day_of_paired_hours_is_scored_as_that_of_a_climate(card, fields, coarsening, pick):
    """Opposite errors of two members, in the northern half alone."""
    o = fields(0, spread=0.1)
    wave = np.sin(2 * np.pi * o["time"].dt.hour / 24) * (o["lat"] > 47.55)
    x = xr.concat([o + 3 * wave, o - 3 * wave], "member")
    x["tas"] = x["tas"].transpose("member", "time", "lat", "lon").astype(np.float32).assign_attrs(units="K")
    north = coarsening.fine.area[np.asarray(coarsening.fine.lat) > 47.55].sum()
    found = pick(card(x, o), "diurnal_rmse")
    assert found == pytest.approx(3 * np.sqrt(north / 2), rel=1e-5)
    free = score_climate(x, o, method="m", case="free", static=None, coarsening=coarsening)
    assert pick(free, "diurnal_rmse") == pytest.approx(found, rel=1e-6)


def test_values_equal_a_computation_by_hand(card, fields, coarsening, static, pick):
    x, o = fields(1, members=5), fields(0)
    found = card(x, o, coarse=coarsening.apply(o))
    area = xr.DataArray(coarsening.fine.area, dims=("lat", "lon"))
    coast = static["sftlf"].copy(data=np.zeros(static["sftlf"].shape))
    middle = coast.sizes["lon"] // 2
    coast[:, middle - 1 : middle + 1] = 1.0
    error = x["tas"].astype(float).mean("member") - o["tas"]
    at = {"all": slice(None), "observed": o["time"].dt.hour % 6 == 0, "between": o["time"].dt.hour % 6 != 0}
    for hours, chosen in at.items():
        e = error.isel(time=chosen)
        assert pick(found, "mae", hours=hours) == pytest.approx(float(abs(e).weighted(area).mean()), rel=1e-6)
        there = float((e**2).weighted(area * coast).mean() ** 0.5)
        assert pick(found, "rmse", hours=hours, region="coast") == pytest.approx(there, rel=1e-6)
    p = x["tas"].quantile(0.99, "time").mean("member") - o["tas"].quantile(0.99, "time")
    assert pick(found, "p99_rmse") == pytest.approx(float((p**2).weighted(area).mean() ** 0.5), rel=1e-6)
    y, hx = coarsening.apply(o)["tas"].astype(float), coarsening.apply(x)["tas"]
    w = xr.DataArray(coarsening.coarse.area, dims=("lat", "lon"))
    scale = float(((y - y.weighted(w).mean()) ** 2).weighted(w).mean()) ** 0.5
    misfit = float(((hx - y) ** 2).weighted(w).mean()) ** 0.5 / scale
    assert pick(found, "coarse_misfit", hours="observed") == pytest.approx(misfit, rel=1e-6)
    assert "misfit_over_error" not in set(found["metric"])
    doubted = card(x, o, coarse=coarsening.apply(o), errors={"tas": 0.25})
    assert pick(doubted, "misfit_over_error", hours="observed") == pytest.approx(
        misfit * scale / 0.25, rel=1e-6
    )
    whole = float(((hx - y).weighted(w).mean(("lat", "lon")) ** 2).mean()) ** 0.5 / scale
    assert pick(found, "conservation", hours="observed") == pytest.approx(whole, rel=1e-6)


def test_the_table_does_not_depend_on_blocks_threads_or_dask(card, fields, monkeypatch):
    x, o = fields(1, members=3), fields(0)
    x["tas"] = x["tas"].round(1)
    o["tas"] = o["tas"].round(1)
    whole = card(x, o, threads=1)
    monkeypatch.setattr(hourly, "BLOCK_BYTES", 60_000)
    monkeypatch.setattr(extremes, "BAND_BYTES", 100_000)
    blocks = card(x.chunk({"time": 17}), o.chunk({"time": 50}), threads=2)
    pd.testing.assert_frame_equal(whole, blocks, rtol=1e-9)


def test_on_a_large_grid_no_score_is_lost(card, fields, monkeypatch):
    """One hour of all members fills a block; what needs the hour before is there all the same."""
    names = ("psl", "tas", "uas", "vas")
    x, o = fields(1, members=2, hours=31, names=names), fields(0, hours=31, names=names)
    for ds in (x, o):
        ds["psl"] = (ds["psl"] * 500 + 1e5).assign_attrs(units="Pa")
        ds["tas"] = (ds["tas"] + 280).assign_attrs(units="K")
    whole = card(x, o)
    assert {"advection_ratio", "increment_ratio"} < set(whole["metric"])
    monkeypatch.setattr(hourly, "BLOCK_BYTES", 8 * 2 * 12 * 16)
    pd.testing.assert_frame_equal(whole, card(x, o), rtol=1e-8)


def test_intervals_hold_the_value_and_shrink_with_the_length(card, fields, pick):
    short = card(fields(1, members=3, hours=24 * 6), fields(0, hours=24 * 6))
    long = card(fields(1, members=3, hours=24 * 48), fields(0, hours=24 * 48))
    for found in (short, long):
        bound = found[~found["metric"].isin(metrics.WITHOUT_INTERVAL)]
        assert (bound["low"] <= bound["value"]).all() and (bound["value"] <= bound["high"]).all()

    def width(t):
        return pick(t, "crps", column="high") - pick(t, "crps", column="low")

    assert 1.5 < width(short) / width(long) < 6


def test_the_interval_covers_the_true_score(fields, card, pick):
    hits = 0
    for k in range(20):
        # Every day has a level of its own: hours of one day depend on one another, days do not.
        level = np.random.default_rng(k).normal(size=16).repeat(24)[:, None, None]
        o = fields(0, hours=24 * 16, spread=0.0)
        o["tas"] = (o["tas"] + level.astype(np.float32)).assign_attrs(o["tas"].attrs)
        found = card(fields(0, hours=24 * 16, spread=0.0), o)
        hits += pick(found, "bias", column="low") <= 0.0 <= pick(found, "bias", column="high")
    assert hits >= 15


def test_one_member_and_one_day_are_marked_with_a_reason(card, fields, pick):
    found = card(fields(1, hours=24), fields(0, hours=24))
    assert np.isnan(pick(found, "spread_skill")) and np.isnan(pick(found, "pit_reliability"))
    assert pick(found, "crps") == pytest.approx(pick(found, "mae"), rel=1e-9)
    assert found["low"].isna().all()
    reasons = table.unavailable(found).set_index("metric")["reason"]
    assert reasons["spread_skill"] == "it needs 2 members or more"
    assert reasons["crps"] == "an interval needs 5 days or more"
    rest = table.unavailable(card(fields(1, members=2), fields(0)))
    assert set(rest["reason"]) == {"one number for the whole period has no interval"}


def test_observed_hours_follow_the_clock_of_the_day(card, fields, pick):
    o = fields(0, start="2003-01-05T04:00")
    x = o.copy(deep=True)
    x["tas"] = x["tas"] + (x["time"].dt.hour % 6 == 0).astype(np.float32)
    found = card(x, o)
    assert pick(found, "mae", hours="observed") == pytest.approx(1.0, rel=1e-6)
    assert pick(found, "mae", hours="between") == pytest.approx(0.0, abs=1e-6)


def test_a_360_day_calendar_is_scored(card, fields, pick):
    o = fields(0, hours=24 * 10)
    time = xr.date_range("2016-02-25", periods=24 * 10, freq="h", calendar="360_day", use_cftime=True)
    o = o.assign_coords(time=time)
    found = card(o.assign(tas=(o["tas"] + 2.0).assign_attrs(o["tas"].attrs)), o)
    assert pick(found, "bias") == pytest.approx(2.0, rel=1e-6)


def test_the_noise_floor_takes_the_same_season_of_another_year(fields, coarsening, static, pick):
    other = fields(5, hours=24 * 420, start="2001-06-01")
    season = (other["time"].dt.month == 1).astype(np.float32) * 10
    other["tas"] = (other["tas"] + season).assign_attrs(other["tas"].attrs)
    found = floor.noise_floor(
        other, fields(0), case="perfect", static=static, coarsening=coarsening, resamples=20
    )
    assert set(found["method"]) == {"noise-floor"}
    assert pick(found, "bias") == pytest.approx(10, abs=0.1)
    with pytest.raises(FinescaleError, match="192 hours of another period: 48 given"):
        floor.noise_floor(fields(1, hours=48), fields(0), case="c", static=static, coarsening=coarsening)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x.isel(time=slice(3, None)), "the same hours"),
        (lambda x: x.isel(lat=slice(1, None)), "lies on the fine grid"),
        (lambda x: x.assign(tas=x["tas"].assign_attrs(units="degC")), "tas in degC and in K"),
        (lambda x: x.assign(tas=x["tas"].where(x["lon"] > 6.2)), "NaN"),
        (lambda x: x.rename(tas="hurs"), r"\['hurs'\] missing"),
        (lambda x: x.drop_vars("tas"), "has fields over time"),
        (lambda x: x.isel(time=slice(0, 0)), "the same hours"),
    ],
)
def test_what_cannot_be_compared_is_refused(card, fields, spoil, message):
    with pytest.raises(FinescaleError, match=message):
        card(spoil(fields(1, members=2)), fields(0))


def test_holes_in_the_truth_and_in_the_coarse_input_are_refused(card, fields, coarsening):
    o = fields(0)
    holed = o.assign(tas=o["tas"].where(o["time"] != o["time"][40]))
    with pytest.raises(FinescaleError, match=r"192 of .* values of tas in the truth"):
        card(fields(1, members=2), holed)
    y = coarsening.apply(o)
    with pytest.raises(FinescaleError, match="1 of 32 are missing"):
        card(fields(1, members=2), o, coarse=y.isel(time=slice(1, None)))
    with pytest.raises(FinescaleError, match="tas is not among"):
        card(fields(1, members=2), o, coarse=y.rename(tas="psl"))
    with pytest.raises(FinescaleError, match="coarse grid"):
        card(fields(1, members=2), o, coarse=coarsening.time(o))


def test_tables_are_joined_written_and_read_back(card, fields, tmp_path):
    one, two = card(fields(1), fields(0)), card(fields(1, members=2), fields(0), method="n")
    joined = table.concat([one, two])
    assert len(joined) == len(one) + len(two) and joined.index.is_unique
    table.write(joined, tmp_path / "a")
    table.write(joined, tmp_path / "b")
    for name in ("scorecard.csv", "scorecard.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    back = pd.read_parquet(tmp_path / "a" / "scorecard.parquet")
    pd.testing.assert_frame_equal(back, joined, check_dtype=False, rtol=1e-8)
    text = pd.read_csv(tmp_path / "a" / "scorecard.csv")
    np.testing.assert_allclose(text["value"], joined["value"], rtol=1e-7)

"""A climate against a climate of other years and another calendar."""

import time

import numpy as np
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.scores.change import Change
from finescale.scores.climate import score_climate
from finescale.scores.consistency import coarse_misfit
from finescale.scores.table import unavailable


def world(grid, seed, *, days=120, start="2001-01-01", calendar="standard", warmer=0.0, swing=4.0, step=1):
    times = xr.date_range(
        start,
        periods=days * 24 // step,
        freq=f"{step}h",
        calendar=calendar,
        use_cftime=calendar != "standard",
    )
    hour = np.asarray(times.hour)[:, None, None]
    level = np.repeat(np.random.default_rng(seed).normal(size=days), 24 // step)[:, None, None]
    tas = 280 + warmer + level + swing * np.sin(2 * np.pi * hour / 24) + np.zeros((1, *grid.shape))
    tas = tas + np.random.default_rng(seed + 1).normal(size=tas.shape)
    values = xr.DataArray(tas.astype(np.float32), dims=("time", "lat", "lon"), attrs={"units": "K"})
    return xr.Dataset({"tas": values}, coords=grid.coords() | {"time": times})


@pytest.fixture
def card(coarsening, static):
    def make(x, o):
        return score_climate(x, o, method="m", case="free", static=static, coarsening=coarsening)

    return make


def test_the_same_climate_in_other_years_has_little_error(card, coarsening, pick):
    o = world(coarsening.fine, 0)
    found = card(world(coarsening.fine, 5, start="2016-01-01", calendar="360_day"), o)
    assert set(found["hours"]) == {"all"} and set(found["region"]) == {"all", "coast", "mountain"}
    assert abs(pick(found, "bias")) < 0.4
    assert pick(found, "diurnal_rmse") < 0.15
    assert pick(found, "melr") < 0.1
    assert abs(pick(found, "hot_spell_days")) < 0.1
    why = unavailable(found).set_index("metric")["reason"]
    assert {why[m] for m in ("bias", "p99_mae", "melr")} == {
        "a climate without paired hours has no interval here"
    }
    assert why["diurnal_rmse"] == "one number for the whole period has no interval"
    assert np.isnan(pick(found, "return_level_10y"))
    assert why["return_level_10y"] == "it needs five whole years"
    assert why["annual_rmse"] == "it needs every month of a year"


def test_warming_and_a_flat_day_are_seen(card, coarsening, pick):
    o = world(coarsening.fine, 0)
    found = card(world(coarsening.fine, 0, warmer=3.0, swing=1.0), o)
    assert pick(found, "bias") == pytest.approx(3.0, abs=0.01)
    assert pick(found, "bias", region="mountain") == pytest.approx(3.0, abs=0.01)
    assert pick(found, "diurnal_rmse") == pytest.approx(3 / np.sqrt(2), rel=0.01)
    assert pick(found, "hot_spell_days") > 0.5 > 0 > pick(found, "cold_spell_days") - 1e-9
    assert pick(found, "p99_bias") < 3.0


def test_return_levels_come_with_five_years(card, coarsening, pick):
    o = world(coarsening.fine, 0, days=365 * 6 + 2, step=6)
    found = card(world(coarsening.fine, 9, days=365 * 6 + 2, step=6, warmer=2.0), o)
    low, value, high = (pick(found, "return_level_10y", column=c) for c in ("low", "value", "high"))
    assert low <= value <= high and value == pytest.approx(2.0, abs=0.6)
    assert pick(found, "annual_rmse") < 0.5


@pytest.mark.parametrize(("share", "kept"), [(1.0, 1.0), (0.8, 0.8)])
def test_the_change_of_the_input_is_kept_or_not(coarsening, static, pick, share, kept):
    """The input warms by 3 K over the same weather; the output by a share of it."""
    o = world(coarsening.fine, 0, days=40)
    warm = o.assign(tas=(o["tas"] + 3.0).assign_attrs(o["tas"].attrs))
    output = o.assign(tas=(o["tas"] + 3.0 * share).assign_attrs(o["tas"].attrs))
    change = Change.since(o, coarsening.apply(o), coarsening.apply(warm), coarsening)
    common = {"method": "m", "case": "c", "static": static, "coarsening": coarsening, "paired": True}
    found = score_climate(output, o, change=change, **common)
    assert pick(found, "change_kept") == pytest.approx(kept, abs=1e-4)
    assert pick(found, "change_error") == pytest.approx(3.0 * (share - 1), abs=1e-4)
    assert not {"bias", "melr", "p99_mae"} & set(found["metric"])
    still = Change.since(o, coarsening.apply(o), coarsening.apply(o), coarsening)
    none = score_climate(o, o, change=still, **common)
    assert np.isnan(pick(none, "change_kept"))
    assert "no signal" in unavailable(none).set_index("metric")["reason"]["change_kept"]


def test_months_are_compared_with_the_same_months(coarsening, static, pick):
    """A winter downscaled from a climate of winters and summers has changed by nothing."""
    year = world(coarsening.fine, 0, days=365, step=6)
    summer = year["time"].dt.month.isin([5, 6, 7, 8])
    year = year.assign(tas=(year["tas"] + 15.0 * summer).astype("float32").assign_attrs(year["tas"].attrs))
    winter = year.sel(time=year["time"].dt.month.isin([1]))
    change = Change.since(year, coarsening.apply(year), coarsening.apply(winter), coarsening)
    assert change.fine["tas"] == pytest.approx(float(winter["tas"].mean()), abs=0.01)


def yearly(grid, start, end, seed):
    """Make years of ten degrees between the seasons and little weather."""
    times = xr.date_range(start, end, freq="12h")
    level = 282 - 10 * np.cos(2 * np.pi * (np.asarray(times.day_of_year) - 15) / 365.25)
    weather = np.random.default_rng(seed).normal(0.0, 0.4, size=(times.size, *grid.shape))
    tas = level[:, None, None] + weather
    values = (("time", "lat", "lon"), tas.astype(np.float32), {"units": "K"})
    return xr.Dataset({"tas": values}, coords=grid.coords() | {"time": times})


@pytest.mark.parametrize(
    ("start", "end"),
    [("2041-03-01", "2043-12-31T12"), ("2041-01-20", "2041-03-10"), ("2042-04-05", "2042-04-25")],
)
def test_a_difference_of_seasons_is_no_change_and_no_bias(card, coarsening, pick, start, end):
    past = yearly(coarsening.fine, "2001-01-01", "2008-12-31T12", 0)
    later = yearly(coarsening.fine, start, end, 1)
    change = Change.since(past, coarsening.apply(past), coarsening.apply(later), coarsening)
    warm = (later["tas"] + 2.0).expand_dims("member")
    rows = {metric: value for metric, value, _, _ in change.rows(warm, coarsening.fine.area)}
    assert rows["change_error"] == pytest.approx(2.0, abs=0.02)
    assert float(change.later["tas"].mean()) - change.coarse["tas"] == pytest.approx(0.0, abs=0.06)
    found = card(later, past)
    assert pick(found, "bias") == pytest.approx(0.0, abs=0.06)
    assert pick(found, "p99_bias") == pytest.approx(0.0, abs=0.3)
    assert pick(found, "hot_spell_days") == pytest.approx(0.0, abs=0.06)
    assert pick(found, "cold_spell_days") == pytest.approx(0.0, abs=0.06)


def test_only_seasons_in_common_are_compared(card, coarsening, pick):
    year = yearly(coarsening.fine, "2001-01-01", "2002-12-31T12", 0)
    winter = year.sel(time=year["time"].dt.month.isin([12, 1, 2]))
    assert pick(
        card(yearly(coarsening.fine, "2041-01-01", "2041-12-31T12", 1), winter), "bias"
    ) == pytest.approx(0.0, abs=0.06)
    with pytest.raises(
        FinescaleError, match="a month of the year in common: 2041-06-01 to 2041-06-20 and 2001"
    ):
        card(yearly(coarsening.fine, "2041-06-01", "2041-06-20", 1), winter)


def test_long_series_of_model_calendars_are_matched_by_hash(coarsening):
    """Comparing each of 16,000 hours with each of 2,700 stamps takes over half a minute."""
    x = world(coarsening.fine, 0, days=670, calendar="noleap").expand_dims("member")
    coarse = coarsening.apply(x.isel(member=0))
    change = Change({"tas": 280.0}, {"tas": 280.0}, coarse, coarsening.coarse.area)
    before = time.process_time()
    rows = {metric: value for metric, value, _, _ in change.rows(x["tas"], coarsening.fine.area)}
    squared, _, stamps = coarse_misfit(x, coarse, coarsening, "tas")
    assert time.process_time() - before < 15
    assert rows["change_error"] == pytest.approx(0.0, abs=1e-4)
    assert stamps.size == coarse.sizes["time"] and squared["misfit"].max() < 1e-6


def test_what_cannot_be_compared_is_refused(card, coarsening):
    o = world(coarsening.fine, 0, days=3)
    with pytest.raises(FinescaleError, match="variable in common"):
        card(o.rename(tas="hurs"), o)
    with pytest.raises(FinescaleError, match="tas in degC and in K"):
        card(o.assign(tas=o["tas"].assign_attrs(units="degC")), o)


@pytest.mark.parametrize("label", ["ensemble", "reference"])
def test_a_hole_is_refused_on_either_side(card, coarsening, label):
    sides = {"ensemble": world(coarsening.fine, 1, days=5), "reference": world(coarsening.fine, 0, days=5)}
    sides[label]["tas"][7, 2, 3] = np.nan
    with pytest.raises(FinescaleError, match=f"1 of .* values of tas in the {label} are NaN"):
        card(*sides.values())


def test_cells_written_with_other_last_digits_are_the_same_cells(card, coarsening, pick):
    o = world(coarsening.fine, 0, days=20)
    nearly = o.assign_coords(lon=o["lon"] + 1e-7)
    assert pick(card(nearly, o), "bias") == 0.0
    with pytest.raises(FinescaleError, match="two climates lie on one grid"):
        card(o.assign_coords(lon=o["lon"] + 1.0), o)

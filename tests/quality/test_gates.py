"""Gates judge what was measured, accept what was waived, and leave pages that hash the same."""

import json
import re
import socket

import numpy as np
import pandas as pd
import pytest

from finescale.climate.variables import VARIABLES
from finescale.errors import FinescaleError
from finescale.quality import jumps, rules
from finescale.quality.gates import check
from finescale.quality.profile import profile
from finescale.quality.verdicts import COLUMNS, GateError, Waiver


@pytest.fixture
def lost(weather):
    """A temperature with one value missing."""
    ds = weather[["tas"]]
    ds["tas"][700, 5, 6] = np.nan
    return profile(ds, name="REANALYSIS")


def test_report_names_every_limit_and_its_reason(weather):
    report = check(profile(weather[["tas", "uas", "vas"]], name="X"), "harmonised")
    assert tuple(report.rows.columns) == COLUMNS
    assert report.rows["reason"].str.len().min() > 20
    assert (report.rows.query("status == 'pass'")["judged"] >= 1).all()
    assert {"time", "lat", "lon", "tas", "uas", "vas", "wind"} == set(report.rows["variable"])
    assert report.message == ""


def test_waiver_lets_pass_and_is_shown(lost, tmp_path):
    with pytest.raises(GateError):
        check(lost, "reference")
    waiver = {
        "gate": "reference",
        "variable": "tas",
        "rule": "nan_loose",
        "reason": "station gap, filled later",
    }
    report = check(lost, "reference", waivers=[waiver])
    row = report.rows.query("status == 'waived'").iloc[0]
    assert (row["variable"], row["rule"], row["value"], row["failed"]) == ("tas", "nan_loose", "1", 1)
    assert row["waiver"] == waiver["reason"]
    assert waiver["reason"] in (report.save(tmp_path / "gate") / "index.html").read_text()


def test_waiver_covers_only_its_own(lost):
    for other in ({"gate": "gcm"}, {"variable": "psl"}, {"rule": "infinite"}):
        waiver = {"gate": "reference", "variable": "tas", "rule": "nan_loose", "reason": "known"} | other
        with pytest.raises(GateError):
            check(lost, "reference", waivers=[waiver])
    assert check(lost, "reference", waivers=[Waiver("reference", "*", "nan_loose", "known")]).passed


def test_waiver_of_no_rule_is_refused(lost):
    with pytest.raises(FinescaleError, match="reference has no rule nan_lose for tas; choose one of"):
        check(lost, "reference", waivers=[Waiver("reference", "tas", "nan_lose", "typing error")])
    with pytest.raises(FinescaleError, match="a waiver says gate, variable, rule and reason: reason missing"):
        check(lost, "reference", waivers=[{"gate": "reference", "variable": "tas", "rule": "nan_loose"}])


def test_unknown_gate_and_empty_profile_are_refused(lost):
    with pytest.raises(FinescaleError, match="a gate is one of source, reference"):
        check(lost, "nowhere")
    with pytest.raises(FinescaleError, match="a gate judges a profile with rows"):
        check(lost.iloc[:0], "reference")


@pytest.mark.parametrize("needed", ["nan_loose", "infinite", "min", "max", "units_fit"])
def test_what_was_not_measured_fails(weather, needed):
    """Great Expectations passes over missing columns' values and missing numbers; a gate does not."""
    table = profile(weather[["tas"]])
    with pytest.raises(GateError, match=f"{needed} not measured"):
        check(table[~((table.variable == "tas") & (table.check == needed))], "reference")
    table.loc[(table.variable == "tas") & (table.check == needed), "value"] = np.nan
    with pytest.raises(GateError, match=f"{needed} not measured"):
        check(table, "reference")


def test_a_field_of_nothing_fails(weather):
    ds = weather[["tas"]] * np.nan
    ds["tas"].attrs = weather.tas.attrs
    with pytest.raises(GateError) as stopped:
        check(profile(ds), "source")
    failed = set(stopped.value.report.rows.query("status == 'fail'")["rule"])
    assert {"nan_share", "min", "max"} <= failed


def test_infinity_fails_every_limit(weather):
    table = profile(weather[["tas"]])
    table.loc[(table.variable == "tas") & (table.check == "max"), "value"] = np.inf
    with pytest.raises(GateError, match="max inf"):
        check(table, "reference")


def test_strictness_grows_along_the_flow(weather):
    raw = weather[["tas"]].isel(lat=slice(None, None, -1))
    raw["tas"] = (raw.tas - 273.15).assign_attrs(units="degC", standard_name="air_temperature")
    raw = raw.assign_coords(lon=raw.lon + 200).rename(tas="t2m")
    raw["t2m"][:, 3, 4] = np.nan
    for gate in ("source", "reference", "gcm"):
        assert check(profile(raw), gate).passed
    with pytest.raises(GateError) as stopped:
        check(profile(raw), "corrected")
    failed = set(
        map(tuple, stopped.value.report.rows.query("status == 'fail'")[["variable", "rule"]].to_numpy())
    )
    assert failed == {
        ("lat", "direction"),
        ("lon", "min"),
        ("tas", "units"),
        ("tas", "nan_share"),
    } - (set() if raw.lon.min() >= 180 else {("lon", "min")})


def test_an_ensemble_may_lack_what_the_reference_lacks_and_no_more(weather):
    land = weather[["tas"]].copy(deep=True)
    land["tas"][:, 3] = np.nan
    masked = {"tas": float(np.isnan(land.tas[0]).mean())}
    assert check(profile(land), "ensemble", masked=masked).passed
    more, lost = land.copy(deep=True), land.copy(deep=True)
    more["tas"][:, 0, 0] = np.nan
    lost["tas"][5, 0, 0] = np.nan
    for ds, allowed, rule in (
        (land, {}, "nan_share"),
        (more, masked, "nan_share"),
        (lost, masked, "nan_loose"),
    ):
        with pytest.raises(GateError, match=rule):
            check(profile(ds), "ensemble", masked=allowed)


def test_limits_are_ordered_and_finite(weather):
    for gate in rules.GATES:
        for rule in rules.rules(gate, profile(weather)):
            assert np.isfinite([rule.low, rule.high]).all()
            assert rule.low <= rule.high
    for name, limits in jumps.CHANGES.items():
        span = VARIABLES[name].high - VARIABLES[name].low
        assert 0 < limits.hour <= limits.day <= span
        assert limits.back <= limits.hour


def test_pages_ask_nobody_and_hash_the_same(lost, tmp_path, monkeypatch):
    def refuse(*_args: object) -> None:
        raise AssertionError("a gate opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for name in ("one", "two"):
        with pytest.raises(GateError) as stopped:
            check(lost, "reference")
        stopped.value.report.save(tmp_path / name)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two
    assert {"index.html", "tas.html", "time.html", "report.json", "report.csv", "profile.csv"} <= set(one)
    for name, content in one.items():
        text = content.decode()
        assert not re.search(r"https?://(?!www\.w3\.org)|<script|<img|<link|url\(", text), name
        assert not re.search(r"\b20\d{6}T\d{6}", text), name
        for link in re.findall(r'href="([^"#]+)"', text):
            assert link in one, (name, link)
    said = json.loads(one["report.json"])
    assert said["passed"] is False
    assert len(said["limits"]) == len(pd.read_csv(tmp_path / "one" / "report.csv"))


def test_every_break_is_listed(weather):
    """A fault in two months of one member names the worst and counts both."""
    ds = weather[["tas"]]
    ds["tas"][100, 3, 3] = 400.0
    ds["tas"][1000, 3, 3] = 500.0
    with pytest.raises(GateError, match="tas in period 2001-02 has max 500, limit 173 to 335") as stopped:
        check(profile(ds), "source")
    row = stopped.value.report.rows.query("rule == 'max' and variable == 'tas'").iloc[0]
    assert (row["failed"], row["judged"]) == (2, 3)

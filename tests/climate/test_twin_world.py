"""The invented world on disk: whole, byte-deterministic, CMIP6-shaped, with the errors and the warming it states."""

import hashlib
import json
from dataclasses import asdict

import intake
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from finescale.climate import catalogue, twin
from finescale.climate.twin.gcm import models, simulate
from finescale.climate.twin.world import World
from finescale.climate.variables import VARIABLES
from finescale.errors import FinescaleError

FIELDS = ["psl", "tas", "uas", "vas", "pr"]
TINY = {
    "cells": 16,
    "factor": 4,
    "reference_start": "2003-01-10",
    "reference_end": "2003-01-24",
    "historical_start": "2001-01-15",
    "historical_end": "2002-01-14",
    "scenario_start": "2016-01-01",
    "scenario_end": "2016-02-28",
    "truth_start": "2016-01-05",
    "truth_end": "2016-01-09",
}


def digests(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return twin.build(tmp_path_factory.mktemp("world"), **TINY)


def series(world, source, experiment, table="6hrPlevPt", variables=FIELDS):
    facets = {"source_id": source, "experiment_id": experiment, "table_id": table}
    return catalogue.open_series(world, facets, variables=variables).load()


def test_the_same_arguments_give_the_same_bytes(world, tmp_path):
    again = twin.build(tmp_path / "again", **TINY)
    first, second = digests(world.parent), digests(again.parent)
    assert first == second
    assert {name.rsplit(".", 1)[-1] for name in first} >= {"nc", "json", "csv"}


def test_every_file_is_whole_and_in_canonical_units(world):
    table = pd.read_csv(world.parent / "catalogue.csv")
    assert set(table["format"]) == {"zarr", "netcdf"}
    for row in table.to_dict("records"):
        path = world.parent / row["path"]
        assert not row["path"].startswith("/")
        ds = xr.open_zarr(path, consolidated=False) if row["format"] == "zarr" else xr.open_dataset(path)
        field = ds[row["variable_id"]]
        variable = VARIABLES[row["variable_id"]]
        assert field.dtype == np.float32
        assert np.isfinite(field.values).all()
        assert field.attrs["standard_name"] == variable.standard_name
        assert field.attrs["units"] == ("%" if variable.name == "sftlf" else variable.units)
        if variable.name == "sftlf":
            assert field.min() >= 0 and 50 < field.max() <= 100
        if not variable.static:
            assert variable.low <= field.min() and field.max() <= variable.high
        if row["format"] == "zarr":
            array = zarr.open_array(path / variable.name, mode="r")
            assert array.nchunks_initialized == array.nchunks
        ds.close()


def test_files_carry_the_attributes_and_folders_of_the_archive(world):
    table = pd.read_csv(world.parent / "catalogue.csv")
    seen = set()
    for row in table[table["format"] == "netcdf"].to_dict("records"):
        with xr.open_dataset(world.parent / row["path"]) as ds:
            for facet in (
                "activity_id",
                "institution_id",
                "source_id",
                "experiment_id",
                "table_id",
                "variable_id",
            ):
                assert ds.attrs[facet] == row[facet]
            assert ds.attrs["variant_label"] == row["member_id"] == "r1i1p1f1"
            assert ds.attrs["license"] and ds.attrs["further_info_url"].startswith("https://")
            seen.add(ds.attrs["tracking_id"])
            assert ds["lon"].min() > 180 and ds["lat_bnds"].shape == (ds.sizes["lat"], 2)
        facets = ("activity_id", "institution_id", "source_id", "experiment_id", "member_id", "table_id")
        start = "/".join(
            ["CMIP6", *(row[f] for f in facets), row["variable_id"], row["grid_label"], row["version"]]
        )
        assert row["path"].startswith(start)
    assert len(seen) == (table["format"] == "netcdf").sum()
    assert not any(
        token in p.read_text() for p in world.parent.rglob("*.json") for token in ("/tmp", "/work")
    )


def test_plain_intake_esm_reads_the_catalogue(world):
    store = intake.open_esm_datastore(str(world))
    found = store.search(
        source_id="TWIN-360", experiment_id="historical", table_id="6hrPlevPt", variable_id="tas"
    )
    assert len(found.df) == 1
    assert set(store.df["source_id"]) == {
        "TWIN-REA",
        "TWIN-STD",
        "TWIN-360",
        "TWIN-STD-TRUTH",
        "TWIN-360-TRUTH",
    }
    assert list(store.search(table_id="fx", source_id="TWIN-REA").df["variable_id"]) == ["orog", "sftlf"]


def test_the_360_day_model_has_its_calendar_and_both_runs_their_hours(world):
    short, long = (series(world, name, "historical", variables=["psl"]) for name in ("TWIN-360", "TWIN-STD"))
    assert short["time"].dt.calendar == "360_day"
    assert (short["time"].dt.month.values == 2).sum() == 30 * 4
    assert short.sizes["time"] == 360 * 4
    assert long.sizes["time"] == 365 * 4
    assert {*long["time"].dt.hour.values} == {*short["time"].dt.hour.values} == {0, 6, 12, 18}
    fine = series(world, "TWIN-360-TRUTH", "ssp245", "E1hr", ["psl"])
    assert (fine.sizes["time"], fine["time"].dt.calendar) == (4 * 24, "360_day")


def test_a_model_sees_the_area_mean_of_its_own_fine_truth(world):
    fine = series(world, "TWIN-STD-TRUTH", "ssp245", "E1hr").isel(time=slice(None, None, 6))
    coarse = (
        series(world, "TWIN-STD-TRUTH", "ssp245")
        .sel(time=fine["time"])
        .isel(lat=slice(1, -1), lon=slice(1, -1))
    )
    weight = np.cos(np.deg2rad(fine["lat"].values))[:, None]
    for name, tolerance in (("psl", 0.6), ("tas", 0.01), ("uas", 0.01), ("vas", 0.01), ("pr", 3e-7)):
        blocks = (fine[name].values * weight).reshape(-1, 4, 4, 4, 4).sum(axis=(2, 4))
        share = np.broadcast_to(weight, (16, 16)).reshape(4, 4, 4, 4).sum(axis=(1, 3))
        np.testing.assert_allclose(coarse[name].values, blocks / share, atol=tolerance)


@pytest.mark.parametrize("source", ["TWIN-STD", "TWIN-360"])
def test_model_errors_are_the_documented_ones(world, source):
    model, truth = (series(world, name, "historical") for name in (source, f"{source}-TRUTH"))
    season = (model["time"].dt.dayofyear.values - 1 + model["time"].dt.hour.values / 24) / (
        360 if source == "TWIN-360" else 365
    )
    year = np.cos(2 * np.pi * (season - 0.045))
    known = twin.BIASES[source]
    for name, centre, tolerance in (("psl", 101300.0, 1.0), ("uas", 0.0, 0.01), ("vas", 0.0, 0.01)):
        b = known[name]
        shift = b.mean + b.winter * year[:, None, None]
        expected = truth[name].values + shift + (b.spread - 1) * (truth[name].values - centre)
        np.testing.assert_allclose(model[name].values, expected, atol=tolerance)
    b = known["pr"]
    np.testing.assert_allclose(model["pr"].values, b.spread * truth["pr"].values + b.mean, atol=2e-7)
    b = known["tas"]
    difference = (model["tas"] - truth["tas"]).mean(["lat", "lon"]).values
    # The climate is the mean of the anomalies to within a year's sampling: half a kelvin times the spread error.
    assert difference.mean() == pytest.approx(b.mean, abs=0.6 * abs(b.spread - 1) + 0.1)
    wave = 2 * np.mean((difference - difference.mean()) * year)
    assert wave == pytest.approx(b.winter, abs=1.5 * abs(b.spread - 1) + 0.05)
    days = [ds["tas"].isel(lon=-1).mean("lat").values[:1440].reshape(-1, 4) for ds in (model, truth)]
    anomalies = [
        d.mean(axis=1) - np.polyval(np.polyfit(np.arange(360), d.mean(axis=1), 4), np.arange(360))
        for d in days
    ]
    assert anomalies[0].std() / anomalies[1].std() == pytest.approx(b.spread, abs=0.04)
    course = [np.ptp(d.mean(axis=0)) for d in days]
    # The spread error also widens what the sky adds to the mean course of the day.
    assert course[0] / course[1] == pytest.approx(b.day, abs=0.12 + abs(b.spread - 1) / 2)


def test_the_scenario_is_warmer_by_the_documented_amount():
    world = World(
        cells=8, factor=4, historical=("2001-01-01", "2004-12-30"), scenario=("2015-01-01", "2018-12-30")
    )
    change, error = [], []
    for model in models(world):
        runs = [
            simulate(world, model, experiment).truth["tas"].mean(axis=(1, 2))
            for experiment in ("historical", "ssp245")
        ]
        steps = 6 * 4 * 10
        means = [
            r[: len(r) // steps * steps].reshape(-1, steps).mean(axis=1)
            for r in (runs[0], runs[1][: len(runs[0])])
        ]
        by_season = means[1] - means[0][: len(means[1])]
        change.append(runs[1].mean() - runs[0].mean())
        error.append(by_season.std(ddof=1) / np.sqrt(by_season.size))
    mean, spread = np.mean(change), np.hypot(*error) / 2
    assert spread < 0.25
    assert abs(mean - twin.WARMING.tas) < 4 * spread
    assert mean > 4 * spread


def test_what_is_known_lies_beside_the_catalogue(world):
    known = json.loads((world.parent / "known_truth.json").read_text())
    assert known["warming"] == asdict(twin.WARMING)
    assert known["biases"]["TWIN-360"]["tas"] == asdict(twin.BIASES["TWIN-360"]["tas"])
    assert known["world"]["storm"] == "2003-01-18T12"


def test_a_folder_with_files_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FinescaleError, match="an empty folder"):
        twin.build(tmp_path, **TINY)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_storm_outside_the_reference_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(FinescaleError, match="the storm falls into the reference: 1999-01-01T00"):
        twin.build(tmp_path / "w", **TINY, storm="1999-01-01T00")
    assert not (tmp_path / "w").exists()

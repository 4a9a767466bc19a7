"""From a catalogue to downscaled fields: over the dateline, by shares, joined runs, tables of single variables."""

import shutil
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
import zarr

from finescale.climate.lambert import inverse_lambert
from finescale.climate.twin.build import build
from finescale.errors import FinescaleError
from finescale.grid.grid import Grid
from finescale.pipeline import store
from finescale.pipeline.ledger import ledger
from finescale.pipeline.run import run_stage
from finescale.pipeline.stages.coarsen import operator
from finescale.scores.table import unavailable
from finescale.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
GCM = "360day"
CHAIN = ("ingest-reference", "harmonise-reference", "coarsen", f"ingest-{GCM}", f"harmonise-{GCM}")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A small world whose scenario goes on where the historical run ends."""
    folder = tmp_path_factory.mktemp("world") / "w"
    build(
        folder, seed=3, cells=16, factor=4, reference_start="2001-01-01", reference_end="2001-02-20",
        historical_start="2001-01-01", historical_end="2001-02-20", scenario_start="2001-02-21",
        scenario_end="2001-03-20", truth_start="2001-03-01", truth_end="2001-03-03", storm="2001-02-10T12",
    )  # fmt: skip
    return folder


class Project:
    """Settings and a folder, its stages run in this process."""

    def __init__(self, root: Path, world: Path, **changes: object) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        body = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        del body["world"], body["data"]["gcms"]["standard"]
        body["data"] |= {"catalogue": str(world / "catalogue.json"), "variables": ["psl", "tas"]}
        body["split"] = {
            "train": ["2001-01-01", "2001-01-25"],
            "validation": ["2001-01-28", "2001-02-02"],
            "test": ["2001-02-06", "2001-02-12"],
        }
        body["coarse"]["factor"] = 4
        body["correct"] |= {"method": "eqm", "season": "year", "calibration": ["2001-01-01", "2001-02-20"]}
        body["downscale"] = {
            "methods": ["bilinear", "bcsd"],
            "members": 1,
            "period": ["2001-02-25", "2001-03-05"],
            "bcsd": {"harmonics": 0},
        }
        body["registry"]["method"] = "bcsd"
        body.pop("priors", None)
        body["data"]["gcms"][GCM] |= changes.pop("gcm", {})
        body |= changes
        (root / "params.yaml").write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
        self.settings = load_settings(root / "params.yaml")
        self.stages = {stage.name: stage for stage in ledger(self.settings)}

    def run(self, *names: str) -> None:
        for name in names:
            run_stage(self.root, self.stages[name], self.settings)

    def open(self, name: str):
        return store.open_dataset(self.root, name).load()


@pytest.fixture(scope="module")
def here(world, tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("here") / "p", world)
    project.run(*CHAIN, f"correct-{GCM}", "downscale-bilinear", "downscale-bcsd")
    return project


def move(world: Path, target: Path, degrees: float) -> Path:
    """A copy of a world farther east, each file counting longitudes as it did before."""
    shutil.copytree(world, target)
    for place in [*target.rglob("*.zarr"), *(p.parent for p in target.rglob("zarr.json"))]:
        if not (place / "lon").is_dir():
            continue
        group = zarr.open_group(place, mode="r+")
        for name in ("lon", "lon_bnds"):
            group[name][...] = wrapped(group[name][...], degrees, east="TWIN-REA" not in str(place))
    for file in target.rglob("*.nc"):
        with netCDF4.Dataset(file, "r+") as data:
            for name in ("lon", "lon_bnds"):
                data[name][...] = wrapped(data[name][...], degrees, east=True)
    return target


def wrapped(lon, degrees, *, east):
    moved = np.round(np.mod(np.asarray(lon) + degrees, 360.0), 9)
    return moved if east else np.mod(moved + 180.0, 360.0) - 180.0


def test_a_region_over_the_dateline_gives_what_it_gives_elsewhere(here, world, tmp_path):
    east = move(world, tmp_path / "moved", 186.0)
    there = Project(tmp_path / "there", east)
    there.run(*CHAIN, f"correct-{GCM}", "downscale-bilinear", "downscale-bcsd")
    lon = Grid.from_dataset(there.open("reference")).lon
    assert lon[0] < 180.0 < lon[-1]
    np.testing.assert_allclose(np.asarray(lon) - 186.0, here.open("reference")["lon"], atol=1e-6)
    for name in (
        "coarse-reference",
        f"historical-{GCM}",
        f"ensemble-bilinear-gcm-{GCM}",
        "ensemble-bcsd-perfect",
    ):
        a, b = here.open(name), there.open(name)
        for field in ("psl", "tas"):
            assert np.isfinite(a[field]).all()
            np.testing.assert_allclose(b[field], a[field], rtol=2e-6, err_msg=f"{name} {field}")


def test_a_box_over_the_dateline_is_cut_out_of_a_globe_of_columns(world, tmp_path):
    east = move(world, tmp_path / "moved", 186.0)
    south, north, west, edge = 47.6, 48.4, 179.5, -179.5
    project = Project(tmp_path / "p", east)
    body = yaml.safe_load((project.root / "params.yaml").read_text(encoding="utf-8"))
    body["data"]["region"] = [south, north, west, edge]
    body["coarse"]["factor"] = 2
    (project.root / "params.yaml").write_text(yaml.safe_dump(body), encoding="utf-8")
    project.settings = load_settings(project.root / "params.yaml")
    project.stages = {stage.name: stage for stage in ledger(project.settings)}
    project.run("ingest-reference", "harmonise-reference")
    lon = project.open("reference")["lon"].values
    assert lon.min() >= west
    assert lon.max() <= 360 + edge
    assert lon.size == 8


def test_blocks_by_shares_are_those_that_are_downscaled(here, world, tmp_path):
    shares = {"train": 0.6, "validation": 0.2, "test": 0.2}
    shutil.copytree(here.root, tmp_path / "p")
    project = Project(tmp_path / "p", world, split={"shares": shares, "gap": 48})
    project.run("downscale-bilinear")
    time = project.open("ensemble-bilinear-perfect")["time"].values
    # 51 days: the last fifth begins with the 42nd.
    assert str(time[0])[:10] == "2001-02-11"
    assert str(time[-1])[:13] == "2001-02-20T18"


def test_the_scenario_goes_on_behind_the_historical_run(here, world, tmp_path):
    joined = {"historical": ["2001-01-05", "2001-03-10"], "join": True}
    project = Project(tmp_path / "p", world, gcm=joined)
    project.run(f"ingest-{GCM}")
    whole, past, future = (
        project.open(f"raw-historical-{GCM}"), here.open(f"raw-historical-{GCM}"), here.open(f"raw-scenario-{GCM}")
    )  # fmt: skip
    assert str(whole["time"].values[0])[:10] == "2001-01-05"
    assert str(whole["time"].values[-1])[:10] == "2001-03-10"
    np.testing.assert_array_equal(whole["tas"].sel(time="2001-02-19"), past["tas"].sel(time="2001-02-19"))
    np.testing.assert_array_equal(whole["tas"].sel(time="2001-02-22"), future["tas"].sel(time="2001-02-22"))
    assert whole.sizes["time"] == 4 * (26 + 30 + 10)


def test_a_hole_at_the_seam_is_refused(world, tmp_path):
    shutil.copytree(world, tmp_path / "w")
    table = pd.read_csv(tmp_path / "w" / "catalogue.csv")
    for file in table[(table.source_id == "TWIN-360") & (table.experiment_id == "ssp245")].path:
        with netCDF4.Dataset(tmp_path / "w" / file, "r+") as data:
            data["time"].units = "hours since 2001-02-23"
    joined = {"historical": ["2001-01-05", "2001-03-10"], "join": True}
    project = Project(tmp_path / "p", tmp_path / "w", gcm=joined)
    with pytest.raises(FinescaleError, match=r"joined series leave no gap: .* 54 h later, but a step is 6 h"):
        project.run(f"ingest-{GCM}")


def test_each_variable_may_come_from_a_table_of_its_own(here, world, tmp_path):
    shutil.copytree(world, tmp_path / "w")
    table = pd.read_csv(tmp_path / "w" / "catalogue.csv")
    table.loc[(table.source_id == "TWIN-360") & (table.variable_id == "tas"), "table_id"] = "3hr"
    table.to_csv(tmp_path / "w" / "catalogue.csv", index=False)
    facets = {"source_id": "TWIN-360", "member_id": "r1i1p1f1", "table_id": "6hrPlevPt"}
    alone = Project(tmp_path / "p", tmp_path / "w", gcm={"facets": facets})
    with pytest.raises(FinescaleError, match=r"nothing in catalogue\.json has .*variable_id=tas.* together"):
        alone.run(f"ingest-{GCM}")
    each = Project(
        tmp_path / "q", tmp_path / "w", gcm={"facets": facets, "each": {"tas": {"table_id": "3hr"}}}
    )
    each.run(*CHAIN)
    np.testing.assert_array_equal(
        each.open(f"historical-{GCM}")["tas"], here.open(f"historical-{GCM}")["tas"]
    )


def test_a_projected_reference_comes_to_a_regular_grid(tmp_path):
    """Temperature falls by 1 K a degree of latitude: area means on the regular grid know their own latitude."""
    crs = {
        "standard_parallel": 50.0,
        "latitude_of_projection_origin": 50.0,
        "longitude_of_central_meridian": 8.0,
    }
    x, y = np.meshgrid(np.arange(-30, 31) * 9000.0, np.arange(-30, 31) * 9000.0)
    lat, lon = inverse_lambert(y, x, crs)
    time = np.datetime64("2001-01-01", "ns") + np.arange(72) * np.timedelta64(1, "h")
    wave = (
        np.sin(0.7 * np.arange(72))[:, None, None]
        + 0.2 * np.cos(np.arange(61) + np.arange(72)[:, None])[:, None, :]
    )
    here = {"latitude": (("y", "x"), lat, {"standard_name": "latitude"}),
            "longitude": (("y", "x"), lon % 360, {"standard_name": "longitude"})}  # fmt: skip
    t2m = (
        ("time", "y", "x"),
        (280 - lat + wave).astype("float32"),
        {"units": "K", "standard_name": "air_temperature"},
    )
    xr.Dataset({"t2m": t2m}, {"time": time, **here}).to_netcdf(tmp_path / "t2m.nc")
    fixed = {
        "orog": (("y", "x"), 10 * lat, {"units": "m"}),
        "lsm": (("y", "x"), np.ones(lat.shape), {"units": "1"}),
    }
    xr.Dataset(fixed, here).to_netcdf(tmp_path / "fixed.nc")
    project = Project(tmp_path / "p", tmp_path)
    path = project.root / "params.yaml"
    body = yaml.safe_load(path.read_text(encoding="utf-8"))
    body["data"] |= {
        "variables": ["tas"], "region": [49.0, 51.0, 6.5, 9.5],
        "reference": {"files": [str(tmp_path / "t2m.nc")], "preset": "cerra", "step": [0.1, 0.15]},
        "static": {"files": [str(tmp_path / "fixed.nc")], "preset": "cerra"},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(body), encoding="utf-8")
    project.settings = load_settings(path)
    project.stages = {stage.name: stage for stage in ledger(project.settings)}
    project.run("ingest-reference", "harmonise-reference", "coarsen")
    fine, static, coarse = (project.open(n) for n in ("reference", "static", "coarse-reference"))
    assert dict(fine.sizes) == {"time": 72, "lat": 20, "lon": 20}
    assert coarse.sizes["lat"] == 5
    np.testing.assert_allclose(static["orog"], 10 * static["lat"] * xr.ones_like(static["lon"]), atol=0.4)
    rows = fine["tas"].mean("lon")
    fall = (fine["lat"].mean() - fine["lat"]) * xr.ones_like(fine["time"], dtype=float)
    np.testing.assert_allclose(
        (rows - rows.mean("lat")).transpose("time", "lat"), fall.transpose("time", "lat"), atol=0.01
    )


def test_a_model_without_truth_is_scored_by_its_climate(here, world, tmp_path):
    shutil.copytree(here.root, tmp_path / "p")
    project = Project(tmp_path / "p", world, gcm={"truth": None}, score={"resamples": 20})
    project.run("score", "report")
    card = pd.read_csv(tmp_path / "p" / "reports" / "scorecard.csv")
    free, paired = (
        card[(card["case"] == case) & (card["method"] == "bcsd")] for case in (f"gcm-{GCM}", "perfect")
    )
    assert not {"crps", "mae"} & set(free["metric"])
    assert {"bias", "p99_mae", "melr", "change_kept", "hot_spell_days"} <= set(free["metric"])
    assert {"crps", "conservation", "change_kept", "hot_spell_days"} <= set(paired["metric"])
    # What has no number says why.
    lost = unavailable(card[card["value"].isna()])
    assert set(lost["metric"]) >= {"return_level_10y", "annual_rmse"}
    assert (lost["reason"].str.len() > 0).all()
    kept = free[(free["metric"] == "change_kept") & (free["variable"] == "tas")]["value"].item()
    assert kept == pytest.approx(1.0, abs=0.15)
    page = (tmp_path / "p" / "reports" / "index.html").read_text(encoding="utf-8")
    assert f"bias-gcm-{GCM}" in {p.stem for p in (tmp_path / "p" / "reports" / "figures").iterdir()}
    assert "is left after correction" in page


def test_a_reference_of_days_is_refused() -> None:
    days = xr.date_range("2001-01-01", periods=40, freq="D")
    fine = xr.Dataset({"tas": (("time",), [280.0] * 40)}, coords={"time": days})
    with pytest.raises(FinescaleError, match="hour by hour: the reference has a field every 24 h"):
        operator(None, fine)  # type: ignore[arg-type]

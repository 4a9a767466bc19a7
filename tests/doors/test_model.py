"""The registry's door: whoever loads the champion gets what the pipeline's method gives."""

import json
import sys

import numpy as np
import pytest
import xarray as xr

from finescale.methods import recipes

from .conftest import Project

CONSUMER = """
import sys, mlflow, xarray as xr
mlflow.set_tracking_uri("sqlite:///" + sys.argv[1] + "/mlruns/mlflow.db")
model = mlflow.pyfunc.load_model("models:/finescale@champion")
coarse = xr.open_zarr(sys.argv[2], consolidated=False).isel(time=slice(0, 9))
model.predict(coarse, params={"members": 3, "seed": 7}).to_netcdf(sys.argv[3])
"""


@pytest.fixture(scope="module")
def expected(finished: Project) -> xr.Dataset:
    coarse = xr.open_zarr(finished.root / "data" / "coarse-reference.zarr", consolidated=False)
    method = recipes.load(finished.root / "models" / "bcsd")
    return method(coarse.isel(time=slice(0, 9)), members=3, seed=7).compute()


def test_the_champion_answers_in_another_process(finished: Project, expected: xr.Dataset, tmp_path) -> None:
    coarse = str(finished.root / "data" / "coarse-reference.zarr")
    finished.call(sys.executable, "-c", CONSUMER, str(finished.root), coarse, str(tmp_path / "out.nc"))
    xr.testing.assert_equal(xr.load_dataset(tmp_path / "out.nc"), expected)


def test_the_shell_gives_the_same(finished: Project, expected: xr.Dataset, tmp_path) -> None:
    coarse = xr.open_zarr(finished.root / "data" / "coarse-reference.zarr", consolidated=False)
    coarse.isel(time=slice(0, 9)).to_netcdf(tmp_path / "coarse.nc", engine="h5netcdf")
    out = tmp_path / "out.zarr"
    finished.finescale("downscale", str(tmp_path / "coarse.nc"), str(out), "--members", "3", "--seed", "7")
    xr.testing.assert_allclose(xr.open_zarr(out, consolidated=False).compute(), expected)
    again = finished.finescale("downscale", str(tmp_path / "coarse.nc"), str(out), check=False)
    assert again.returncode == 2
    assert "nothing is overwritten" in again.stderr


def test_wrong_units_are_named(finished: Project, tmp_path) -> None:
    coarse = xr.open_zarr(finished.root / "data" / "coarse-reference.zarr", consolidated=False)
    coarse["tas"].attrs["units"] = "degC"
    coarse.isel(time=slice(0, 9)).to_netcdf(tmp_path / "coarse.nc", engine="h5netcdf")
    model = str(finished.root / "models" / "bcsd")
    done = finished.finescale(
        "downscale", str(tmp_path / "coarse.nc"), str(tmp_path / "out.nc"), "--model", model, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: tas must be in K: found 'degC'")
    assert not (tmp_path / "out.nc").exists()


def test_plain_lists_go_in_and_out(finished: Project, expected: xr.Dataset) -> None:
    from finescale.registry.exchange import as_answer, as_dataset

    method = recipes.load(finished.root / "models" / "bcsd")
    coarse = xr.open_zarr(finished.root / "data" / "coarse-reference.zarr", consolidated=False).isel(
        time=slice(0, 9)
    )
    asked = {name: coarse[name].values.tolist() for name in method.variables}
    asked |= {"time": coarse["time"].dt.strftime("%Y-%m-%dT%H:%M").values.tolist()}
    asked |= {"lat": coarse["lat"].values.tolist(), "lon": coarse["lon"].values.tolist()}
    body = json.loads(json.dumps(asked))
    answer = as_answer(method(as_dataset(body, method.variables), members=3, seed=7), body)
    np.testing.assert_allclose(json.loads(json.dumps(answer))["tas"], expected["tas"].values, atol=1e-3)


def test_runs_hold_what_went_in(finished: Project) -> None:
    import mlflow

    from finescale.registry import tracking

    experiment = tracking.connect(finished.root)
    runs = {run.data.tags["stage"]: run for run in mlflow.MlflowClient().search_runs([experiment])}
    assert set(runs) == {"score", "register"}
    score = runs["score"]
    digests = {i.dataset.name: i.dataset.digest for i in score.inputs.dataset_inputs}
    assert digests["reference"] == finished.locked()["data/reference.zarr"][:36]
    assert score.data.params["coarse.factor"] == "4"
    assert score.data.metrics["perfect.bcsd.tas.crps"] > 0
    found = {f.path for f in mlflow.MlflowClient().list_artifacts(runs["register"].info.run_id)}
    assert {"report", "scorecard"} <= found
    version = mlflow.MlflowClient().get_model_version_by_alias("finescale", "champion")
    assert version.tags["checkpoint"] == finished.locked()["models/bcsd"]
    assert "| tas |" in version.description


def test_a_moved_registry_is_mended(finished: Project, tmp_path) -> None:
    import shutil

    moved = tmp_path / "else where"
    shutil.copytree(finished.root / "mlruns", moved / "mlruns")
    finished.finescale("registry", "relocate", "--root", str(moved))
    coarse = str(finished.root / "data" / "coarse-reference.zarr")
    out = str(tmp_path / "out.nc")
    hidden = finished.root.with_name("hidden")
    finished.root.rename(hidden)
    try:
        code = CONSUMER
        project = Project(hidden)
        project.call(
            sys.executable, "-c", code, str(moved), coarse.replace(str(finished.root), str(hidden)), out
        )
    finally:
        hidden.rename(finished.root)
    assert xr.load_dataset(out).sizes["member"] == 1

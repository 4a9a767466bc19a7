"""The registry's door: whoever loads the champion gets what the pipeline's method gives."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import xarray as xr
from mlflow.exceptions import MlflowException

from finescale.methods import recipes
from finescale.registry import tracking

from .conftest import ROOT, Project, environment

Ask = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]

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


def test_the_notebook_runs_from_top_to_bottom(finished: Project, tmp_path) -> None:
    body = json.loads((ROOT / "docs" / "notebooks" / "consume.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in body["cells"] if cell["cell_type"] == "code"]
    check = "assert ensemble.sizes['member'] >= 1 and fan.notnull().all() and version.tags"
    program = tmp_path / "notebook.py"
    program.write_text("\n\n".join([*cells, check]), encoding="utf-8")
    finished.call(sys.executable, str(program))


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


def test_days_a_baseline_and_a_path_can_be_asked_for(
    finished: Project, expected: xr.Dataset, tmp_path
) -> None:
    model = tracking.load(finished.root, "models:/finescale@champion")
    coarse = xr.open_zarr(finished.root / "data" / "coarse-reference.zarr", consolidated=False)
    few = {"members": 3, "seed": 7, "start": "2001-01-01", "end": "2001-01-02"}
    found = model.predict(coarse, params=few)
    hours = found["time"].size
    assert hours == 43  # from 00 of the first day to 18 of the second
    xr.testing.assert_allclose(found, expected.isel(time=slice(0, hours)))
    other = model.predict(coarse, params=few | {"method": "bilinear"})
    plain = recipes.load(finished.root / "models" / "bilinear")(
        coarse.isel(time=slice(0, 8)), members=1, seed=0
    )
    xr.testing.assert_allclose(other.compute(), plain.compute())
    written = model.predict(coarse, params=few | {"out": str(tmp_path / "out.nc")})
    xr.testing.assert_allclose(xr.load_dataset(written), found)
    coarse["tas"].attrs["units"] = "degC"
    with pytest.raises(MlflowException, match="tas must be in K: found 'degC'"):
        model.predict(coarse, params=few)
    for wrong, words in (
        ({"method": "magic"}, "no magic; choose out of bcsd, bilinear"),
        ({"start": "1999-01-01"}, "start and end lie inside"),
        ({"out": str(tmp_path / "out.nc")}, "nothing is overwritten"),
    ):
        with pytest.raises(MlflowException, match=words):
            model.predict(coarse.isel(time=slice(0, 9)), params=wrong)


def test_a_server_answers_as_the_shell_does(finished: Project, tmp_path) -> None:
    coarse = xr.open_zarr(finished.root / "data" / "coarse-reference.zarr", consolidated=False).isel(
        time=slice(0, 5)
    )
    coarse.to_netcdf(tmp_path / "coarse.nc", engine="h5netcdf")
    shell = (
        "--coarse",
        str(tmp_path / "coarse.nc"),
        "--out",
        str(tmp_path / "out.nc"),
        "--members",
        "2",
        "--seed",
        "3",
    )
    finished.finescale("downscale", *shell)
    with serving(finished) as ask:
        asked = {name: coarse[name].values.tolist() for name in ("psl", "tas")}
        asked |= {axis: coarse[axis].values.tolist() for axis in ("lat", "lon")}
        asked |= {"time": coarse["time"].dt.strftime("%Y-%m-%dT%H:%M:%S").values.tolist()}
        code, body = ask({"inputs": asked, "params": {"members": 2, "seed": 3}})
        assert code == 200, body
        wanted = xr.load_dataset(tmp_path / "out.nc")
        for name in ("psl", "tas"):
            assert np.array_equal(np.asarray(body["predictions"][name], np.float32), wanted[name].values)
        assert body["predictions"]["time"] == wanted["time"].dt.strftime("%Y-%m-%dT%H:%M:%S").values.tolist()
        code, body = ask({"inputs": asked | {"units": {"tas": "degC"}}})
        assert code == 400
        assert "tas must be in K: found 'degC'" in body["message"]


@contextmanager
def serving(project: Project) -> Iterator[Ask]:
    """`mlflow models serve` on a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"sqlite:///{project.root}/mlruns/mlflow.db"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/finescale@champion"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "-p", str(port)]
    env = environment(project.root) | {
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }
    server = subprocess.Popen(
        command,
        cwd=project.root,
        env=env,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def ask(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        wanted = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(wanted, timeout=120) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    try:
        for _ in range(600):
            assert server.poll() is None, "the server ended"
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield ask
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


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
    assert set(runs) == {"score", "register", "promote"}
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

"""Every form of coarse data becomes the same Dataset, or one clear message."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.registry import tracking
from finescale.registry.consumer import downscale
from finescale.registry.exchange import as_answer, as_dataset, check_target, open_coarse

UNITS = {"tas": "K"}


@pytest.fixture
def coarse() -> xr.Dataset:
    time = np.datetime64("2001-01-01", "ns") + np.arange(3) * np.timedelta64(6, "h")
    field = np.arange(12, dtype=np.float32).reshape(3, 2, 2) + 280
    coords = {"time": time, "lat": [47.0, 48.0], "lon": [5.0, 6.0]}
    return xr.Dataset({"tas": (("time", "lat", "lon"), field, {"units": "K"})}, coords=coords)


@pytest.mark.parametrize("name", ["coarse.nc", "coarse.zarr"])
def test_files_are_read(coarse: xr.Dataset, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith(".nc"):
        coarse.to_netcdf(path, engine="h5netcdf")
    else:
        coarse.to_zarr(path, consolidated=False)
    for given in (path, str(path)):
        xr.testing.assert_equal(as_dataset(given, UNITS).load(), coarse)


def test_lists_are_read_and_answered(coarse: xr.Dataset) -> None:
    asked = {
        "time": ["2001-01-01T00", "2001-01-01T06", "2001-01-01T12"],
        "lat": [47.0, 48.0],
        "lon": [5.0, 6.0],
        "tas": coarse["tas"].values.tolist(),
    }
    found = as_dataset(asked, UNITS)
    xr.testing.assert_equal(found, coarse)
    assert found["tas"].attrs["units"] == "K"
    answer = as_answer(found.expand_dims("member"), asked)
    assert answer["time"][1] == "2001-01-01T06:00:00"
    assert answer["tas"] == [asked["tas"]]
    assert as_answer(found, found) is found


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: a.pop("tas"), r"missing \['tas'\]"),
        (lambda a: a.update(tas=[1.0]), r"each field must be a list \[time\]\[lat\]\[lon\]"),
    ],
)
def test_bad_lists_are_refused(coarse: xr.Dataset, spoil, message: str) -> None:
    asked = {
        "time": ["2001-01-01"],
        "lat": [47.0, 48.0],
        "lon": [5.0, 6.0],
        "tas": [[[1.0, 2.0], [3.0, 4.0]]],
    }
    spoil(asked)
    with pytest.raises(FinescaleError, match=message):
        as_dataset(asked, UNITS)


def test_other_things_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FinescaleError, match="got int"):
        as_dataset(3, UNITS)
    with pytest.raises(FinescaleError, match="must exist"):
        open_coarse(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("no")
    with pytest.raises(FinescaleError, match="neither; convert it"):
        open_coarse(tmp_path / "text.nc")
    with pytest.raises(FinescaleError, match=r"a \.zarr store or a \.nc file"):
        downscale(tmp_path, tmp_path / "a.nc", tmp_path / "out.csv", model="m", members=1, seed=0)
    assert [p.name for p in tmp_path.iterdir()] == ["text.nc"]


def test_a_result_needs_its_folder_and_a_folder_need_not_be_a_store(tmp_path: Path) -> None:
    with pytest.raises(FinescaleError, match=r"no .*nodir; make it first"):
        check_target(tmp_path / "nodir" / "x.nc")
    check_target(tmp_path / "x.nc")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FinescaleError, match="the folder empty is no Zarr store"):
        open_coarse(tmp_path / "empty")


@pytest.mark.parametrize("name", ["50%25 ü", "50%", "a?b", "a, #1"])
def test_a_registry_lies_in_a_project_of_any_name(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    with pytest.raises(FinescaleError, match=r"no mlruns/ in .*--root"):
        tracking.load(root, "models:/finescale@champion")
    assert not root.exists()
    tracking.connect(root)
    assert (root / "mlruns" / "mlflow.db").is_file()
    again = tracking.connect(root)
    assert tracking.mlflow.get_experiment(again).artifact_location == (
        (root / "mlruns" / "artifacts" / "finescale").as_uri()
    )

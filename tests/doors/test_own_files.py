"""Files of the user's own are inputs like all others: one that is replaced, added or taken away is noticed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from finescale.climate import catalogue
from finescale.pipeline.workspace import workspace

from .conftest import ROOT, Project

pytestmark = pytest.mark.slow  # a door opened twenty times

SETTINGS = {
    "data": {"variables": ["tas"], "reference": {"files": ["mine-*.nc"], "preset": "era5"}},
    "split": {
        "train": ["2019-03-01", "2019-03-01"],
        "validation": ["2019-03-03", "2019-03-03"],
        "test": ["2019-03-05", "2019-03-05"],
    },
    "downscale": {"methods": ["bilinear"]},
    "registry": {"method": "bilinear"},
}


@pytest.fixture
def own(tmp_path: Path) -> Project:
    """A project of two files, one for each of two months; its sources are a link."""
    root = tmp_path / "own"
    (root / ".dvc").mkdir(parents=True)
    (root / "src").symlink_to(ROOT / "src")
    write(root / "mine-2.nc", "2019-03-02", 280.0)
    write(root / "mine-1.nc", "2019-03-01", 280.0)
    settle(root)
    return Project(root)


def write(path: Path, day: str, value: float) -> None:
    axes = {
        "time": pd.date_range(day, periods=24, freq="h"),
        "latitude": ("latitude", 50 + 0.25 * np.arange(4), {"units": "degrees_north"}),
        "longitude": ("longitude", 0.25 * np.arange(4), {"units": "degrees_east"}),
    }
    field = (("time", "latitude", "longitude"), np.full((24, 4, 4), value, "f4"), {"units": "K"})
    xr.Dataset({"t2m": field}, axes).to_netcdf(path)


def settle(root: Path, **data: object) -> None:
    body = SETTINGS | {"data": SETTINGS["data"] | data}
    (root / "params.yaml").write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")


def ingest(project: Project, *options: str) -> str:
    said = project.finescale("run", "ingest-reference", *options).stdout
    return next(line.split()[2] for line in said.splitlines() if "ingest-reference" in line)


def test_files_that_change_are_fetched_anew(own: Project, tmp_path: Path) -> None:
    assert (ingest(own), ingest(own)) == ("Completed", "Skipped")
    write(own.root / "mine-1.nc", "2019-03-01", 281.0)
    assert ingest(own) == "Completed"
    write(own.root / "mine-3.nc", "2019-03-03", 280.0)
    assert ingest(own) == "Completed"
    fetched = xr.open_zarr(own.root / "data" / "raw-reference.zarr", consolidated=False)
    assert fetched.sizes["time"] == 72
    (own.root / "mine-3.nc").unlink()
    assert (ingest(own), ingest(own)) == ("Restored", "Skipped")
    away = tmp_path / "elsewhere.nc"
    (own.root / "mine-1.nc").rename(away)
    settle(own.root, reference={"files": [str(away)], "preset": "era5"})
    assert (ingest(own), ingest(own)) == ("Completed", "Skipped")
    write(away, "2019-03-01", 282.0)
    assert ingest(own) == "Completed"


def test_a_workspace_notices_them_too(own: Project) -> None:
    folder = workspace(own.root, changes={"seed": 3})
    layered = Project(folder)
    assert (ingest(layered), ingest(layered)) == ("Completed", "Skipped")
    write(own.root / "mine-1.nc", "2019-03-01", 281.0)
    assert ingest(layered) == "Completed"


def test_a_row_of_a_catalogue_is_noticed(own: Project) -> None:
    rows = [{"source_id": "MINE", "variable_id": "tas", "path": "tas.zarr"}]
    store = own.root / "archive" / "tas.zarr"
    ds = xr.open_dataset(own.root / "mine-1.nc").rename(latitude="lat", longitude="lon", t2m="tas")
    ds.to_zarr(store, zarr_format=3, consolidated=False)
    catalogue.write(store.parent, rows, id="archive", description="Mine.")
    settle(own.root, catalogue="archive/catalogue.json", reference={"facets": {"source_id": "MINE"}})
    assert (ingest(own), ingest(own)) == ("Completed", "Skipped")
    catalogue.write(
        store.parent, [*rows, {**rows[0], "source_id": "OTHER"}], id="archive", description="Mine."
    )
    assert ingest(own) == "Completed"

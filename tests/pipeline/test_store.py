"""Artefacts: sharded, the same bytes for the same data, whole or not at all."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.pipeline import store
from finescale.pipeline.desk import Desk
from finescale.pipeline.run import run_stage
from finescale.pipeline.stage import Stage
from finescale.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]


def weather(hours: int = 200, members: int = 0) -> xr.Dataset:
    rng = np.random.default_rng(3)
    shape = ((members,) if members else ()) + (hours, 5, 6)
    dims = (("member",) if members else ()) + ("time", "lat", "lon")
    field = rng.normal(280, 8, shape).astype(np.float32)
    time = np.datetime64("2001-01-01T00", "ns") + np.arange(hours) * np.timedelta64(1, "h")
    coords = {"time": time, "lat": np.arange(5.0), "lon": np.arange(6.0)}
    return xr.Dataset({"tas": (dims, field, {"units": "K"})}, coords=coords)


def tree(folder: Path) -> dict[str, str]:
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.md5(p.read_bytes()).hexdigest() for p in files}


@pytest.mark.parametrize("members", [0, 3])
def test_round_trip_and_equal_bytes(tmp_path: Path, members: int) -> None:
    ds = weather(members=members)
    store.save_dataset(ds, tmp_path / "a.zarr")
    store.save_dataset(ds.chunk(time=37), tmp_path / "b.zarr")
    xr.testing.assert_identical(store.open_path(tmp_path / "a.zarr").compute(), ds)
    assert tree(tmp_path / "a.zarr") == tree(tmp_path / "b.zarr")


def test_slices_come_in_the_chunks_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "CHUNK_BYTES", 24 * 120)
    store.save_dataset(weather(), tmp_path / "a.zarr")
    whole, sliced = (store.open_path(tmp_path / "a.zarr", slices=s) for s in (False, True))
    assert whole.chunksizes["time"] == (200,)
    assert sliced.chunksizes["time"] == (24,) * 8 + (8,)
    xr.testing.assert_identical(sliced.compute(), whole.compute())


def test_fields_come_back_in_order(tmp_path: Path) -> None:
    ds = weather()
    both = ds.assign(psl=ds["tas"])[["tas", "psl"]]
    store.save_dataset(both, tmp_path / "a.zarr")
    assert list(store.open_path(tmp_path / "a.zarr").data_vars) == ["psl", "tas"]


def test_a_damaged_chunk_is_found(tmp_path: Path) -> None:
    store.save_dataset(weather(), tmp_path / "data" / "reference.zarr")
    assert store.damaged(tmp_path, ["reference", "missing"]) is None
    chunk = max((p for p in (tmp_path / "data").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    body = bytearray(chunk.read_bytes())
    body[200:240] = bytes(40)
    chunk.write_bytes(body)
    found = store.damaged(tmp_path, ["reference"])
    assert found is not None
    assert found.startswith("data/reference.zarr, tas")


def test_long_series_make_few_files(tmp_path: Path) -> None:
    store.save_dataset(weather(hours=20_000), tmp_path / "a.zarr")
    assert len(tree(tmp_path / "a.zarr")) < 20


def test_a_360_day_calendar_survives(tmp_path: Path) -> None:
    ds = weather(hours=48)
    stamps = xr.date_range("2001-02-29", periods=48, freq="h", calendar="360_day", use_cftime=True)
    ds = ds.assign_coords(time=stamps)
    store.save_dataset(ds, tmp_path / "a.zarr")
    assert store.open_path(tmp_path / "a.zarr")["time"].dt.calendar == "360_day"
    assert (store.open_path(tmp_path / "a.zarr")["time"].values == stamps.values).all()


def test_a_missing_artefact_is_named(tmp_path: Path) -> None:
    with pytest.raises(FinescaleError, match=r"data/coarse-reference\.zarr is missing"):
        store.open_dataset(tmp_path, "coarse-reference")


def test_a_stage_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(ROOT / "params.yaml")
    stage = Stage("coarsen", "coarsen.coarsen", (), ("coarse-reference",), ("coarse",))

    def good(desk: Desk) -> None:
        desk.save("coarse-reference", weather())

    def bad(desk: Desk) -> None:
        desk.save("coarse-reference", weather(hours=10))
        raise FinescaleError("no")

    monkeypatch.setattr("finescale.pipeline.stages.coarsen.coarsen", good)
    run_stage(tmp_path, stage, settings)
    before = tree(tmp_path / "data")
    monkeypatch.setattr("finescale.pipeline.stages.coarsen.coarsen", bad)
    with pytest.raises(FinescaleError):
        run_stage(tmp_path, stage, settings)
    assert tree(tmp_path / "data") == before


def test_a_desk_gives_only_what_is_declared(tmp_path: Path) -> None:
    stage = Stage("coarsen", "coarsen.coarsen", ("reference",), ("coarse-reference",), ("coarse",))
    desk = Desk(tmp_path, stage, load_settings(ROOT / "params.yaml"))
    assert desk.setting("coarse.factor") == 8
    for ask in (lambda: desk.setting("seed"), lambda: desk.path("static"), lambda: desk.new("static")):
        with pytest.raises(LookupError, match="does not declare"):
            ask()


def test_an_output_forgotten_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage("coarsen", "coarsen.coarsen", (), ("coarse-reference",), ())
    monkeypatch.setattr("finescale.pipeline.stages.coarsen.coarsen", lambda desk: None)
    with pytest.raises(LookupError, match="did not write coarse-reference"):
        run_stage(tmp_path, stage, load_settings(ROOT / "params.yaml"))
    assert not (tmp_path / "data" / "coarse-reference.zarr").exists()

"""Productions: what is there afterwards, what a second run does, what a failure touches, what a kill leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import intake
import numpy as np
import pytest
import xarray as xr
import yaml

from finescale.errors import FinescaleError
from finescale.methods import recipes
from finescale.pipeline import store
from finescale.pipeline.project import Project
from finescale.service import hierarchy
from finescale.service.check import check
from finescale.service.finish import finish
from finescale.service.piece import produce_piece
from finescale.service.plan import plan
from finescale.service.publish import publish
from finescale.service.run import produce

PERIOD = (("2015-01-10", "2015-01-12"),)
CALIBRATION = ["2001-01-01", "2001-02-09"]


def files(out: Path) -> dict[str, bytes]:
    """Every file of the product but the catalogue (it holds addresses) and the work folder."""
    found = (p for p in sorted(out.rglob("*")) if p.is_file())
    kept = (p for p in found if ".work" not in p.parts and not p.name.startswith("catalogue."))
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in kept}


def stores(out: Path) -> dict[str, bytes]:
    return {path: data for path, data in files(out).items() if path != "manifest.json"}


def test_a_product_is_whole_and_says_what_it_is(built: Path, ask, tmp_path: Path) -> None:
    manifest = produce(built, ask())
    # Two models, two scenarios, two blocks; each scenario has one of the two periods.
    assert manifest.counts == {"produced": 8, "kept": 0, "failed": 0, "skipped": 8}
    out = tmp_path / "product"
    body = json.loads((out / "manifest.json").read_text())
    entry = next(e for e in body["pieces"] if e["piece"] == "alpha/ssp245/20150110-20150112/members-002-003")
    assert (entry["hours"], entry["members"], entry["first"]) == (72, [2, 3], "2015-01-10T00:00")
    assert "has 2015-01-01 .. 2015-02-09" in next(
        e["reason"] for e in body["pieces"] if e["state"] == "skipped"
    )
    ds = hierarchy.open_all(out / entry["store"])
    wanted = ("downscaling_seed", "settings_digest", "license", "further_info_url", "downscaling_model")
    assert all(ds.attrs[key] for key in wanted)
    assert ds.attrs["downscaling_seed"] == "5"
    assert "hdl:21.14100/GCM-ALPHA-ssp245-tas" in ds.attrs["tracking_id"]
    assert "bias-corrected on the coarse grid by eqm" in ds.attrs["history"]
    assert "12 stores whole" in check(out) or "16 stores whole" in check(out)
    monthly = hierarchy.open_all(out / "summaries" / "alpha" / "ssp245" / "monthly.zarr")
    blocks = [
        hierarchy.open_all(out / e["store"])
        for e in body["pieces"]
        if e["piece"].startswith("alpha/ssp245") and "store" in e
    ]
    hourly = xr.concat(blocks, dim="member")
    np.testing.assert_allclose(monthly["tas"].isel(time=0), hourly["tas"].mean("time"), rtol=1e-6)
    np.testing.assert_array_equal(monthly["tas_max"].isel(time=0), hourly["tas"].max("time"))
    assert monthly["hours"].values.tolist() == [72]


def test_members_are_those_of_one_long_draw(built: Path, ask, tmp_path: Path) -> None:
    """Blocks and periods are seams of storage, not of weather: the hours are those of a draw of all at once."""
    request = ask(
        scenarios=("ssp245",),
        gcms=("alpha",),
        periods=(("2015-01-10", "2015-01-12"), ("2015-01-13", "2015-01-15")),
    )
    produce(built, request)
    job = plan(built, request)
    coarse = store.open_path(next((job.work / "coarse").glob("alpha-ssp245-*.zarr"))).compute()
    method = recipes.load(built / "models" / "gaussian")
    whole = method(coarse.sel(time=slice("2015-01-06", "2015-01-19")), members=4, seed=5)
    cat = intake.open_esm_datastore(str(tmp_path / "product" / "catalogue.json"))
    (found,) = cat.search(table_id="1hr").to_dataset_dict(progressbar=False).values()
    found = found.sortby(["member", "time"])
    assert found.sizes["member"] == 4
    assert found.sizes["time"] == 144
    wanted = whole.sel(time=found["time"])
    for name, scale in (("tas", 3.0), ("psl", 600.0)):  # apart from rounding: 1e-4 of the spread
        assert float(abs(found[name] - wanted[name]).max()) < 1e-4 * scale


def test_a_second_run_does_only_what_is_missing(built: Path, ask, tmp_path: Path) -> None:
    request, out = ask(scenarios=("ssp245",), periods=(("2015-01-10", "2015-01-11"),)), tmp_path / "product"
    first = produce(built, request)
    before = stores(out)
    assert produce(built, request).counts == {"produced": 0, "kept": 4, "failed": 0, "skipped": 0}
    victims = sorted((out / "stores").rglob("members-*.zarr"))
    store.remove(victims[0])
    max((p for p in victims[1].rglob("*") if p.is_file()), key=lambda p: p.stat().st_size).unlink()
    with pytest.raises(FinescaleError, match="2 faults") as error:
        check(out)
    assert "it is missing" in str(error.value)
    assert "chunks are missing" in str(error.value)
    again = produce(built, request)
    assert again.counts == {"produced": 2, "kept": 2, "failed": 0, "skipped": 0}
    assert stores(out) == before
    assert first.body["pieces"][0]["sha256"] == again.body["pieces"][0]["sha256"]
    other = produce(built, request.model_copy(update={"seed": 6}))
    assert other.counts["produced"] == 4
    assert stores(out) != before


def test_a_failed_piece_spoils_no_other(built: Path, ask, tmp_path: Path) -> None:
    import shutil

    root = tmp_path / "broken"
    shutil.copytree(built, root)
    chunk = next(
        p
        for p in (root / "archive" / "GCM-BETA" / "ssp245" / "tas.zarr" / "tas").rglob("*")
        if p.is_file() and p.name != "zarr.json"
    )
    chunk.unlink()
    manifest = produce(root, ask(scenarios=("ssp245",), periods=(("2015-01-10", "2015-01-11"),)))
    assert manifest.counts == {"produced": 2, "kept": 0, "failed": 2, "skipped": 0}
    bad = [row for row in manifest.table() if row["state"] == "failed"]
    assert all(row["piece"].startswith("beta/") for row in bad)
    assert all("lacks 1 of its chunks" in row["reason"] for row in bad)
    assert "2 pieces failed" in check(tmp_path / "product")


def test_missing_values_beyond_the_mask_are_found(built: Path, ask, tmp_path: Path) -> None:
    out = tmp_path / "product"
    produce(
        built,
        ask(
            model="models/bcsd",
            scenarios=("ssp245",),
            gcms=("alpha",),
            periods=(("2015-01-10", "2015-01-11"),),
        ),
    )
    path = next((out / "stores").rglob("members-*.zarr"))
    ds = hierarchy.open_all(path).load()
    ds["tas"][0, 7, 3, 3] = np.nan
    store.remove(path)
    hierarchy.save(ds, path)
    body = json.loads((out / "manifest.json").read_text())
    for entry in body["pieces"]:
        if "store" in entry:
            entry["sha256"] = store.contents(path)  # as if it had been written so
    (out / "manifest.json").write_text(json.dumps(body))
    with pytest.raises(FinescaleError, match="tas has 1 missing values beyond the mask of 0 cells"):
        check(out)


def test_the_catalogue_follows_the_product(built: Path, ask, tmp_path: Path) -> None:
    out, moved = tmp_path / "product", tmp_path / "else where"
    manifest = produce(
        built,
        ask(
            model="models/bcsd",
            scenarios=("ssp245",),
            gcms=("alpha",),
            periods=(("2015-01-10", "2015-01-11"),),
        ),
    )
    assert manifest.counts["skipped"] == 1
    assert "deterministic: one member, not 4" in manifest.table()[-1]["reason"]
    out.rename(moved)
    publish(moved)
    cat = intake.open_esm_datastore(str(moved / "catalogue.json"))
    assert set(cat.df["variable_id"]) == {"psl", "tas", "psl_min", "psl_max", "tas_min", "tas_max"}
    (found,) = cat.search(variable_id="tas", table_id="1hr").to_dataset_dict(progressbar=False).values()
    assert found["tas"].sizes["time"] == 48
    publish(moved, "s3://bucket/product/")
    assert set(intake.open_esm_datastore(str(moved / "catalogue.json")).df["path"].str[:27]) == {
        "s3://bucket/product/stores/",
        "s3://bucket/product/summari",
    }
    with pytest.raises(FinescaleError, match="holds none"):
        publish(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gcms": ("gamma",)}, "gamma unknown; choose out of alpha, beta"),
        ({"model": "models/none"}, "models/none is neither"),
        ({"model": "models:/finescale@champion"}, "must be registered"),
    ],
)
def test_a_bad_request_is_refused_before_anything_runs(built: Path, ask, changes, words: str) -> None:
    with pytest.raises(FinescaleError, match=words):
        plan(built, ask(**changes))


WORK = """
import sys
from pathlib import Path
from finescale.service.plan import plan
from finescale.service.piece import produce_piece
from finescale.settings import Production
job = plan(Path(sys.argv[1]), Production.model_validate_json(sys.argv[2]))
for piece in job.pieces:
    print(produce_piece(job, piece), flush=True)
"""


def test_two_workers_one_killed_give_what_a_serial_run_gives(built: Path, ask, tmp_path: Path) -> None:
    request = ask(periods=(("2015-01-10", "2015-01-12"),), scenarios=("ssp245",), out=str(tmp_path / "two"))
    command = [sys.executable, "-c", textwrap.dedent(WORK), str(built), request.model_dump_json()]
    workers = [subprocess.Popen(command, start_new_session=True) for _ in range(2)]
    while workers[0].poll() is None and not list((tmp_path / "two" / "stores").rglob(".*.draft")):
        time.sleep(0.002)
    os.killpg(workers[0].pid, signal.SIGKILL)
    workers[0].wait()
    assert workers[1].wait(300) == 0
    job = plan(built, request)
    assert finish(job, [produce_piece(job, piece) for piece in reversed(job.pieces)]).counts["kept"] == 4
    produce(built, request.model_copy(update={"out": str(tmp_path / "one")}))
    assert stores(tmp_path / "two") == stores(tmp_path / "one")
    check(tmp_path / "two")


def test_the_correction_is_named_that_was_applied(built: Path, ask, tmp_path: Path) -> None:
    root = other_settings(built, tmp_path, correct={"method": "scaling", "calibration": CALIBRATION})
    produce(root, ask(gcms=("alpha",), scenarios=("ssp245",), periods=PERIOD, members=1, block=1))
    (piece,) = (tmp_path / "product" / "stores").rglob("members-*.zarr")
    assert "corrected on the coarse grid by eqm\n" in hierarchy.open_all(piece).attrs["history"]


@pytest.mark.parametrize(
    ("reason", "refused"), [("setting correct: eqm -> scaling", True), ("x deleted", False)]
)
def test_a_stale_correction_is_refused(
    built: Path, ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str, refused: bool
) -> None:
    root = other_settings(built, tmp_path)
    (root / ".dvc").mkdir()
    lock = {"stages": {"correct-alpha": {"cmd": "x"}}}
    (root / "dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")
    monkeypatch.setattr(Project, "stale", lambda self, names: {name: [reason] for name in names})
    monkeypatch.setattr(Project, "prepare", lambda self: False)
    if not refused:
        assert plan(root, ask()).pieces
        return
    with pytest.raises(FinescaleError, match="correct-alpha behind them is stale, setting correct: eqm"):
        plan(root, ask())


def test_another_request_leaves_a_product_alone(built: Path, ask, tmp_path: Path) -> None:
    body = {
        "pieces": [{"piece": "alpha/ssp245/20150110-20150112/members-000-001", "store": "x"}, {"piece": "y"}]
    }
    (tmp_path / "product").mkdir()
    (tmp_path / "product" / "manifest.json").write_text(json.dumps(body), encoding="utf-8")
    assert plan(built, ask(members=8)).pieces
    with pytest.raises(FinescaleError, match="holds 1 stores that this one does not ask for, alpha/ssp245"):
        plan(built, ask(gcms=("beta",)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"periods": (("2015-01-10", "2015-01-12"), ("2015-01-12", "2015-01-14"))}, "must not share days"),
        ({"periods": (("2015-01-10", "2015-01-12"), ("2015-01-10", "2015-01-12"))}, "must not share days"),
        ({"scenarios": ("ssp245", "ssp245")}, "scenarios must name each once"),
    ],
)
def test_nothing_is_asked_for_twice(ask, changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ask(**changes)


def other_settings(built: Path, tmp_path: Path, **changes: object) -> Path:
    """A copy of the project with other settings."""
    root = tmp_path / "other"
    shutil.copytree(built, root)
    body = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8")) | changes
    (root / "params.yaml").write_text(yaml.safe_dump(body), encoding="utf-8")
    return root

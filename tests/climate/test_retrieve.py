"""Retrieval: the same bytes however often it was interrupted, nothing half taken for whole, every failure named."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import xarray as xr

from finescale.climate.retrieve import Patience, RetrievalError, retrieve
from finescale.errors import FinescaleError

SMALL = 4 * 3 * 4 * 4  # bytes of four steps of the small grid


def lazy(cmip, function=lambda block: block, steps=40, **kwargs):
    """A data set whose every step passes through a function when it is read."""
    ds = cmip("tas", steps=steps, **kwargs)
    return ds.assign(tas=ds["tas"].chunk(time=1).map_blocks(
        lambda block: block.copy(data=function(block.values)), template=ds["tas"].chunk(time=1)))  # fmt: skip


def fingerprint(folder):
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file()
    }


def test_what_arrives_is_what_was_there(cmip, tmp_path):
    ds = xr.merge([cmip("tas", steps=41), cmip("psl", steps=41)], compat="override")
    ds["orog"] = ds["tas"][0].drop_vars("time")
    told = []
    receipt = retrieve(
        ds.chunk(time=3), tmp_path / "s.zarr", chunk_bytes=SMALL, progress=lambda *a: told.append(a)
    )
    back = xr.open_zarr(tmp_path / "s.zarr", consolidated=False)
    xr.testing.assert_equal(back.drop_encoding(), ds)
    assert len(receipt.chunks) == 11 + 11 + 1 and receipt.resumed == 0
    assert [t[:2] for t in told] == [(k + 1, 23) for k in range(23)]
    assert not (tmp_path / "s.zarr.part").exists()


def test_the_receipt_holds_the_digest_of_every_stored_chunk(cmip, tmp_path):
    receipt = retrieve(cmip(steps=12).chunk(time=5), tmp_path / "s.zarr", chunk_bytes=SMALL)
    stored = {k: v for k, v in fingerprint(tmp_path / "s.zarr").items() if k.startswith("tas/c/")}
    assert {f"tas/c/{k.split('/')[1]}/0/0": v for k, v in receipt.chunks.items()} == stored


@pytest.mark.parametrize("calendar", ["360_day", "noleap", "standard"])
def test_calendars_and_attributes_survive(cmip, tmp_path, calendar):
    ds = cmip(steps=8, calendar=calendar)
    retrieve(ds.chunk(time=2), tmp_path / "s.zarr")
    back = xr.open_zarr(tmp_path / "s.zarr", consolidated=False)
    assert back.indexes["time"].equals(ds.indexes["time"])
    assert back.attrs == ds.attrs and back["tas"].attrs["units"] == "K"


def test_integers_and_blocks_of_nothing_are_stored_like_any_other(cmip, tmp_path):
    ds = cmip("tas", steps=40)
    ds["count"] = (ds["tas"] * 0 + np.arange(40)[:, None, None]).astype("int16")
    ds["dry"] = ds["tas"] * 0
    ds["gone"] = ds["tas"] * np.nan
    before = {n: dict(v.encoding) for n, v in ds.variables.items()}
    receipt = retrieve(ds.chunk(time=3), tmp_path / "s.zarr", chunk_bytes=SMALL, workers=8)
    assert len(receipt.chunks) == 40
    xr.testing.assert_equal(xr.open_zarr(tmp_path / "s.zarr", consolidated=False), ds)
    assert {n: dict(v.encoding) for n, v in ds.variables.items()} == before


def test_equal_data_gives_equal_bytes_whatever_the_workers_and_source_chunks(cmip, tmp_path):
    ds = cmip(steps=30)
    retrieve(ds.chunk(time=1), tmp_path / "a.zarr", workers=1, chunk_bytes=SMALL)
    retrieve(ds.chunk(time=7), tmp_path / "b.zarr", workers=4, chunk_bytes=SMALL)
    assert fingerprint(tmp_path / "a.zarr") == fingerprint(tmp_path / "b.zarr")


def test_transient_faults_are_retried_with_growing_pauses(cmip, tmp_path):
    failures = {"left": 3}

    def shaky(block):
        if block.size and failures["left"]:
            failures["left"] -= 1
            raise OSError("connection reset")
        return block

    pauses = []
    ds = lazy(cmip, shaky, steps=4)
    retrieve(ds, tmp_path / "s.zarr", workers=1, patience=Patience(5, 0.5, pauses.append))
    assert pauses == [0.5, 1.0, 2.0]
    np.testing.assert_array_equal(
        xr.open_zarr(tmp_path / "s.zarr", consolidated=False)["tas"], cmip(steps=4)["tas"]
    )


def test_a_chunk_that_never_comes_is_named_and_nothing_looks_whole(cmip, tmp_path):
    broken = float(cmip(steps=40)["tas"][17, 0, 0])

    def fault(block):
        if block.size and float(block.ravel()[0]) == broken:
            raise OSError("403 forbidden")
        return block

    with pytest.raises(RetrievalError) as told:
        retrieve(
            lazy(cmip, fault),
            tmp_path / "s.zarr",
            chunk_bytes=SMALL,
            workers=2,
            patience=Patience(2, 0, lambda s: None),
        )
    assert (
        "tas/4 (2001-01-05T00:00 .. 2001-01-05T18:00), one of 10, failed 2 times (OSError: 403 forbidden)"
        in str(told.value)
    )
    assert not (tmp_path / "s.zarr").exists()
    receipt = retrieve(lazy(cmip), tmp_path / "s.zarr", chunk_bytes=SMALL)
    assert receipt.resumed >= 4
    retrieve(lazy(cmip), tmp_path / "plain.zarr", chunk_bytes=SMALL)
    assert fingerprint(tmp_path / "s.zarr") == fingerprint(tmp_path / "plain.zarr")


def test_a_damaged_chunk_of_an_earlier_try_is_fetched_again(cmip, tmp_path):
    def stop(done, total, what):
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retrieve(lazy(cmip), tmp_path / "s.zarr", chunk_bytes=SMALL, workers=1, progress=stop)
    part = tmp_path / "s.zarr.part"
    chunks = sorted((part / "data.zarr/tas/c").rglob("*"), key=str)
    victim = next(p for p in chunks if p.is_file())
    victim.write_bytes(victim.read_bytes()[:-3])
    with (part / "journal").open("a") as file:
        file.write("tas/9 0badc0ffee")  # the torn last line of a kill
    receipt = retrieve(lazy(cmip), tmp_path / "s.zarr", chunk_bytes=SMALL)
    assert receipt.resumed == 5
    xr.testing.assert_equal(
        xr.open_zarr(tmp_path / "s.zarr", consolidated=False)["tas"], cmip(steps=40)["tas"]
    )


def test_other_data_does_not_continue_an_earlier_try(cmip, tmp_path):
    def stop(done, total, what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retrieve(lazy(cmip), tmp_path / "s.zarr", chunk_bytes=SMALL, workers=1, progress=stop)
    other = lazy(cmip, start="2005-01-01")
    assert retrieve(other, tmp_path / "s.zarr", chunk_bytes=SMALL).resumed == 0
    assert str(xr.open_zarr(tmp_path / "s.zarr", consolidated=False)["time"].values[0])[:4] == "2005"


def test_an_existing_store_is_not_overwritten(cmip, tmp_path):
    (tmp_path / "s.zarr").mkdir()
    with pytest.raises(FinescaleError, match=r"s.zarr exists; remove it first"):
        retrieve(cmip(), tmp_path / "s.zarr")


def test_a_corrupt_source_chunk_is_named(cmip, tmp_path):
    cmip(steps=40).chunk(time=10).to_zarr(tmp_path / "source.zarr", consolidated=False)
    chunk = next(p for p in (tmp_path / "source.zarr/tas/c/2").rglob("*") if p.is_file())
    chunk.write_bytes(b"\x00" * 40)
    source = xr.open_zarr(tmp_path / "source.zarr", consolidated=False)
    with pytest.raises(RetrievalError, match=r"tas/2 \(2001-01-06T00:00 .. 2001-01-08T06:00\)"):
        retrieve(
            source,
            tmp_path / "s.zarr",
            chunk_bytes=10 * 48,
            workers=1,
            patience=Patience(2, 0, lambda s: None),
        )


def test_faults_of_any_kind_at_any_chunk_end_in_the_same_bytes(cmip, tmp_path):
    """Each chunk fails once with another kind of error; the store is that of an undisturbed run."""
    rng = np.random.default_rng(3)
    kinds = [OSError("reset"), TimeoutError("slow"), ValueError("bad gzip"), RuntimeError("503")]
    seen = set()

    def shaky(block):
        key = float(block.ravel()[0]) if block.size else None
        if key is not None and key not in seen and rng.random() < 0.5:
            seen.add(key)
            raise kinds[len(seen) % len(kinds)]
        return block

    retrieve(
        lazy(cmip, shaky), tmp_path / "s.zarr", chunk_bytes=SMALL, patience=Patience(9, 0, lambda s: None)
    )
    retrieve(lazy(cmip), tmp_path / "plain.zarr", chunk_bytes=SMALL)
    assert len(seen) > 5
    assert fingerprint(tmp_path / "s.zarr") == fingerprint(tmp_path / "plain.zarr")


KILLED = """
    import sys, time
    import numpy as np, xarray as xr
    import dask.array as da
    from finescale.climate.retrieve import retrieve

    def slow(block):
        if block.size:
            time.sleep(0.05)
        return block

    time_axis = xr.date_range("2001-01-01", periods=60, freq="h")
    values = da.from_array(np.arange(60 * 16, dtype="float32").reshape(60, 4, 4), chunks=(1, 4, 4)).map_blocks(slow)
    ds = xr.Dataset({"tas": (("time", "lat", "lon"), values)},
                    coords={"time": time_axis, "lat": np.arange(4.0), "lon": np.arange(4.0)})
    receipt = retrieve(ds, sys.argv[1], chunk_bytes=64, workers=2)
    print(receipt.resumed)
"""


def test_kill_minus_nine_then_the_same_command(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(textwrap.dedent(KILLED))
    store = tmp_path / "s.zarr"
    job = subprocess.Popen([sys.executable, script, store], stdout=subprocess.PIPE)
    journal = tmp_path / "s.zarr.part" / "journal"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (journal.exists() and journal.read_text().count("\n") >= 8):
        time.sleep(0.02)
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    assert not store.exists() and journal.exists()
    again = subprocess.run([sys.executable, script, store], capture_output=True, text=True, check=True)
    assert int(again.stdout) >= 8
    back = xr.open_zarr(store, consolidated=False)["tas"].values
    np.testing.assert_array_equal(back, np.arange(60 * 16, dtype="float32").reshape(60, 4, 4))


def test_memory_does_not_grow_with_the_series(tmp_path):
    """Two gigabytes pass through; only the chunks on their way are held."""
    code = """
        import sys, resource
        import numpy as np, xarray as xr, dask.array as da
        from pathlib import Path
        from finescale.climate import retrieve as module
        values = da.zeros((2048, 512, 512), chunks=(16, 512, 512), dtype="float32")
        hours = xr.date_range("2001", periods=2048, freq="h")
        ds = xr.Dataset({"tas": (("time", "lat", "lon"), values)}, coords={"time": hours})
        module.retrieve(ds, sys.argv[1], workers=2)
        print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), tmp_path / "s.zarr"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(out.stdout) / 1e6 < 0.8
    assert json.loads((tmp_path / "s.zarr/tas/zarr.json").read_text())["shape"] == [2048, 512, 512]

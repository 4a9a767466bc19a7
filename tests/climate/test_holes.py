"""Holes in stores: every deleted chunk is found, what was never meant to be there is not missed."""

import numpy as np
import pytest
import zarr

from finescale.climate.holes import check_holes, missing_chunks
from finescale.errors import FinescaleError


def store(cmip, folder, name="tas", **encoding):
    ds = cmip(name, steps=12, lat=np.arange(40, 44.0), lon=np.arange(0, 4.0))
    path = folder / "s.zarr"
    settings = {"chunks": (4, 2, 2), **encoding}
    ds.to_zarr(path, zarr_format=3, consolidated=False, encoding={name: settings})
    return path


def delete(path, *index, name="tas"):
    (path / name / "c" / "/".join(map(str, index))).unlink()


def test_a_whole_store_passes_and_every_deleted_chunk_is_found(cmip, tmp_path):
    path = store(cmip, tmp_path)
    check_holes(str(path), ["tas", "not there"])
    gone = [(0, 0, 1), (2, 1, 0), (2, 1, 1)]
    for index in gone:
        delete(path, *index)
    assert missing_chunks(str(path), "tas", zarr.open_group(path, mode="r")["tas"]) == gone
    with pytest.raises(FinescaleError, match=r"lacks 3 of its chunks, the first at \[0..3, 0..1, 2..3\]"):
        check_holes(str(path), ["tas"])


def test_other_arrays_do_not_matter(cmip, tmp_path):
    path = store(cmip, tmp_path)
    delete(path, 1, 1, 1)
    check_holes(str(path), ["psl"])


def test_a_place_absent_at_all_times_is_a_mask_but_an_empty_store_is_not(cmip, tmp_path):
    path = store(cmip, tmp_path)
    for t in range(3):
        delete(path, t, 1, 0)
    check_holes(str(path), ["tas"])
    for chunk in list((path / "tas" / "c").rglob("*")):
        if chunk.is_file():
            chunk.unlink()
    with pytest.raises(FinescaleError, match="lacks 12 of its chunks"):
        check_holes(str(path), ["tas"])


def test_a_missing_shard_is_found(cmip, tmp_path):
    path = store(cmip, tmp_path, chunks=(2, 2, 2), shards=(4, 4, 4))
    check_holes(str(path), ["tas"])
    delete(path, 1, 0, 0)
    with pytest.raises(FinescaleError, match=r"lacks 1 of its chunks, the first at \[4..7, 0..3, 0..3\]"):
        check_holes(str(path), ["tas"])


@pytest.mark.parametrize(
    ("name", "fill", "holes"), [("pr", 0.0, False), ("pr", np.nan, True), ("tas", 0.0, True)]
)
def test_zero_is_natural_only_where_nothing_can_be_there(cmip, tmp_path, name, fill, holes):
    path = store(cmip, tmp_path, name, fill_value=fill)
    delete(path, 1, 0, 0, name=name)
    if holes:
        with pytest.raises(FinescaleError, match="lacks 1 of its chunks"):
            check_holes(str(path), [name])
    else:
        check_holes(str(path), [name])


def test_in_version_2_a_block_of_zeros_left_out_reads_as_missing(cmip, tmp_path):
    cmip("pr", steps=12).to_zarr(
        tmp_path / "s.zarr", zarr_format=2, encoding={"pr": {"_FillValue": 0.0, "chunks": (4, 3, 4)}}
    )
    (tmp_path / "s.zarr" / "pr" / "1.0.0").unlink()
    with pytest.raises(FinescaleError, match="lacks 1 of its chunks"):
        check_holes(str(tmp_path / "s.zarr"), ["pr"])

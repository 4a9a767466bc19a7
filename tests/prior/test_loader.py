"""Windows are the data, the same for every restart and share, and memory stays bounded."""

import numpy as np
import pytest
import torch
import xarray as xr

from finescale.errors import FinescaleError
from finescale.fields.context import clock
from finescale.fields.scaling import Scaling
from finescale.prior.loader import WindowLoader, even_windows
from finescale.prior.tiling import Tiles

SCALING = Scaling("mean-std", ("a",), (2.0,), (4.0,))


def numbered(frames=600, gap=None):
    """Each frame holds its own number."""
    time = np.datetime64("2001-01-01", "ns") + np.arange(frames) * np.timedelta64(1, "h")
    if gap is not None:
        time[gap:] += np.timedelta64(5, "h")
    values = np.broadcast_to(np.arange(frames, dtype=np.float32)[:, None, None], (frames, 4, 5))
    return xr.Dataset(
        {"a": (("time", "lat", "lon"), values)},
        coords={"time": time, "lat": np.arange(4.0), "lon": np.arange(5.0)},
    )


def loader(ds, **options):
    mask = options.pop("mask", np.ones((1, 4, 5), dtype=bool))
    settings = {"window": 5, "batch": 8, "seed": 3, "pool_frames": 512, "pool_steps": 4} | options
    return WindowLoader(ds, SCALING, mask, **settings)


def frames_of(batch):
    return (batch.x[:, :, 0, 0, 0] * 4 + 2).round().long()


def test_windows_are_consecutive_scaled_and_dated():
    ds = numbered()
    when = clock(ds["time"])
    for batch in loader(ds).batches(0, 6):
        frames = frames_of(batch)
        assert (frames.diff(dim=1) == 1).all()
        assert torch.allclose(batch.clock, torch.from_numpy(when[frames.numpy()]).float())


def test_every_part_of_the_period_is_drawn():
    seen = torch.cat([frames_of(b).flatten() for b in loader(numbered()).batches(0, 200)])
    counts = torch.histc(seen.float(), bins=6, min=0, max=600)
    assert (counts / counts.mean() > 0.5).all()


def test_no_window_crosses_a_gap():
    gap = 130
    for batch in loader(numbered(300, gap)).batches(0, 40):
        frames = frames_of(batch)
        assert not ((frames[:, 0] < gap) & (frames[:, -1] >= gap)).any()


def test_pools_of_a_large_domain_hold_a_window_wherever_the_gaps_are():
    """Crops of a twentieth of the domain: a pool is one stretch of a few windows, and here most have a gap."""
    ds = numbered(300)
    ds = ds.isel(time=np.flatnonzero((np.arange(300) % 23 < 22) & (np.arange(300) % 7 < 6)))
    ds = xr.concat([ds, numbered(320).isel(time=slice(310, 320))], "time")
    small = loader(ds, pool_frames=64, pool_steps=1, window=8, tiles=Tiles(1, (4, 5)))
    assert small.pool_frames == 4 * 8
    for batch in small.batches(0, 60):
        assert (frames_of(batch).diff(dim=1) == 1).all()


@pytest.mark.parametrize("restart", [1, 4, 7])
def test_restart_sees_the_same_windows(restart):
    whole = list(loader(numbered()).batches(0, 9))
    rest = list(loader(numbered()).batches(restart, 9))
    for a, b in zip(whole[restart:], rest, strict=True):
        assert torch.equal(a.x, b.x)


def test_processes_share_one_global_batch():
    whole = next(loader(numbered()).batches(5, 6))
    parts = [next(loader(numbered(), share=(rank, 2)).batches(5, 6)) for rank in range(2)]
    assert sorted(np.concatenate([p.index for p in parts])) == list(range(8))
    for part in parts:
        assert torch.equal(part.x, whole.x[part.index])


def test_masked_cells_are_zero():
    ds = numbered()
    ds["a"] = ds["a"].where(ds["lat"] > 0)
    mask = np.ones((1, 4, 5), dtype=bool)
    mask[:, 0] = False
    batch = next(loader(ds, mask=mask).batches(0, 1))
    assert (batch.x[:, :, :, 0] == 0).all()
    assert torch.isfinite(batch.x).all()


def test_a_gap_in_the_data_is_named():
    ds = numbered().load()
    ds["a"] = ds["a"].copy()
    ds["a"][250, 2, 2] = np.nan
    with pytest.raises(FinescaleError, match="a has other gaps at 2001-01-11"):
        list(loader(ds).batches(0, 40))


def test_pools_are_bounded():
    """A long series is read in stretches that fit the pool."""
    one = loader(numbered(5000))
    pool = one._read(0)
    assert len(pool.frames) <= 512


def test_short_series_and_uneven_shares_are_refused():
    with pytest.raises(
        FinescaleError, match="needs 5 consecutive frames: the longest unbroken stretch has 4"
    ):
        loader(numbered(8, gap=4))
    with pytest.raises(FinescaleError, match="8 windows, 3 processes; choose a batch of 6"):
        loader(numbered(), share=(0, 3))


def test_even_windows_span_the_period():
    x, when = even_windows(numbered(), SCALING, np.ones((1, 4, 5), dtype=bool), 5, 4)
    first = (x[:, 0, 0, 0, 0] * 4 + 2).round()
    assert first.tolist() == [0, 198, 397, 595]
    assert when.shape == (4, 5, 2)


def test_even_windows_are_whole_frames_also_where_they_overlap():
    x, when = even_windows(numbered(8), SCALING, np.ones((1, 4, 5), dtype=bool), 5, 4)
    assert (x[:, :, 0, 0, 0] * 4 + 2).round().tolist() == [list(range(n, n + 5)) for n in range(4)]
    assert torch.equal(when[1:, :-1], when[:-1, 1:])


def test_even_windows_name_the_hour_of_a_gap():
    ds = numbered().copy(deep=True)
    ds["a"][398, 1, 1] = np.nan
    with pytest.raises(FinescaleError, match="a has other gaps at 2001-01-17T14"):
        even_windows(ds, SCALING, np.ones((1, 4, 5), dtype=bool), 5, 4)

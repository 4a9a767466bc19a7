"""Windows from a chunked store: a bounded pool in memory, the next one read ahead.

Single windows at random places would decompress a chunk each. Instead a pool of random unbroken stretches is
read, serves a number of steps, and is replaced by the next, which a thread reads meanwhile. Everything is a
function of (seed, step): a resumed training sees the very windows that it would have seen, and any number of
processes share one sequence of global batches.
"""

import time as wall
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.axis import segments
from finescale.fields.context import Context, clock
from finescale.fields.hours import absolute_hours
from finescale.fields.pack import pack
from finescale.fields.paired import CoarseFrames
from finescale.fields.scaling import Scaling, check_gaps
from finescale.prior.tiling import Tiles

_STRETCH = 256
# Windows whose frames a pool holds at least, however large the domain.
_FEW = 4


@dataclass(frozen=True)
class Batch:
    """Windows and when they are.

    Attributes:
        x: scaled, ``[B, T, C, H, W]``; masked cells are zero.
        clock: ``[B, T, 2]``.
        index: position in the global batch, ``[B]``.
        coarse: frames of the coarse data, ``[B, T, K, h, w]``, for a paired prior.
        fold: the part of the period that all windows lie in.
        place: first row and column of each window's crop ``[B, 2]``; None for the whole domain.
    """

    x: Tensor
    clock: Tensor
    index: NDArray[np.int64]
    coarse: Tensor | None = None
    fold: int = 0
    place: Tensor | None = None

    def context(self, device: torch.device, keep: Tensor | None = None) -> Context:
        """What the network is told of these windows."""
        return Context(self.clock, keep, self.coarse, self.place).to(device)

    def cropped(self, tiles: Tiles | None, seed: int) -> "Batch":
        """Random crops of windows of the whole domain; the same ones for the same seed."""
        if tiles is None:
            return self
        places = tiles.draw(np.random.Generator(np.random.Philox(seed)), len(self.x))
        x = [w[..., y : y + tiles.size, x : x + tiles.size] for w, (y, x) in zip(self.x, places, strict=True)]
        return replace(self, x=torch.stack(x), place=torch.from_numpy(places))


@dataclass(frozen=True)
class _Pool:
    frames: NDArray[np.float32]
    clock: NDArray[np.float32]
    hours: NDArray[np.int64]
    starts: list[NDArray[np.int64]]


class WindowLoader:
    """Batches of random windows of a period.

    Args:
        ds: the period; lazy.
        scaling: physical to scaled units.
        mask: valid cells ``[C, H, W]``.
        window: frames of a window.
        batch: windows of a global batch.
        seed: of everything random here.
        pool_frames: frames of one pool, or fewer with as many cells as so many crops, but those of a few windows; two
            pools exist at a time.
        pool_steps: steps that a pool serves.
        share: this process and the number of processes.
        coarse: frames of the coarse data at any hours, for a paired prior.
        part: the part of the period that each frame belongs to ``[time]``: all windows of a batch lie in one of
            them, and they take turns; None for a single one.
        tiles: what random crops are cut; None gives the whole domain.
    """

    def __init__(
        self,
        ds: xr.Dataset,
        scaling: Scaling,
        mask: NDArray[np.bool_],
        *,
        window: int,
        batch: int,
        seed: int,
        pool_frames: int = 4096,
        pool_steps: int = 100,
        share: tuple[int, int] = (0, 1),
        coarse: CoarseFrames | None = None,
        part: NDArray[np.int64] | None = None,
        tiles: Tiles | None = None,
    ) -> None:
        self.ds, self.scaling, self.mask = ds[list(scaling.variables)], scaling, mask
        self.window, self.batch, self.seed = window, batch, seed
        self.pool_steps, self.share, self.coarse = pool_steps, share, coarse
        self.tiles, self.waited = tiles, 0.0
        if tiles is not None:
            pool_frames = max(_FEW * window, pool_frames * tiles.size**2 // mask[0].size)
        self.pool_frames = pool_frames
        self._part = np.zeros(ds.sizes["time"], np.int64) if part is None else part
        check_window(ds, window)
        # Where windows begin that lie in one stretch and one part.
        starts = _whole_windows(segments(ds["time"]), window)
        self._whole = np.zeros(ds.sizes["time"], bool)
        self._whole[starts] = self._part[starts] == self._part[starts + window - 1]
        self._clock = clock(ds["time"]).astype(np.float32)
        self._hours = np.empty(ds.sizes["time"], np.int64) if coarse is None else absolute_hours(ds["time"])
        self._length = min(max(_STRETCH, 2 * window), pool_frames, ds.sizes["time"])
        self._count = max(1, pool_frames // self._length)
        if batch % share[1]:
            raise FinescaleError(
                f"the global batch must divide among the processes: {batch} windows, {share[1]} processes; "
                f"choose a batch of {share[1] * max(1, batch // share[1])}"
            )

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """The batches of steps ``first`` to ``last - 1``."""
        with ThreadPoolExecutor(1) as reader:
            number = first // self.pool_steps
            coming: Future[_Pool] = reader.submit(self._read, number)
            for step in range(first, last):
                if step == first or step % self.pool_steps == 0:
                    begin = wall.perf_counter()
                    pool = coming.result()
                    self.waited += wall.perf_counter() - begin
                    number = step // self.pool_steps + 1
                    if number * self.pool_steps < last:
                        coming = reader.submit(self._read, number)
                yield self._cut(pool, step)

    def _read(self, number: int) -> _Pool:
        """Read the stretches of one pool, in time order so that chunks are read once."""
        rng = np.random.Generator(np.random.Philox(key=np.array([self.seed, 2 * number], dtype=np.uint64)))
        frames, times, hours, filled = [], [], [], 0
        starts: list[list[NDArray[np.int64]]] = [[] for _ in range(int(self._part.max()) + 1)]
        for begin, end in self._stretches(rng):
            block = pack(self.ds.isel(time=slice(begin, end)), self.scaling.variables)
            check_gaps(self.ds, begin, block, self.mask, self.scaling.variables)
            frames.append(np.where(self.mask, self.scaling.apply(block), 0).astype(np.float32))
            times.append(self._clock[begin:end])
            hours.append(self._hours[begin:end])
            whole = self._inside(begin, end)
            for fold, own in enumerate(starts):
                own.append(filled + whole[self._part[begin + whole] == fold])
            filled += end - begin
        return _Pool(
            np.concatenate(frames),
            np.concatenate(times),
            np.concatenate(hours),
            [np.concatenate(own) for own in starts],
        )

    def _stretches(self, rng: np.random.Generator) -> list[tuple[int, int]]:
        """Stretches of one pool; the period's ends cut theirs short, so that every frame is as likely."""
        total = self.ds.sizes["time"]
        if self._count * self._length >= total:
            return [(0, total)]
        while True:
            begins = np.sort(rng.integers(self.window - self._length, total - self.window + 1, self._count))
            found = [(max(0, int(b)), min(total, int(b) + self._length)) for b in begins]
            # Gaps of the period may cut all of the windows in a few stretches.
            if any(self._inside(*stretch).size for stretch in found):
                return found

    def _inside(self, begin: int, end: int) -> NDArray[np.int64]:
        """First frames, from `begin` on, of the windows of a stretch."""
        return np.flatnonzero(self._whole[begin : end - self.window + 1])

    def _cut(self, pool: _Pool, step: int) -> Batch:
        key = np.array([self.seed, 2 * step + 1], dtype=np.uint64)
        rng = np.random.Generator(np.random.Philox(key=key))
        # A pool of random stretches may have missed a part.
        filled = [number for number, own in enumerate(pool.starts) if len(own)]
        fold = filled[step % len(filled)]
        chosen = pool.starts[fold][rng.integers(0, len(pool.starts[fold]), self.batch)]
        index = np.arange(self.share[0], self.batch, self.share[1])
        frames = chosen[index, None] + np.arange(self.window)
        coarse = None if self.coarse is None else torch.from_numpy(self.coarse(pool.hours[frames]))
        times = torch.from_numpy(pool.clock[frames])
        if self.tiles is None:
            return Batch(torch.from_numpy(pool.frames[frames]), times, index, coarse, fold)
        places, size = self.tiles.draw(rng, self.batch)[index], self.tiles.size
        cuts = [
            pool.frames[first : first + self.window, :, y : y + size, x : x + size]
            for first, (y, x) in zip(chosen[index], places, strict=True)
        ]
        return Batch(torch.from_numpy(np.stack(cuts)), times, index, coarse, fold, torch.from_numpy(places))


def _whole_windows(segment: NDArray[np.int64], window: int) -> NDArray[np.int64]:
    """First frames of the windows that no gap of the time axis cuts."""
    return np.flatnonzero(segment[: len(segment) - window + 1] == segment[window - 1 :])


def check_window(ds: xr.Dataset, window: int) -> None:
    """Refuse a period without a single unbroken window."""
    longest = int(np.bincount(segments(ds["time"])).max()) if ds.sizes["time"] else 0
    if longest < window:
        raise FinescaleError(
            f"a window needs {window} consecutive frames: the longest unbroken stretch has {longest}; "
            "choose a shorter window or a longer period"
        )


def even_starts(ds: xr.Dataset, window: int, count: int) -> NDArray[np.int64]:
    """First frames of unbroken windows spread evenly over a period, ``[count]`` at most."""
    check_window(ds, window)
    starts = _whole_windows(segments(ds["time"]), window)
    chosen: NDArray[np.int64] = starts[np.unique(np.linspace(0, len(starts) - 1, count).round().astype(int))]
    return chosen


def even_windows(
    ds: xr.Dataset, scaling: Scaling, mask: NDArray[np.bool_], window: int, count: int
) -> tuple[Tensor, Tensor]:
    """Windows spread evenly over a period: scaled ``[count, T, C, H, W]``, clock ``[count, T, 2]``."""
    chosen, when = even_starts(ds, window, count), clock(ds["time"])
    windows = chosen[:, None] + np.arange(window)
    # In one read: window by window, a lazy dataset would decode each chunk as often.
    frames, place = np.unique(windows, return_inverse=True)
    block = pack(ds.isel(time=frames), scaling.variables)
    check_gaps(ds.isel(time=frames), 0, block, mask, scaling.variables)
    x = np.where(mask, scaling.apply(block), 0).astype(np.float32)
    x, when = x[place.reshape(windows.shape)], when[windows].astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(when)

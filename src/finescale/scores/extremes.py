"""The tail: how far the 99th percentile of each cell is from that of the truth."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.scores import checks, kernels

P99 = 0.99
BAND_BYTES = 128 * 2**20
KEPT_DAYS = 10  # a resampling misses this many given days of a month once in 200,000 times


def resampled_percentile(
    values: NDArray[np.floating],
    day: NDArray[np.int64],
    weights: NDArray[np.int64],
    *,
    q: float = P99,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Give a high percentile over time of each cell in each resampled series.

    Only the largest values of a cell are kept: those that a resampling of days can reach.

    Args:
        values: Series of cells [T, C].
        day: The day of each hour [T].
        weights: How often each day counts [B, D]: in the series itself first, then in each resampling of it.
        q: The percentile, in (0.5, 1).
        threads: Threads used.

    Returns:
        The percentile [B, C], by linear interpolation between order statistics.
    """
    hours = values.shape[0]
    a_day = int(np.bincount(day).max())
    keep = min(hours, max(KEPT_DAYS * a_day, 4 * int(np.ceil((1 - q) * hours)) + 2))
    # Where days count unevenly, the largest values may lie on those that count least.
    lightest = np.cumsum(np.sort(weights[0][day]))
    keep = max(keep, min(hours, 2 + int(np.searchsorted(lightest, (1 - q) * lightest[-1] + 1))))
    length = (weights @ np.bincount(day, minlength=weights.shape[1])).astype(np.float64)
    out = np.repeat(length[:, None], values.shape[1], axis=1)
    cuts = np.linspace(0, values.shape[1], threads + 1).astype(np.int64)

    def part(a: int, b: int) -> None:
        top, days = _largest(values[:, a:b], day, keep)
        piece = np.ascontiguousarray(out[:, a:b])
        kernels.resampled_upper_quantiles(top, days, weights, q, piece)
        # A resampling beyond the kept values is at most the least of them.
        out[:, a:b] = np.where(np.isnan(piece), top[:, -1][None, :], piece)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, cuts[:-1], cuts[1:]))
    return out


def map_percentile(
    series: xr.DataArray,
    hours: NDArray[np.bool_],
    day: NDArray[np.int64],
    weights: NDArray[np.int64],
    *,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Give the resampled percentile of every cell, reading bands of rows that fit in memory.

    Args:
        series: Fields [time, lat, lon].
        hours: Which hours count, bool [time].
        day: The day of each hour [time].
        weights: As in `resampled_percentile`.
        threads: Threads used.

    Returns:
        The percentile [B, lat * lon].
    """
    rows = max(1, BAND_BYTES // (24 * series.sizes["time"] * series.sizes["lon"]))
    bands = []
    for a in range(0, series.sizes["lat"], rows):
        values = checks.whole(
            series.isel(lat=slice(a, a + rows)).to_numpy()[hours], str(series.name), "series"
        )
        bands.append(
            resampled_percentile(values.reshape(len(values), -1), day[hours], weights, threads=threads)
        )
    return np.concatenate(bands, axis=1)


def percentile_errors(
    difference: NDArray[np.float64], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Turn maps of percentile errors into one number a region (the headline of Tie et al. 2026).

    Args:
        difference: Percentile of the ensemble minus that of the truth [B, cells].
        weights: Weights of the regions [R, cells], each summing to one.

    Returns:
        `p99_mae`, `p99_rmse` and `p99_bias` [B, R], in the unit of the variable.
    """
    return {
        "p99_mae": np.abs(difference) @ weights.T,
        "p99_rmse": np.sqrt((difference**2) @ weights.T),
        "p99_bias": difference @ weights.T,
    }


def _largest(
    values: NDArray[np.floating], day: NDArray[np.int64], keep: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Give the largest values [C, keep] in falling order, and their days.

    Value and day are packed into one 64-bit key, because sorting keys is several times faster than argsort.
    """
    bits = np.ascontiguousarray(values.T, dtype=np.float32).view(np.uint32)
    # Turned so that the order of the unsigned integers is that of the floats, negative ones included.
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(0x8000_0000))
    keys = (ordered.astype(np.uint64) << np.uint64(32)) | day.astype(np.uint64)[None, :]
    keys.sort(axis=1)
    top = keys[:, ::-1][:, :keep]
    high = (top >> np.uint64(32)).astype(np.uint32)
    floats = np.where(high >> 31, high & np.uint32(0x7FFF_FFFF), ~high).astype(np.uint32).view(np.float32)
    return np.ascontiguousarray(floats), np.ascontiguousarray((top & np.uint64(0xFFFF_FFFF)).astype(np.int32))

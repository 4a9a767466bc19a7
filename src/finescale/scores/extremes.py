"""The tail: how far the 99th percentile of each cell is from that of the truth."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.scores import checks, kernels

P99 = 0.99
BAND_BYTES = 128 * 2**20


def resampled_percentile(
    values: NDArray[np.floating],
    classes: NDArray[np.bool_],
    day: NDArray[np.int64],
    weights: NDArray[np.int64],
    *,
    q: float = P99,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Give a high percentile over time of each cell in each resampled series, for several classes of hours.

    Args:
        values: Series of cells [T, C].
        classes: Which hours count in each class [H, T].
        day: The day of each hour [T].
        weights: How often each day counts [B, D]: in the series itself first, then in each resampling of it.
        q: The percentile, in (0.5, 1).
        threads: Threads used.

    Returns:
        The percentile [H, B, C], by linear interpolation between order statistics; NaN of no hours.
    """
    out = np.empty((len(classes), len(weights), values.shape[1]))
    cuts = np.linspace(0, values.shape[1], threads + 1).astype(np.int64)

    def part(a: int, b: int) -> None:
        # One order serves all classes: sorting is most of the work.
        series = np.ascontiguousarray(values[:, a:b].T)
        order = np.argsort(series, axis=1)
        for inside, found in zip(classes, out, strict=True):
            kernels.resampled_upper_quantiles(series, order, inside, day, weights, q, found[:, a:b])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, cuts[:-1], cuts[1:]))
    return out


def map_percentile(
    series: xr.DataArray,
    classes: NDArray[np.bool_],
    day: NDArray[np.int64],
    weights: NDArray[np.int64],
    *,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Give the resampled percentile of every cell, reading bands of rows that fit in memory.

    Args:
        series: Fields [time, lat, lon].
        classes: Which hours count in each class, bool [H, time].
        day: The day of each hour [time].
        weights: As in `resampled_percentile`.
        threads: Threads used.

    Returns:
        The percentile [H, B, lat * lon].
    """
    rows = max(1, BAND_BYTES // (24 * series.sizes["time"] * series.sizes["lon"]))
    bands = []
    for a in range(0, series.sizes["lat"], rows):
        values = checks.whole(series.isel(lat=slice(a, a + rows)).to_numpy(), str(series.name), "series")
        flat = values.reshape(len(values), -1)
        bands.append(resampled_percentile(flat, classes, day, weights, threads=threads))
    return np.concatenate(bands, axis=2)


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

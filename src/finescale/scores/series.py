"""Time at points: temporal spectra, autocorrelation, increments, and how variables go together.

A few dozen cells spread over the domain are enough, because these scores are means over cells; their whole
series fit in memory where the fields do not.
"""

from __future__ import annotations

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from finescale.scores.bootstrap import DayBootstrap, Means

POINTS = 64
WINDOW = 48  # hours of one periodogram; windows begin every day
LAGS = (1, 3, 6, 12, 24)


def point_cells(shape: tuple[int, int]) -> NDArray[np.int64]:
    """Choose up to 64 cells evenly over a grid, as flat positions [P]."""
    rows, columns = (np.unique(np.linspace(0, n - 1, 10)[1:-1].round().astype(np.int64)) for n in shape)
    return np.asarray((rows[:, None] * shape[1] + columns[None, :]).ravel()[:POINTS])


def periodograms(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give the power of each window of two days, averaged over all but time.

    Args:
        values: Hourly series [..., T, P].

    Returns:
        Power density [windows, F] by frequency from 1/48 to 1/2 per hour; a window begins every 24 hours.
    """
    starts = range(0, values.shape[-2] - WINDOW + 1, 24)
    found = []
    for a in starts:
        piece = np.asarray(values[..., a : a + WINDOW, :], dtype=np.float64)
        _, power = scipy.signal.periodogram(piece, window="hann", detrend="linear", axis=-2)
        found.append(power[..., 1:, :].mean(axis=(*range(power.ndim - 2), power.ndim - 1)))
    return np.array(found).reshape(len(found), WINDOW // 2)


def temporal_melr(
    x: NDArray[np.floating], o: NDArray[np.floating], bootstrap: DayBootstrap
) -> NDArray[np.float64]:
    """Mean over frequencies of |ln(power of members / power of truth)|; 0 is right.

    Args:
        x: Members [M, T, P].
        o: Truth [T, P].
        bootstrap: The resampled days of the series.

    Returns:
        The value of each resampled series [B]; NaN when there is no window of two days.
    """
    powers = {"power": periodograms(x), "true_power": periodograms(o)}
    windows = len(powers["power"])
    if windows == 0:
        return np.full(len(bootstrap.weights), np.nan)
    first = DayBootstrap(bootstrap.weights, bootstrap.day[np.arange(windows) * 24])
    means = first.means(powers, np.ones(windows, dtype=bool))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(means["power"] / means["true_power"])
    return np.asarray(np.abs(ratio).mean(axis=1))


def lagged_products(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give the products of anomalies at several lags, from which autocorrelations follow.

    Args:
        values: Hourly series [..., T, P].

    Returns:
        Means over members and points [T, 1 + lags]; lag 0 first, zero where the series ends before the lag.
    """
    anomaly = values - values.mean(axis=-2, keepdims=True, dtype=np.float64)
    hours = values.shape[-2]
    out = np.zeros((hours, 1 + len(LAGS)))
    for k, lag in enumerate((0, *LAGS)):
        if lag >= hours:
            continue
        product = anomaly[..., : hours - lag, :] * anomaly[..., lag:, :]
        out[: hours - lag, k] = product.mean(axis=(*range(product.ndim - 2), product.ndim - 1))
    return out


def autocorrelation(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn mean products [..., 1 + lags] into autocorrelations [..., lags]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(means[..., 1:] / means[..., :1])


def autocorrelation_error(means: Means, members: int) -> NDArray[np.float64]:
    """Mean over lags of 1 to 24 hours of the absolute error of the autocorrelation."""
    difference = autocorrelation(means["lagged"]) - autocorrelation(means["true_lagged"])
    return np.asarray(np.abs(difference).mean(axis=-1))


def variable_products(series: list[NDArray[np.floating]]) -> NDArray[np.float64]:
    """Give the products of the anomalies of all pairs of variables.

    Args:
        series: One array [..., T, P] a variable.

    Returns:
        Means over members and points [T, V, V].
    """
    anomalies = [s - s.mean(axis=-2, keepdims=True, dtype=np.float64) for s in series]
    scaled = [a / (np.sqrt((a**2).mean()) or 1.0) for a in anomalies]
    stacked = np.stack([np.moveaxis(a, -2, 0).reshape(a.shape[-2], -1) for a in scaled], axis=1)
    return np.asarray(stacked @ stacked.transpose(0, 2, 1) / stacked.shape[-1])


def correlation_error(means: Means, members: int) -> NDArray[np.float64]:
    """Mean over pairs of variables of the absolute error of their correlation."""
    found = []
    for key in ("products", "true_products"):
        root = np.sqrt(np.diagonal(means[key], axis1=-2, axis2=-1))
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(means[key] / (root[..., :, None] * root[..., None, :]))
    above = np.triu_indices(found[0].shape[-1], 1)
    return np.asarray(np.abs(found[0] - found[1])[..., above[0], above[1]].mean(axis=-1))

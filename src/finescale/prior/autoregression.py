"""Autoregressions in time, many at once: Levinson-Durbin, long autocovariances."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# A reflection coefficient of one is an undamped wave: its Toeplitz matrix is singular.
_EDGE = 0.9999
# Share of the variance that its past never foretells: very smooth series would else have coefficients that the single
# precision of a file turns into those of an impossible one.
_UNFORETOLD = 1e-6


def levinson(autocovariance: Array) -> tuple[Array, Array]:
    """Yule-Walker coefficients by the Levinson-Durbin recursion (Durbin 1960).

    Args:
        autocovariance: ``[N, p + 1]``, lags 0 to p.

    Returns:
        Coefficients ``[N, p]`` of ``x_t = sum_j phi_j x_{t-j} + e_t`` and innovation variance ``[N]``.
        Reflection coefficients are kept inside the unit circle, so every model is stable whatever the
        sampling error; once nearly all is foretold, further lags add nothing.
    """
    n, order = autocovariance.shape[0], autocovariance.shape[1] - 1
    phi, error = np.zeros((n, order)), np.maximum(autocovariance[:, 0], 1e-30)
    least = _UNFORETOLD * error
    for m in range(order):
        past = np.einsum("nj,nj->n", phi[:, :m], autocovariance[:, m:0:-1]) if m else np.zeros(n)
        most = np.minimum(np.sqrt(np.maximum(1 - least / error, 0)), _EDGE)
        kappa = np.clip((autocovariance[:, m + 1] - past) / error, -most, most)
        phi[:, :m] = phi[:, :m] - kappa[:, None] * phi[:, :m][:, ::-1]
        phi[:, m] = kappa
        error = error * (1 - kappa**2)
    return phi, error


def correlation(phi: Array, lags: int) -> Array:
    """Autocorrelation ``[N, lags]`` (lags 0 to lags - 1) of the autoregressions ``phi [N, p]``."""
    n, order = phi.shape
    rho = np.zeros((n, max(lags, order + 1)))
    rho[:, 0] = 1.0
    if order:
        rho[:, 1 : order + 1] = _first_lags(phi)
    for lag in range(order + 1, lags):
        rho[:, lag] = np.einsum("nj,nj->n", phi, rho[:, lag - 1 : lag - order - 1 : -1])
    return rho[:, :lags]


def _first_lags(phi: Array) -> Array:
    """Solve the Yule-Walker equations for lags 1 to p, given lag 0 = 1."""
    n, order = phi.shape
    matrix = np.broadcast_to(np.eye(order), (n, order, order)).copy()
    right = phi.copy()
    for k in range(1, order + 1):
        for j in range(1, order + 1):
            lag = abs(k - j)
            if lag:
                matrix[:, k - 1, lag - 1] -= phi[:, j - 1]
    solved: Any = np.linalg.solve(matrix, right[..., None])
    return np.asarray(solved)[..., 0]


def toeplitz(rho: Array) -> Array:
    """Symmetric Toeplitz matrices ``[N, T, T]`` from ``rho [N, T]``."""
    index = np.abs(np.subtract.outer(np.arange(rho.shape[1]), np.arange(rho.shape[1])))
    return rho[:, index]

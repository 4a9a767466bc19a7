"""Autoregressions against scipy's Toeplitz solver and against long simulations."""

import numpy as np
import pytest
from scipy.linalg import solve_toeplitz
from simulation import simulate

from finescale.prior.autoregression import correlation, levinson, toeplitz


def damped(lags: int) -> np.ndarray:
    h = np.arange(lags)
    return np.stack([np.exp(-h / 5.0), np.exp(-h / 8.0) * np.cos(h / 4.0), 0.3 * np.exp(-((h / 6.0) ** 1.0))])


def test_levinson_solves_yule_walker():
    rho = damped(5)
    phi, error = levinson(rho)
    for i in range(3):
        wanted = solve_toeplitz(rho[i, :4], rho[i, 1:])
        np.testing.assert_allclose(phi[i], wanted, atol=1e-10)
        np.testing.assert_allclose(error[i], rho[i, 0] - wanted @ rho[i, 1:], atol=1e-10)


def test_correlation_returns_the_lags_that_were_fitted():
    rho = damped(5)
    phi, _ = levinson(rho)
    np.testing.assert_allclose(correlation(phi, 5), rho / rho[:, :1], atol=1e-8)
    assert (np.abs(correlation(phi, 400)[:, -1]) < 1e-3).all()


def test_impossible_autocovariances_become_stable_models():
    """Sampling error can make |rho(1)| > rho(0); the model must not explode."""
    phi, error = levinson(np.array([[1.0, 1.2, 0.4]]))
    assert error[0] >= 0
    assert np.abs(np.roots(np.r_[1, -phi[0]])).max() < 1


def test_a_series_as_smooth_as_a_bell_survives_single_precision():
    """Its past foretells it to machine precision; the model keeps its first lags and stays a covariance."""
    rho = np.exp(-(np.arange(9.0)[None] ** 2) / 200)
    phi, error = levinson(rho)
    assert error[0] >= 0.99e-6
    found = correlation(phi.astype(np.float32).astype(np.float64), 72)
    np.testing.assert_allclose(found[0, :4], rho[0, :4], atol=1e-3)
    assert np.linalg.eigvalsh(toeplitz(found)[0]).min() > -1e-9


@pytest.mark.parametrize("length", [2, 40])
def test_simulation_has_the_model_covariance(length):
    phi, _ = levinson(damped(4))
    noise = np.random.default_rng(0).standard_normal((20000, length, 3))
    x = simulate(phi, np.array([1.0, 2.0, 0.5]), noise)
    rho = correlation(phi, length) * np.array([1.0, 2.0, 0.5])[:, None]
    for lag in (0, 1, length - 1):
        got = (x[:, -1] * x[:, -1 - lag]).mean(axis=0)
        np.testing.assert_allclose(got, rho[:, lag], atol=5 * 2.0 * np.sqrt(2 / 20000))


def test_toeplitz_matches_its_definition():
    matrix = toeplitz(np.array([[3.0, 2.0, 1.0]]))[0]
    np.testing.assert_array_equal(matrix, [[3, 2, 1], [2, 3, 2], [1, 2, 3]])

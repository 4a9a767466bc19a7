"""Distances between clouds of fields and similarity of fields."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from finescale.scores import distance


def test_sliced_wasserstein_equals_scipy_on_each_direction():
    rng = np.random.default_rng(0)
    x, o = rng.normal(size=(2, 40, 7)), 2 + rng.normal(size=(40, 7))
    expected = np.mean([[wasserstein_distance(m[:, k], o[:, k]) for k in range(7)] for m in x])
    assert distance.sliced_wasserstein(x, o) == pytest.approx(expected, rel=1e-10)


def test_directions_are_unit_vectors_that_do_not_change():
    one = distance.directions(50)
    np.testing.assert_allclose((one**2).sum(axis=0), 1)
    np.testing.assert_array_equal(one, distance.directions(50))
    assert np.abs(one.T @ one - np.eye(100)).max() < 0.7


def brute_ssim(x, o, window):
    span = max(x.max(), o.max()) - min(x.min(), o.min())
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    values = []
    for i in range(x.shape[0] - window + 1):
        for j in range(x.shape[1] - window + 1):
            a, b = (f[i : i + window, j : j + window].ravel() for f in (x, o))
            cov = np.cov(a, b)
            values.append(
                (2 * a.mean() * b.mean() + c1)
                * (2 * cov[0, 1] + c2)
                / ((a.mean() ** 2 + b.mean() ** 2 + c1) * (cov[0, 0] + cov[1, 1] + c2))
            )
    return np.mean(values)


@pytest.mark.parametrize("level", [0.0, 280.0])
def test_ssim_equals_brute_force(level):
    rng = np.random.default_rng(1)
    o = level + rng.normal(size=(2, 18, 20))
    x = o + 0.5 * rng.normal(size=o.shape)
    expected = [brute_ssim(a, b, 7) for a, b in zip(x, o, strict=True)]
    np.testing.assert_allclose(distance.ssim(x, o, window=7), expected, rtol=1e-6)
    np.testing.assert_allclose(distance.ssim(o, o, window=7), 1)


def test_ssim_of_small_fields_shrinks_its_window():
    o = np.random.default_rng(2).normal(size=(8, 10))
    assert distance.ssim(o, o) == pytest.approx(1)
    assert distance.ssim(o[::-1], o) < 0.6

"""The resampled percentile against numpy on series that were really put together from the drawn days."""

import numpy as np
import pytest

from finescale.scores import extremes


@pytest.mark.parametrize("days", [3, 12])
@pytest.mark.parametrize("q", [0.9, 0.99])
def test_the_percentile_of_resampled_days_equals_numpy(days, q):
    rng = np.random.default_rng(days)
    day = np.repeat(np.arange(days), 24)[:-5]
    values = (rng.normal(size=(day.size, 6)) * 10 - 3).astype(np.float32)
    drawn = rng.integers(0, days, size=(20, days))
    weights = np.stack([np.ones(days, dtype=np.int64), *(np.bincount(d, minlength=days) for d in drawn)])
    classes = np.stack([np.ones(day.size, dtype=bool), np.arange(day.size) % 6 == 0])
    ours = extremes.resampled_percentile(values, classes, day, weights, q=q, threads=2)
    for found, inside in zip(ours, classes, strict=True):
        for b in range(weights.shape[0]):
            days_of = [values[(day == d) & inside] for d in range(days) for _ in range(weights[b, d])]
            expected = np.quantile(np.concatenate(days_of).astype(float), q, axis=0)
            np.testing.assert_allclose(found[b], expected, rtol=1e-6, atol=1e-6)


def test_a_resampling_without_such_hours_has_no_percentile():
    day, weights = np.array([0, 0, 1, 1]), np.array([[1, 1], [2, 0], [0, 2]])
    values = np.arange(4, dtype=np.float32)[:, None]
    inside = np.array([[False, False, True, True]])
    found = extremes.resampled_percentile(values, inside, day, weights, q=0.9)
    np.testing.assert_allclose(found[0, :, 0], [2.9, np.nan, 3.0], rtol=1e-6)


def test_errors_of_percentile_maps():
    difference = np.array([[1.0, -3.0], [0.0, 2.0]])
    weights = np.array([[0.5, 0.5], [0.0, 1.0]])
    found = extremes.percentile_errors(difference, weights)
    np.testing.assert_allclose(found["p99_mae"], [[2, 3], [1, 2]])
    np.testing.assert_allclose(found["p99_rmse"], [[np.sqrt(5), 3], [np.sqrt(2), 2]])
    np.testing.assert_allclose(found["p99_bias"], [[-1, -3], [1, 2]])


def test_days_that_count_unevenly_are_as_good_as_repeated():
    """The largest values lie on the days that count least."""
    rng = np.random.default_rng(3)
    day = np.arange(3000)
    counts = np.where(day >= 2800, 1, 12)
    values = (rng.normal(size=(3000, 3)) + 9 * (day >= 2800)[:, None]).astype(np.float32)
    values[2990:] -= 30
    every = np.ones((1, 3000), dtype=bool)
    found = extremes.resampled_percentile(values, every, day, counts[None], q=0.97)
    np.testing.assert_allclose(
        found[0, 0], np.quantile(np.repeat(values, counts, axis=0), 0.97, axis=0), rtol=1e-6
    )

"""Time at points, against scipy and by hand."""

import numpy as np
import pytest
import scipy.signal

from finescale.scores import series
from finescale.scores.bootstrap import DayBootstrap
from finescale.scores.traces import Traces


def walk(seed, *shape, memory=0.8):
    """Autoregressive series along the last axis but one."""
    noise = np.random.default_rng(seed).normal(size=shape)
    out = np.zeros(shape)
    for t in range(1, shape[-2]):
        out[..., t, :] = memory * out[..., t - 1, :] + noise[..., t, :]
    return out


def bootstrap(hours):
    return DayBootstrap.draw(np.arange(hours) // 24, resamples=30, seed=0)


def test_power_equals_welch_of_scipy():
    values = walk(0, 96, 3)
    found = series.periodograms(values)
    frequency, power = scipy.signal.welch(
        values, window="hann", nperseg=48, noverlap=24, detrend="linear", axis=0
    )
    assert frequency[1] == pytest.approx(1 / 48)
    np.testing.assert_allclose(found.mean(axis=0), power[1:].mean(axis=1), rtol=1e-9)


def test_temporal_melr_knows_a_scale_and_a_colour():
    o = walk(1, 24 * 10, 20)
    assert series.temporal_melr(o[None], o, bootstrap(240))[0] == pytest.approx(0, abs=1e-12)
    assert series.temporal_melr(2 * o[None], o, bootstrap(240))[0] == pytest.approx(np.log(4), rel=1e-9)
    white = np.random.default_rng(2).normal(size=(4, 240, 20))
    assert series.temporal_melr(white, o, bootstrap(240))[0] > 0.5
    assert np.isnan(series.temporal_melr(o[None, :40], o[:40], bootstrap(40))).all()


def test_autocorrelation_is_the_memory_of_the_process():
    values = walk(3, 6000, 30, memory=0.9)
    found = series.autocorrelation(series.lagged_products(values).mean(axis=0))
    np.testing.assert_allclose(found, [0.9**lag for lag in series.LAGS], atol=0.02)
    means = {"lagged": series.lagged_products(values)[None].mean(axis=1)}
    means["true_lagged"] = means["lagged"] * 3
    assert series.autocorrelation_error(means, 0)[0] == pytest.approx(0, abs=1e-12)


def test_correlations_between_variables_equal_numpy():
    rng = np.random.default_rng(4)
    a = rng.normal(size=(500, 3))
    b, c = 0.6 * a + rng.normal(size=a.shape), rng.normal(size=a.shape)
    products = series.variable_products([a, b, c])
    anomalies = [(v - v.mean(axis=0)).ravel() for v in (a, b, c)]
    mean = products.mean(axis=0)
    root = np.sqrt(np.diag(mean))
    np.testing.assert_allclose(mean / np.outer(root, root), np.corrcoef(anomalies), atol=1e-9)
    independent = series.variable_products([a, rng.normal(size=a.shape), c]).mean(axis=0)
    error = series.correlation_error({"products": independent[None], "true_products": mean[None]}, 0)[0]
    expected = np.abs(np.corrcoef(anomalies)[0, 1]) / 3
    assert error == pytest.approx(expected, abs=0.05)


def test_traces_do_not_depend_on_the_blocks():
    rng = np.random.default_rng(5)
    x, o = rng.normal(size=(3, 50, 6, 7)), rng.normal(size=(50, 6, 7))
    results = []
    for step in (50, 13, 1):
        traces = Traces((6, 7))
        found = [traces.add(x[:, a : a + step], o[a : a + step]) for a in range(0, 50, step)]
        steps = np.concatenate([f["increment"] for f in found])
        results.append((steps, *traces.points(), *traces.clouds(2.0)))
    for other in results[1:2]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-12)
    steps = results[0][0]
    np.testing.assert_allclose(steps[1:], (np.diff(x, axis=1) ** 2).mean(axis=(0, 2, 3)), rtol=1e-10)


def test_points_lie_inside_and_are_distinct():
    cells = series.point_cells((48, 48))
    assert cells.size == 64 and np.unique(cells).size == 64
    assert series.point_cells((3, 5)).max() < 15

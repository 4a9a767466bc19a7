"""Space-time spectra and coherence of made-up waves."""

import numpy as np
import pytest

from finescale.grid.grid import Grid
from finescale.scores import waves
from finescale.scores.spectrum import Radial

GRID = Grid(tuple(46 + 0.1 * np.arange(20)), tuple(5 + 0.15 * np.arange(24)))
RADIAL = Radial.of(GRID, window=False)


def test_rings_equal_the_radial_spectrum():
    fields = 280 + np.random.default_rng(0).normal(size=(3, *GRID.shape))
    found = waves.rings(np.abs(waves.transform(fields, RADIAL)) ** 2, RADIAL)
    np.testing.assert_allclose(found, RADIAL.power(fields), rtol=1e-10)


@pytest.mark.parametrize("direction", [-1, 1])
def test_a_running_wave_has_one_frequency_and_one_ring(direction):
    t, x = np.arange(48)[:, None, None], np.arange(24)[None, None, :]
    wave = np.cos(2 * np.pi * (4 * x / 24 - direction * 6 * t / 48)) + np.zeros((48, *GRID.shape))
    power = waves.spacetime_power(wave, RADIAL)
    assert power.shape == (24, RADIAL.wavelength.size)
    frequency, ring = np.unravel_index(power.argmax(), power.shape)
    assert frequency == 5  # the sixth: 6 turns in 48 hours
    assert RADIAL.power(wave[0]).argmax() == ring
    # The taper spreads it over its neighbours only.
    assert power[4:7, ring].sum() == pytest.approx(0.5, rel=0.01)


def test_space_time_power_sums_to_the_variance_in_time_and_space():
    fields = np.random.default_rng(1).normal(size=(48, *GRID.shape))
    taper = np.hanning(50)[1:-1]
    taper /= np.sqrt((taper**2).mean())
    anomaly = fields - fields.mean(axis=(1, 2), keepdims=True)
    anomaly = (anomaly - anomaly.mean(axis=0)) * taper[:, None, None]
    middle = waves.spacetime_power(fields, RADIAL)
    total = (anomaly**2).mean()
    # The highest frequency is its own mirror image and counts twice; the mean over time is left out.
    assert middle.sum() == pytest.approx(total, rel=0.05)


def test_spectra_of_a_still_truth_and_a_faster_one_are_apart():
    rng = np.random.default_rng(2)
    o = np.cumsum(rng.normal(size=(48, *GRID.shape)), axis=0)
    powers = [waves.spacetime_power(f, RADIAL)[None] for f in (o, 2 * o, rng.normal(size=o.shape))]
    same = waves.spacetime_melr({"power": powers[1], "true_power": powers[0]}, 0)
    assert same[0] == pytest.approx(np.log(4), rel=1e-9)
    assert waves.spacetime_melr({"power": powers[2], "true_power": powers[0]}, 0)[0] > 0.5


def test_coherence_is_one_for_a_copy_half_for_noise_and_small_for_strangers():
    rng = np.random.default_rng(3)
    a = rng.normal(size=(400, *GRID.shape))
    for b, low, high in ((3 * a, 0.999, 1.001), (rng.normal(size=a.shape), 0.0, 0.15)):
        means = {key: values.mean(axis=0) for key, values in waves.cross_power(a, b, RADIAL).items()}
        found = waves.coherence(means)
        assert (found >= low).all() and (found <= high).all()
    half = {k: v.mean(axis=0) for k, v in waves.cross_power(a, a + rng.normal(size=a.shape), RADIAL).items()}
    np.testing.assert_allclose(waves.coherence(half), np.sqrt(0.5), atol=0.06)

"""Radial spectra keep the variance and see what is missing."""

import numpy as np
import pytest

from finescale.grid.grid import Grid
from finescale.scores import waves
from finescale.scores.spectrum import Radial, hourly_power, melr

GRID = Grid(tuple(46 + 0.08 * np.arange(30)), tuple(5 + 0.12 * np.arange(41)))


@pytest.mark.parametrize("window", [False, True])
def test_rings_sum_to_the_variance(window):
    field = np.random.default_rng(0).normal(size=(3, *GRID.shape)) + 280
    radial = Radial.of(GRID, window=window)
    mean = (field * radial.taper).sum(axis=(1, 2), keepdims=True) / radial.taper.sum()
    variance = (((field - mean) * radial.taper) ** 2).mean(axis=(1, 2))
    # The window leaves a little variance in the mean coefficient, which belongs to no ring.
    left = ((field - mean) * radial.taper).mean(axis=(1, 2)) ** 2
    np.testing.assert_allclose(radial.power(field).sum(axis=-1) + left, variance, rtol=1e-10)


def test_a_wave_sits_in_the_ring_of_its_wavelength():
    radial = Radial.of(GRID, window=False)
    columns = GRID.shape[1]
    x = np.arange(columns)
    wave = np.broadcast_to(3 * np.cos(2 * np.pi * 5 * x / columns), GRID.shape)
    power = radial.power(wave)
    length = 0.12 * 111.195 * np.cos(np.deg2rad(np.mean(GRID.lat))) * columns / 5
    assert radial.wavelength[power.argmax()] == pytest.approx(length, rel=0.1)
    assert power.max() == pytest.approx(4.5, rel=1e-9)


def test_brute_force_sum_over_all_coefficients():
    field = np.random.default_rng(1).normal(size=GRID.shape)
    radial = Radial.of(GRID, window=False)
    rows, columns = GRID.shape
    dy, dx = 0.08 * 111.195, 0.12 * 111.195 * np.cos(np.deg2rad(np.mean(GRID.lat)))
    step = 1 / max(rows * dy, columns * dx)
    squared = np.abs(np.fft.fft2(field - field.mean())) ** 2 / field.size**2
    expected = np.zeros(radial.wavelength.size)
    for i, ky in enumerate(np.fft.fftfreq(rows, dy)):
        for j, kx in enumerate(np.fft.fftfreq(columns, dx)):
            ring = round(float(np.hypot(kx, ky)) / step)
            if ring:
                expected[ring - 1] += squared[i, j]
    np.testing.assert_allclose(radial.power(field), expected, atol=1e-12)


def means(x, o):
    return {k: v.mean(axis=0)[None] for k, v in hourly_power(x, o, Radial.of(GRID)).items()}


def test_melr_is_zero_for_itself_and_the_log_of_a_scale():
    o = np.random.default_rng(2).normal(size=(4, *GRID.shape))
    wavelength = Radial.of(GRID).wavelength
    assert melr(means(o[None], o), wavelength)[0] == pytest.approx(0.0, abs=1e-12)
    assert melr(means(np.stack([2 * o, 2 * o]), o), wavelength)[0] == pytest.approx(np.log(4), rel=1e-9)


def test_melr_by_bands_finds_the_band_that_was_smoothed():
    o = np.random.default_rng(3).normal(size=(20, *GRID.shape))
    smooth = (np.roll(o, 1, -1) + o + np.roll(o, -1, -1)) / 3
    wavelength = Radial.of(GRID).wavelength
    m = means(smooth[None], o)
    small, large = melr(m, wavelength, (0, 50)), melr(m, wavelength, (100, np.inf))
    assert small[0] > 5 * large[0]
    assert np.isnan(melr(m, wavelength, (1e5, 2e5))[0])


def test_a_grid_far_north_has_no_empty_rings():
    """Cells five times as high as wide leave gaps between the wavenumbers."""
    grid = Grid(tuple(74 + 0.25 * np.arange(32)), tuple(10 + 0.25 * np.arange(32)))
    radial = Radial.of(grid)
    assert set(np.unique(radial.ring)) == set(range(radial.wavelength.size + 1))
    assert (radial.ring == 0).sum() == 1 and (np.diff(radial.wavelength) < 0).all()
    rng = np.random.default_rng(0)
    x, o = rng.normal(size=(2, 48, *grid.shape)), rng.normal(size=(48, *grid.shape))
    means = {key: values.mean(axis=0)[None] for key, values in hourly_power(x, o, radial).items()}
    assert 0 < melr(means, radial.wavelength)[0] < 0.5
    powers = [waves.spacetime_power(fields, radial)[None] for fields in (x[0], o)]
    assert waves.spacetime_melr({"power": powers[0], "true_power": powers[1]}, 0)[0] < 3

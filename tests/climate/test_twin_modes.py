"""The random fields of the invented world: variance, spectrum, drift and memory are what they say."""

import numpy as np
import pytest

from finescale.climate.twin.modes import Waves, renewing, smooth_noise

WAVES = Waves(box=640.0, shortest=40.0)
POINTS = np.arange(64) * 10.0


def draw(rng, amplitude, size):
    noise = rng.standard_normal((size, *amplitude.shape, 2), dtype=np.float32)
    return amplitude * noise.view(np.complex64)[..., 0]


@pytest.mark.parametrize("slope", [5 / 3, 3.0])
def test_fields_have_unit_variance_and_the_slope_asked_for(slope):
    fields = WAVES.synthesise(draw(np.random.default_rng(1), WAVES.amplitude(slope), 400), POINTS, POINTS)
    assert np.var(fields) == pytest.approx(1.0, abs=0.12)
    power = np.abs(np.fft.fft2(fields)) ** 2
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64))) * 64
    rings = [power[:, (k >= r - 0.5) & (k < r + 0.5)].sum(axis=1).mean() for r in range(2, 14)]
    fitted = np.polyfit(np.log(np.arange(2, 14)), np.log(rings), 1)[0]
    assert -fitted == pytest.approx(slope, abs=0.25)


def test_waves_shorter_than_the_shortest_are_absent():
    fields = WAVES.synthesise(draw(np.random.default_rng(2), WAVES.amplitude(2.0), 5), POINTS, POINTS)
    power = np.abs(np.fft.fft2(fields)) ** 2
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64))) * 64
    assert power[:, k > 16.5].sum() < 1e-8 * power.sum()


def test_drifting_is_shifting():
    coefficients = draw(np.random.default_rng(3), WAVES.amplitude(2.0), 2)
    north, east = np.array([35.0, -12.0]), np.array([110.0, 4.0])
    drifted = WAVES.synthesise(WAVES.drift(coefficients, north, east), POINTS, POINTS)
    for i in range(2):
        shifted = WAVES.synthesise(coefficients[i : i + 1], POINTS - north[i], POINTS - east[i])[0]
        np.testing.assert_allclose(drifted[i], shifted, atol=2e-4)


def collect(hours, block, memory=5.0):
    amplitude = WAVES.amplitude(2.0)[None]
    rng = np.random.Generator(np.random.SFC64(4))
    size = np.full(amplitude.shape[1:], memory, dtype=np.float32)
    return np.concatenate(list(renewing(rng, np.asarray(hours), size, amplitude, block=block)))


def test_coefficients_do_not_depend_on_the_block():
    hours = np.r_[0:30:6, 30:60, 60:90:6]
    np.testing.assert_array_equal(collect(hours, 7), collect(hours, 64))


@pytest.mark.parametrize("step", [1, 6])
def test_coefficients_forget_at_the_stated_rate_whatever_the_step(step):
    c = collect(np.arange(600) * step, 64)[:, 0][:, WAVES.amplitude(2.0) > 0]
    found = np.real(np.vdot(c[1:], c[:-1])) / np.vdot(c, c).real
    assert found == pytest.approx(np.exp(-step / 5.0), abs=0.02)
    early, late = (np.mean(np.abs(x) ** 2) for x in (c[:200], c[400:]))
    assert early == pytest.approx(late, rel=0.1)


def test_smooth_noise_has_unit_variance_and_a_finite_tendency():
    noise = smooth_noise(np.random.default_rng(5), (20000, 6), memory=12.0)
    assert noise.std() == pytest.approx(1.0, abs=0.05)
    # Of a process with a finite tendency, 1 - r(lag) grows with lag squared, not with lag.
    loss = [1 - np.mean(noise[lag:] * noise[:-lag]) / np.mean(noise**2) for lag in (1, 2)]
    assert loss[1] / loss[0] > 3.3

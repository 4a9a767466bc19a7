"""Draws of what a noise level hides, against the closed form."""

import math
from dataclasses import replace

import pytest
import torch

from finescale.fields.noise import Noise
from finescale.guidance.draws import ClimateDraws

MEMBERS, HOURS = tuple(range(16)), 400


def noise(climate) -> Noise:
    return Noise(5, climate.scaling.variables, tuple(climate.mask.shape[1:]))


@pytest.mark.parametrize("sigma", [0.05, 0.5, math.inf])
def test_every_eof_keeps_what_the_noise_hides(climate, sigma) -> None:
    x = ClimateDraws(climate, noise(climate), sigma)(MEMBERS, 0, HOURS)
    found = climate.project(x).square().mean(dim=(0, 1))
    rho = torch.from_numpy(climate.autocovariance(1024))
    power = torch.fft.rfft(torch.cat([rho, rho[:, 1:-1].flip(1)], 1)).real.clamp_min(0)
    left = power if math.isinf(sigma) else power * sigma**2 / (power + sigma**2)
    expected = torch.fft.irfft(left, n=2046)[:, 0]
    # The memory of an EOF is tens of hours: 6400 frames are worth a few hundred.
    torch.testing.assert_close(found.double(), expected, rtol=0.2, atol=0)


@pytest.mark.parametrize("sigma", [1.0, math.inf])
def test_eofs_that_turn_into_one_another_are_drawn_together(turning, sigma) -> None:
    z = turning.project(ClimateDraws(turning, noise(turning), sigma)(MEMBERS, 0, HOURS))[..., :2].double()
    lags, frames = turning.lead_covariances(121), 121
    rows = [[lags[t - s] if t >= s else lags[s - t].T for s in range(frames)] for t in range(frames)]
    left = torch.cat([torch.cat(row, 1) for row in rows])
    if sigma < math.inf:
        left = sigma**2 * torch.linalg.solve(left + sigma**2 * torch.eye(2 * frames), left)
    for lag in (0, 3):
        found = torch.einsum("mti,mtj->ij", z[:, lag:], z[:, : HOURS - lag]) / len(MEMBERS) / (HOURS - lag)
        expected = left[120 + 2 * lag : 122 + 2 * lag, 120:122]
        torch.testing.assert_close(found, expected, rtol=0, atol=0.08 * float(left[120, 120]))


def test_apart_each_eof_is_drawn_alone(turning) -> None:
    z = turning.project(ClimateDraws(turning.apart(), noise(turning))(MEMBERS, 0, HOURS))[..., :2]
    across = float((z[:, 3:, 0] * z[:, :-3, 1]).mean())
    assert abs(across) < 0.2 * float(turning.variance[0])
    assert float(turning.lead_covariances(4)[3, 0, 1]) < -0.3 * float(turning.variance[0])


@pytest.mark.parametrize("kind", ["climate", "turning"])
def test_hours_do_not_depend_on_where_the_draw_begins(kind, request) -> None:
    climate = request.getfixturevalue(kind)
    draws = ClimateDraws(climate, noise(climate), 0.3, use=1)
    torch.testing.assert_close(draws((3,), 0, 100)[:, 40:], draws((3,), 40, 100), rtol=1e-4, atol=1e-5)


def test_uses_are_independent(climate) -> None:
    first, second = (ClimateDraws(climate, noise(climate), 0.3, use)(MEMBERS, 0, 200) for use in (0, 1))
    assert abs(float((first * second).mean() / first.square().mean())) < 0.02


@pytest.mark.parametrize("sigma", [0.3, math.inf])
def test_a_sampler_whose_noise_has_a_memory_does_not_widen_draws(climate, sigma) -> None:
    plain, lasting = (
        ClimateDraws(climate, replace(noise(climate), memory=m), sigma, use=1)((0, 1), 0, 60) for m in (0, 24)
    )
    assert torch.equal(plain, lasting)

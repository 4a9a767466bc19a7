"""The oracle itself, against brute force."""

import math

import pytest
import torch


@pytest.fixture(scope="module")
def world(worlds):
    return worlds.GaussianWorld(frames=7, n=4, factor=2, every=3)


@pytest.fixture(scope="module")
def dense(world):
    """The covariance of all cells and hours as one matrix."""
    size = world.frames * 2 * world.n**2
    unit = torch.eye(size, dtype=torch.float64).view(size, world.frames, 2, world.n, world.n)
    return world.filter(unit, lambda v: v).flatten(1)


def test_the_covariance_is_symmetric_and_positive(dense) -> None:
    torch.testing.assert_close(dense, dense.T)
    assert torch.linalg.eigvalsh(dense).min() > -1e-10


def test_draws_have_the_covariance(world, dense) -> None:
    x = world.draw(4000, 0).flatten(1)
    found = x.T @ x / len(x)
    assert (found - dense).abs().max() < 6 * dense.diagonal().max() / 4000**0.5


def test_the_denoiser_is_the_conditional_mean(world, dense) -> None:
    x = world.draw(3, 1)
    expected = torch.linalg.solve(dense + 0.49 * torch.eye(len(dense)), dense) @ x.flatten(1).T
    torch.testing.assert_close(world.denoise(x, 0.7).flatten(1), expected.T)


def test_mean_and_variance_are_those_of_the_posterior(world, dense) -> None:
    like = torch.zeros(len(dense), world.frames, 2, world.n, world.n, dtype=torch.float64)
    h = world.segment.apply(torch.eye(len(dense), dtype=torch.float64).view_as(like)).T
    inverse = torch.linalg.inv(h @ dense @ h.T + torch.diag(world.segment.error))
    y = torch.linspace(-1, 1, world.segment.size, dtype=torch.float64)
    torch.testing.assert_close(world.mean(y[None]).flatten(), dense @ h.T @ inverse @ y)
    left = dense - dense @ h.T @ inverse @ h @ dense
    torch.testing.assert_close(world.variance.flatten(), left.diagonal())


def test_matheron_draws_have_the_posterior_law(world) -> None:
    y = torch.zeros(world.segment.size, dtype=torch.float64)
    x = world.posterior(y, 4000, 3)
    assert (x.mean(0) / (world.variance / 4000).sqrt()).abs().max() < 5
    assert (x.var(0) / world.variance - 1).abs().max() < 5 * (2 / 4000) ** 0.5


def test_the_expected_crps_is_that_of_the_closed_form(worlds, tables) -> None:
    variance = torch.tensor([0.5, 2.0])
    found = tables.crps(torch.zeros(2), variance, variance)
    assert math.isclose(float(found), float(variance.sqrt().mean() / math.pi**0.5), rel_tol=1e-6)

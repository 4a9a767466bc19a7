"""Derivatives and balances against what calculus says, for arrays of both libraries."""

import numpy as np
import pytest
import torch

from finescale.grid.balance import flux_balance, transport
from finescale.grid.calculus import EARTH_RADIUS, Calculus
from finescale.grid.grid import Grid

STEP = 5_000.0
CELLS = np.arange(32) * STEP
PLANE = Calculus.plane(CELLS, CELLS)
Y, X = np.meshgrid(CELLS, CELLS, indexing="ij")
ROUGH = 285 + np.random.default_rng(0).normal(size=(32, 32)).cumsum(0).cumsum(1) / 10


def test_torch_and_numpy_agree_and_gradients_flow():
    tensors = PLANE.convert(torch.from_numpy)
    field = torch.from_numpy(ROUGH).requires_grad_()
    for one, two in zip(PLANE.gradient(ROUGH), tensors.gradient(field), strict=True):
        np.testing.assert_allclose(one, two.detach().numpy(), rtol=1e-9, atol=1e-15)
    balance = flux_balance(field, tensors, (8, 8))
    np.testing.assert_allclose(flux_balance(ROUGH, PLANE, (8, 8)), balance.detach().numpy(), rtol=1e-10)
    small = PLANE_SMALL.convert(torch.from_numpy)
    corner = torch.from_numpy(ROUGH[:8, :8]).requires_grad_()
    assert torch.autograd.gradcheck(lambda t: flux_balance(t, small, (4, 4)), corner, eps=1e-5, rtol=1e-3)


PLANE_SMALL = Calculus.plane(CELLS[:8], CELLS[:8])


def test_laplacian_of_a_parabola_and_on_the_sphere():
    inner = PLANE.laplacian(3e-9 * X**2 - 1e-9 * Y**2)[1:-1, 1:-1]
    np.testing.assert_allclose(inner, 2 * (3e-9 - 1e-9), rtol=1e-6)
    grid = Grid(tuple(40 + 0.1 * np.arange(60)), tuple(0.1 * np.arange(50)))
    lat = np.deg2rad(np.asarray(grid.lat))[:, None] * np.ones((1, 50))
    # sin(lat) is an eigenfunction of the Laplacian of the sphere with eigenvalue -2.
    found = Calculus.of(grid).laplacian(np.sin(lat))[1:-1, 1:-1]
    np.testing.assert_allclose(found, (-2 * np.sin(lat) / EARTH_RADIUS**2)[1:-1, 1:-1], rtol=1e-4)


def test_a_constant_field_has_no_balance_and_a_safe_gradient():
    tensors = PLANE.convert(torch.from_numpy)
    field = torch.full((32, 32), 285.0, dtype=torch.float64, requires_grad=True)
    balance = flux_balance(field, tensors, (8, 8))
    assert balance.abs().max() < 1e-12
    balance.sum().backward()
    assert torch.isfinite(field.grad).all()


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 200])
@pytest.mark.parametrize("cells", [2, 4, 16])
def test_a_linear_field_has_a_quarter_whatever_its_direction_and_the_cells_of_a_block(degrees, cells):
    turn = np.deg2rad(degrees)
    field = 285 + 2e-4 * (np.cos(turn) * X + np.sin(turn) * Y)
    np.testing.assert_allclose(flux_balance(field, PLANE, (cells, cells)), 0.25, rtol=1e-5)


def test_rotation_by_a_quarter_turn_rotates_the_balance():
    turned = flux_balance(np.rot90(ROUGH).copy(), PLANE, (8, 8))
    np.testing.assert_allclose(turned, np.rot90(flux_balance(ROUGH, PLANE, (8, 8))), rtol=1e-9)


@pytest.mark.parametrize("shift", [-273.15, 40.0])
def test_the_zero_of_the_temperature_scale_does_not_matter(shift):
    one, two = (flux_balance(field, PLANE, (8, 8)) for field in (ROUGH, ROUGH + shift))
    np.testing.assert_allclose(one, two, rtol=1e-8)


def test_doubled_distances_halve_gradients_and_quarter_laplacians():
    wide = Calculus.plane(2 * CELLS, 2 * CELLS)
    for one, two in zip(PLANE.gradient(ROUGH), wide.gradient(ROUGH), strict=True):
        np.testing.assert_allclose(two, one / 2, rtol=1e-12)
    np.testing.assert_allclose(wide.laplacian(ROUGH), PLANE.laplacian(ROUGH) / 4, rtol=1e-9, atol=1e-18)
    # The ratio of fluxes is a length: over that of its block it does not change.
    np.testing.assert_allclose(
        flux_balance(ROUGH, wide, (8, 8)), flux_balance(ROUGH, PLANE, (8, 8)), rtol=5e-3, atol=1e-4
    )


def test_a_pattern_that_moves_with_the_wind_leaves_little_and_diffusion_is_found():
    def wave(t):
        return 285 + np.sin(2 * np.pi * (X - 10.0 * t) / 160_000) * np.exp(-t * 3e-5)

    wind = np.full((32, 32), 10.0), np.zeros((32, 32))
    left, curl = (part[1:-1, 1:-1] for part in transport(wave(0.0), wave(600.0), wind, PLANE, 600.0))
    still = transport(wave(0.0), wave(600.0), (0 * wind[0], wind[1]), PLANE, 600.0)[0][1:-1, 1:-1]
    assert np.square(left).mean() < 0.02 * np.square(still).mean()
    kappa = (left * curl).sum() / np.square(curl).sum()
    assert kappa == pytest.approx(3e-5 * (160_000 / (2 * np.pi)) ** 2, rel=0.05)

"""Covariances that are singular but for rounding are factored; those that are none are refused."""

import pytest
import torch

from finescale.errors import FinescaleError
from finescale.guidance.factor import factored


def test_a_sound_covariance_is_left_as_it_is():
    a = torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    matrix = a @ a.T + torch.eye(6)
    torch.testing.assert_close(factored(matrix.clone(), 1e-3), torch.linalg.cholesky(matrix))


def test_rounding_is_mended():
    """Hourly values of a series as smooth as a bell: to machine precision two are worth as much as twenty."""
    t = torch.arange(40, dtype=torch.float64)
    matrix = torch.exp(-((t[:, None] - t) ** 2) / 800) - 1e-9 * torch.eye(40)
    with pytest.raises(RuntimeError):
        torch.linalg.cholesky(matrix)
    factor = factored(matrix.clone(), 1e-8)
    torch.testing.assert_close(factor @ factor.T, matrix, atol=1e-6, rtol=0)


def test_what_is_no_covariance_is_refused():
    with pytest.raises(FinescaleError, match=r"cannot, with its diagonal raised by 0\.01"):
        factored(torch.tensor([[1.0, 2.0], [2.0, 1.0]]), 1e-6)

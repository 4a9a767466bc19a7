"""How large anomalies are in each season, where it is known because they were made so."""

import numpy as np
import pytest
import torch

from finescale.prior.climatology import Harmonics, fit_season

DAYS = 4 * 365


def clock(days: int) -> torch.Tensor:
    return torch.stack([torch.arange(days) / 365 % 1, torch.zeros(days)], 1)


@pytest.mark.parametrize("swing", [0.0, 0.5, 2.5], ids=["still", "mild", "hundredfold"])
def test_the_size_of_each_season_is_found(swing) -> None:
    when, basis = clock(DAYS), Harmonics(2, 0)
    logs = swing * torch.cos(2 * torch.pi * (when[:, 0] - 0.1)).double().numpy()
    scatter = np.random.default_rng(0).gamma(5, 1 / 5, (DAYS, 2))
    season = fit_season(np.exp(logs)[:, None] * scatter * [3, 7], when, basis)
    found = basis.year(when).double().numpy() @ season
    assert np.exp(found).mean(axis=0) == pytest.approx(1, abs=1e-4)
    expected = logs - np.log(np.exp(logs).mean())
    assert np.abs(found - expected[:, None]).max() < 0.15


def test_a_month_says_nothing_of_the_year() -> None:
    season = fit_season(np.full((30, 1), 5.0), clock(30), Harmonics(0, 0))
    np.testing.assert_allclose(season, 0, atol=1e-6)


def test_nothing_that_varies_is_no_fault() -> None:
    season = fit_season(np.zeros((DAYS, 1)), clock(DAYS), Harmonics(2, 0))
    assert np.isfinite(season).all()

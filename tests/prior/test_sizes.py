"""How large anomalies are from day to day, where it is known because they were made so."""

import numpy as np
import pytest
import torch

from finescale.prior.climatology import Harmonics
from finescale.prior.sizes import Sizes, fit_season

DAYS = 4 * 365
CLOCK = torch.stack([torch.arange(DAYS) / 365 % 1, torch.zeros(DAYS)], 1)
YEAR = Harmonics(2, 0)
BASIS = YEAR.year(CLOCK).double().numpy()


@pytest.mark.parametrize("swing", [0.0, 0.5, 2.5], ids=["still", "mild", "hundredfold"])
def test_the_size_of_each_season_is_found(swing) -> None:
    logs = swing * np.cos(2 * np.pi * (CLOCK[:, 0].double().numpy() - 0.1))
    scatter = np.random.default_rng(0).gamma(5, 1 / 5, (DAYS, 2))
    found = BASIS @ fit_season(np.exp(logs)[:, None] * scatter * [3, 7], BASIS)
    assert np.exp(found).mean(axis=0) == pytest.approx(1, abs=1e-6)
    expected = logs - np.log(np.exp(logs).mean())
    assert np.abs(found - expected[:, None]).max() < 0.15


def test_a_month_says_nothing_of_the_year() -> None:
    np.testing.assert_allclose(fit_season(np.full((30, 1), 5.0), np.ones((30, 1))), 0, atol=1e-6)


def test_nothing_that_varies_is_no_fault() -> None:
    assert np.isfinite(fit_season(np.zeros((DAYS, 1)), BASIS)).all()


def test_days_that_wander_are_told_from_days_that_do_not() -> None:
    """The first variable is twice as large in winter and wanders by 0.3; the second has cells that differ, no more."""
    rng = np.random.default_rng(1)
    mask = np.ones((2, 6, 8), bool)
    mask[1, 0] = False
    a = rng.standard_normal((DAYS, 2, 6, 8)) * rng.uniform(0.5, 2, (6, 8)) * mask
    a[:, 0] *= (1.5 + 0.5 * torch.cos(2 * torch.pi * CLOCK[:, 0]).numpy())[:, None, None]
    a[:, 0] *= np.exp(0.3 * rng.standard_normal((DAYS, 1, 1)))
    sizes = Sizes(CLOCK, YEAR, mask)
    for every in (2, 1):
        for start in range(0, DAYS, 100):
            sizes.see(slice(start, start + 100, every), a[start : start + 100 : every].astype(np.float32))
        if every == 2:
            season = sizes.season()
    np.testing.assert_allclose(sizes.wander(), [0.3, 0.0], atol=0.04)
    winter, summer = np.exp(BASIS[[0, 182]] @ season / 2)
    np.testing.assert_allclose(winter / summer, [2, 1], rtol=0.1)

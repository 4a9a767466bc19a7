"""The climate's covariance seen through observations, against dense matrices."""

import math
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from finescale.fields.operator import AreaMean, Clock, Stations
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.guidance import covariance
from finescale.guidance.covariance import ClimateCovariance, covariance_of
from finescale.guidance.moving import MovingModes
from finescale.guidance.observation import Observation, Source
from finescale.guidance.seen import Seen
from finescale.prior.gaussian import GaussianClimate

GRID = Grid(tuple(50 + 0.5 * np.arange(4)), tuple(5 + 0.5 * np.arange(6)))
NAMES = ("a", "b")
FRAMES = 13


def observation(kind: str) -> Observation:
    space = AreaMean.of(Coarsening(GRID, GRID.coarsen(2)), torch.float64)
    y = torch.randn(3, 2, space.size, generator=torch.Generator().manual_seed(0)).double()
    cells = Source(space, Clock(6), (0, 1), 0, y, torch.tensor([0.01, 0.04]).double())
    if kind == "gaps":
        y[1, 0, 2] = torch.nan
        return Observation((cells,))
    if kind == "cells":
        return Observation((cells,))
    points = Stations.at(GRID, [50.3, 51.2], [5.2, 6.9])
    clock = Clock(3, "mean")
    z = torch.randn(5, 1, 2, generator=torch.Generator().manual_seed(1)).double()
    return Observation((cells, Source(points, clock, (1,), 0, z, torch.tensor([0.02]).double())))


def dense(climate: GaussianClimate, sigma: float) -> torch.Tensor:
    """C_t of all hours and cells as a matrix, from the climate's own denoiser."""
    size = FRAMES * 48
    unit = torch.eye(size).view(size, FRAMES, 2, 4, 6)
    if sigma == float("inf"):
        big = 1e3
        return (climate.shrink(unit, torch.tensor(big)) * big**2).flatten(1).double()
    return (climate.shrink(unit, torch.tensor(sigma)) * sigma**2).flatten(1).double()


@pytest.mark.parametrize("iterative", [False, True], ids=["factor", "iterations"])
@pytest.mark.parametrize("kind", ["cells", "gaps", "two products"])
@pytest.mark.parametrize("sigma", [0.1, 1.0, 20.0])
def test_the_correction_is_that_of_dense_matrices(climate, sigma, kind, iterative) -> None:
    segment = observation(kind).segment(0, FRAMES)
    c = dense(climate, sigma)
    like = torch.zeros(segment.size, FRAMES, 2, 4, 6, dtype=torch.float64)
    h = segment.adjoint(torch.eye(segment.size, dtype=torch.float64), like).flatten(1)
    gram = h @ c @ h.T + torch.diag(torch.where(segment.mask, segment.error, 1.0))
    r = segment.residual(torch.zeros(2, FRAMES, 2, 4, 6, dtype=torch.float64))
    expected = (c @ h.T @ torch.linalg.solve(gram, r.T)).T.reshape(2, FRAMES, 2, 4, 6)
    cov = ClimateCovariance(climate, jitter=0.0, dense=0 if iterative else 10_000)
    u = cov.solve(segment, FRAMES, sigma, r)
    found = cov.spread(segment, u, torch.zeros(2, FRAMES, 2, 4, 6), sigma, slice(2, 9))
    torch.testing.assert_close(
        found.double(), expected[:, 2:9], rtol=2e-3, atol=2e-3 * float(expected.abs().max())
    )


def test_factors_are_shared_between_equal_patterns(climate, monkeypatch) -> None:
    made, seen, factored = [], observation("cells"), covariance.factored
    monkeypatch.setattr(covariance, "factored", lambda *given: made.append(given) or factored(*given))
    cov = ClimateCovariance(climate)
    for first in (0, 6, 3):
        segment = seen.segment(first, first + 7)
        cov.solve(segment, 7, 1.0, torch.zeros(1, segment.size))
    assert len(made) == 2


def test_requests_of_one_time_share_a_covariance_that_goes_with_the_last(climate) -> None:
    first = covariance_of(climate)
    assert covariance_of(climate) is first
    gone = weakref.ref(first)
    del first
    assert gone() is None


def test_sources_that_see_alike_share_a_factor_whatever_they_saw(climate, monkeypatch) -> None:
    made, factored = [], covariance.factored
    monkeypatch.setattr(covariance, "factored", lambda *given: made.append(given) or factored(*given))
    (source,) = observation("cells").sources
    others = (
        replace(source, y=source.y + 1),
        replace(source, error=source.error + 1),
        replace(source, space=replace(source.space, rows=source.space.rows.roll(1, 1))),
        replace(source, clock=Clock(3)),
    )
    cov = ClimateCovariance(climate)
    for each in (source, *others):
        segment = Observation((each,)).segment(0, 7)
        cov.solve(segment, 7, 1.0, torch.zeros(1, segment.size))
    assert len(made) == 4


def test_ring_keeps_weather_smooth_that_remembers_days() -> None:
    """What two and seven frames in a row differ by; on a ring of 192 hours it would be 1.65 and 2.16 times as much."""

    def covariances(lags: int) -> torch.Tensor:
        age = torch.arange(lags, dtype=torch.float64) / 20
        return ((1 + age) * (-age).exp())[:, None, None]

    moving, wanted = MovingModes(covariances, 0), covariances(7)[:, 0, 0]
    found = moving.lags(math.inf, 7)[6:, 0, 0].double()
    for weights in ({0: 1.0, 1: -1.0}, {0: 1.5, 3: -2.0, 6: 0.5}):
        rough, known = (sum(w * lags[h] for h, w in weights.items()) for lags in (found, wanted))
        assert abs(float(rough / known) - 1) < 0.01


def test_modes_that_follow_one_another_are_those_of_dense_matrices() -> None:
    """A pair of modes that turn into each other, in the middle of a stretch."""
    angle, frames, sigma = 0.3, 61, 0.7
    turn = 0.9 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def covariances(count):
        return torch.from_numpy(np.stack([np.linalg.matrix_power(turn, h) for h in range(count)]))

    lags, moving = covariances(frames).numpy(), MovingModes(covariances, frames)
    full = np.zeros((frames, 2, frames, 2))
    for i, j in np.ndindex(frames, frames):
        full[i, :, j] = lags[i - j] if i >= j else lags[j - i].T
    full = full.reshape(2 * frames, -1)
    left = sigma**2 * full @ np.linalg.inv(full + sigma**2 * np.eye(len(full)))
    stamps = torch.zeros(2, frames, dtype=torch.float64)
    stamps[0, 28], stamps[1, 30:36] = 1, 1 / 6
    u = torch.tensor([[[1.0], [0.5]], [[-2.0], [1.0]]])
    weights = np.einsum("st,ksm->tkm", stamps.numpy(), u.numpy()).reshape(-1, 1)
    wanted = (left @ weights).reshape(frames, 2)[20:40]
    found = moving.series(sigma, u, stamps, slice(20, 40))[0]
    np.testing.assert_allclose(found.numpy(), wanted, atol=2e-3)
    one = Seen(torch.eye(2, dtype=torch.float64), [], [], 1)
    between = moving.seen(sigma, one, stamps, one, stamps)
    h = np.einsum("st,kj->sktj", stamps.numpy(), np.eye(2)).reshape(4, -1)
    np.testing.assert_allclose(between.numpy(), h @ left @ h.T, atol=2e-3)

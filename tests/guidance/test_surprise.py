"""The surprise of a climate: nothing for one that knows the law, much for one that saw a few days."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.signal import lfilter

from finescale.fields.noise import Noise
from finescale.grid.coarsening import Coarsening
from finescale.guidance.activity import Activity
from finescale.guidance.conditions import conditions
from finescale.guidance.draws import ClimateDraws
from finescale.guidance.surprise import surprise
from finescale.prior import crossfit
from finescale.prior.climatology import Harmonics
from finescale.prior.gaussian import GaussianClimate

FEW, DAYS, FOLDS = 16, 60, 4


def dataset(grid, x: np.ndarray) -> xr.Dataset:
    """Fields ``[T, 2, H, W]`` with their hours."""
    time = np.datetime64("2001-01-01", "ns") + np.arange(len(x)) * np.timedelta64(1, "h")
    fields = {n: (("time", "lat", "lon"), x[:, c], {"units": "1"}) for c, n in enumerate(("a", "b"))}
    return xr.Dataset(fields, coords={"time": time, **grid.coords()})


@pytest.fixture(scope="module")
def weather(grid, climate) -> xr.Dataset:
    noise = Noise(0, climate.scaling.variables, tuple(climate.mask.shape[1:]))
    return dataset(grid, ClimateDraws(climate, noise)((0,), 0, 24 * DAYS)[0].numpy())


@pytest.fixture(scope="module")
def slow(grid) -> xr.Dataset:
    """Weather that remembers days: sixteen of them are few."""
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((48, 48)) * np.linspace(1.5, 0.3, 48)
    z = lfilter([1], [1, -0.99], rng.standard_normal((24 * 4 * DAYS, 48)), axis=0)
    x = z[24 * DAYS :] @ mix.T
    return dataset(grid, (x / x.std()).reshape(-1, 2, 4, 6).astype(np.float32))


@pytest.fixture(scope="module")
def operator(grid) -> Coarsening:
    return Coarsening(grid, grid.coarsen(2))


def judged(ds: xr.Dataset, operator: Coarsening, climates) -> tuple[float, ...]:
    coarse = operator.apply(ds)
    return surprise(coarse, operator, climates, crossfit.parts(ds.sizes["time"], FOLDS)[:: operator.every])


def fitted(ds: xr.Dataset, climate: GaussianClimate) -> GaussianClimate:
    return GaussianClimate.fit(
        ds, climate.scaling, modes=40, order=3, joint=0, sketch_every=1, harmonics=Harmonics(0, 0)
    )


def test_a_climate_that_knows_the_law_is_not_surprised(weather, operator, climate) -> None:
    found = judged(weather, operator, [climate] * FOLDS)
    assert len(found) == 2
    assert all(0 <= value < 0.05 for value in found)


def test_days_of_twice_the_size_seem_so_to_a_climate_of_other_days(weather, operator, climate) -> None:
    """All days, seen by a climate of half their size: a logarithm of 2, beside the ordinary value that is believed."""
    (first, second) = judged(2 * weather, operator, [climate] * FOLDS)
    # Four stamps of six values, of variance four; the share that they tell divides what is found.
    expected = np.log((16 + 4 * 24) / (16 + 24)) / 2 / (24 / (16 + 24))
    assert first == pytest.approx(expected, rel=0.1)
    assert second == pytest.approx(expected, rel=0.1)


def test_what_surprises_a_climate_of_few_days_is_not_all_taken_for_activity(slow, operator, climate) -> None:
    """Days held out lie near days that were seen, so less is found than days far away will seem to have."""
    few = slow.isel(time=slice(0, 24 * FEW))
    whole = fitted(few, climate)
    found = judged(few, operator, crossfit.climates(few, whole, FOLDS, 3))
    rest = conditions(operator.apply(slow.isel(time=slice(24 * FEW, None))), operator, climate.scaling)
    plain, mended = (Activity.of(rest, whole, s).factors.log().mean(0) for s in ((), found))
    assert all(value > 0.02 for value in found)
    assert bool((plain > 0.1).all())
    assert bool((mended > 0).all())
    assert bool((mended < plain - 0.015).all())


def test_what_nothing_tells_of_is_left_to_the_season(weather, operator, climate) -> None:
    given = conditions(operator.apply(weather.isel(time=slice(0, 240))), operator, climate.scaling)
    (source,) = given.observation.sources
    silent = replace(source, y=torch.full_like(source.y, torch.nan))
    given = replace(given, observation=replace(given.observation, sources=(silent,)))
    factors = Activity.of(given, climate, (0.3, 0.3)).factors
    torch.testing.assert_close(factors, torch.ones_like(factors))


def test_short_stretches_are_passed_over(weather, operator, climate) -> None:
    """Days that lie apart, each too short to be judged."""
    apart = weather.isel(time=np.flatnonzero(np.arange(24 * DAYS) // 12 % 3 == 0))
    assert judged(apart, operator, [climate] * FOLDS) == (0.0, 0.0)

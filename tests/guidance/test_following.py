"""Bands of waves that follow the activity of a day, and bands that do not, where it is known which are which."""

import numpy as np
import pytest
import torch
import xarray as xr

from finescale.fields.noise import Noise
from finescale.fields.operator import AreaMean, Clock
from finescale.fields.scaling import Scaling
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.guidance.activity import Activity
from finescale.guidance.conditions import Conditions
from finescale.guidance.covariance import ClimateCovariance
from finescale.guidance.draws import ClimateDraws
from finescale.guidance.following import Following, fitted, measured
from finescale.guidance.observation import Observation, Source
from finescale.guidance.unseen import Unseen
from finescale.prior.climatology import Harmonics
from finescale.prior.gaussian import GaussianClimate

ROWS, COLUMNS, DAYS = 12, 16, 40
GRID = Grid(tuple(50 + 0.5 * np.arange(ROWS)), tuple(5 + 0.5 * np.arange(COLUMNS)))
TIME = xr.date_range("2001-01-01", periods=24 * DAYS, freq="h")


@pytest.fixture(scope="module")
def climate() -> GaussianClimate:
    """Red noise of two variables on a grid with three bands of waves."""
    rng = np.random.default_rng(0)
    wave = np.hypot(*np.meshgrid(np.fft.fftfreq(ROWS), np.fft.fftfreq(COLUMNS), indexing="ij"))
    x, out = np.zeros((2, ROWS, COLUMNS)), np.empty((24 * DAYS, 2, ROWS, COLUMNS), np.float32)
    for t in range(len(out)):
        fresh = np.fft.ifft2(np.fft.fft2(rng.standard_normal(x.shape)) / (0.1 + wave)).real
        x = out[t] = 0.9 * x + 0.1 * fresh
    scaling = Scaling("mean-std", ("a", "b"), (0.0, 0.0), (1.0, 1.0))
    return GaussianClimate.fit(dataset(out), scaling, modes=24, order=3, joint=0, harmonics=Harmonics(0, 0))


def dataset(x: np.ndarray) -> xr.Dataset:
    fields = {n: (("time", "lat", "lon"), x[:, c], {"units": "1"}) for c, n in enumerate("ab")}
    return xr.Dataset(fields, coords={"time": TIME, **GRID.coords()})


def request_of(x: torch.Tensor) -> Conditions:
    """Coarse cells of the fields ``[T, C, H, W]``, every six hours."""
    space = AreaMean.of(Coarsening(GRID, GRID.coarsen(4)), torch.float64)
    y = space.apply(x.double())[::6]
    axis = xr.DataArray(TIME, dims="time", coords={"time": TIME})
    source = Source(space, Clock(6), (0, 1), 0, y, torch.zeros(2))
    return Conditions(Observation((source,)), 0, len(x), (0, len(x)), axis)


@pytest.fixture(scope="module")
def weather(climate) -> torch.Tensor:
    """Days of different size in all but the last band of the first variable, which is the same on all days."""
    x = ClimateDraws(climate, Noise(0, ("a", "b"), (ROWS, COLUMNS)))((0,), 0, 24 * DAYS)[0]
    size = torch.where(torch.arange(DAYS) // 5 % 2 == 0, 0.6, 1.8).repeat_interleave(24)[:, None, None]
    waves = climate.bands(x)
    still = waves[:, 0, int(climate.edges[-2]) :].clone()
    waves = waves * size
    waves[:, 0, int(climate.edges[-2]) :] = still
    return climate.mean(torch.zeros(1, 2)) + climate.bands.inverse(waves)


@pytest.mark.parametrize("dense", [2600, 10], ids=["factored", "by-iteration"])
def test_nothing_is_seen_of_what_is_unseen(climate, weather, dense) -> None:
    given = request_of(weather)
    unseen = Unseen(ClimateCovariance(climate, dense=dense), given.observation)
    x = weather[None, :48]
    rest = unseen(x)
    source = given.observation.sources[0]
    assert float(source.space.apply(rest.double()).abs().max()) < 1e-4
    assert float(rest.std()) > 0.1 * float(x.std())
    torch.testing.assert_close(unseen(rest), rest, atol=1e-4, rtol=1e-3)


def test_less_than_a_day_tells_nothing(climate, weather) -> None:
    part = weather[:18]
    fine = dataset(weather.numpy()).isel(time=slice(0, len(part)))
    assert measured(request_of(part), climate, fine) == ()


def test_days_tell_which_bands_follow(climate, weather) -> None:
    powers = measured(request_of(weather), climate, dataset(weather.numpy()))
    assert len(powers) == 2 and all(len(row) == len(climate.edges) - 1 for row in powers)
    assert powers[0][-1] < 0.2
    assert all(power > 0.7 for power in (*powers[0][:-1], *powers[1]))


def test_bands_that_do_not_follow_are_divided_by_activity(climate, weather) -> None:
    given = request_of(weather)
    activity = Activity.of(given, climate)
    bands = len(climate.edges) - 1
    powers = ((*(1.0,) * (bands - 1), 0.0), (1.0,) * bands)
    covariance = ClimateCovariance(climate)
    following = Following.of(powers, activity, covariance, given.observation)
    away = torch.randn(3, 24, 2, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    found = following(away, 240)
    last = slice(int(climate.edges[-2]), int(climate.edges[-1]))
    ratio = [climate.bands(x)[..., 0, last].square().mean().sqrt() for x in (found, away)]
    expected = 1 / activity.factors[240:264, 0].mean()
    assert float(ratio[0] / ratio[1]) == pytest.approx(float(expected), rel=0.1)
    space = given.observation.sources[0].space
    assert float((space.apply(found.double()) - space.apply(away.double())).abs().max()) < 1e-3
    ones = Following.of(((1.0,) * bands,) * 2, activity, covariance, given.observation)
    torch.testing.assert_close(ones(away, 240), away)
    assert Following.of((), activity, covariance, given.observation) is None
    assert Following.of(powers, None, covariance, given.observation) is None


def test_many_days_are_believed_and_few_are_not() -> None:
    generator = torch.Generator().manual_seed(0)
    true = torch.tensor([[0.0, 0.5, 1.2]])

    def of(days: int) -> torch.Tensor:
        size = torch.exp(0.3 * torch.randn(days, 1, generator=generator))
        noise = torch.exp(0.4 * torch.randn(days, 1, 3, generator=generator))
        return torch.tensor(fitted(7 * size[..., None] ** (2 * true) * noise, size))

    torch.testing.assert_close(of(20_000), true, atol=0.02, rtol=0)
    assert float((of(2) - 1).abs().max()) < 0.5
    torch.testing.assert_close(of(1), torch.ones(1, 3))

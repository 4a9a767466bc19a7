"""How far days swing, where it is known because they were made to."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

from finescale.fields.operator import AreaMean, Clock
from finescale.fields.scaling import Scaling
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.guidance.conditions import Conditions
from finescale.guidance.days import Days
from finescale.guidance.observation import Observation, Source
from finescale.guidance.swing import Swing, measured
from finescale.prior.climatology import Harmonics
from finescale.prior.gaussian import GaussianClimate

ROWS, COLUMNS, DAYS = 8, 12, 60
GRID = Grid(tuple(50 + 0.5 * np.arange(ROWS)), tuple(5 + 0.5 * np.arange(COLUMNS)))
TIME = xr.date_range("2001-03-01", periods=24 * DAYS, freq="h")
# A morning that rises fast, a night that is flat; stronger in the east.
HOUR = np.arange(24 * DAYS) % 24
SHAPE = np.clip(np.sin((HOUR - 7) / 13 * np.pi), 0, None) * (HOUR > 7)
CYCLE = 3 * SHAPE[:, None, None] * np.linspace(0.3, 1, COLUMNS)
# Of the first variable, over the mean one; the second has the same cycle every day.
SIZE = np.random.default_rng(1).choice([0.3, 1.0, 1.7], DAYS).repeat(24)[:, None, None]


@pytest.fixture(scope="module")
def weather() -> torch.Tensor:
    """Red noise about cycles ``[T, C, H, W]``."""
    rng = np.random.default_rng(0)
    wave = np.hypot(*np.meshgrid(np.fft.fftfreq(ROWS), np.fft.fftfreq(COLUMNS), indexing="ij"))
    x, out = np.zeros((2, ROWS, COLUMNS)), np.empty((24 * DAYS, 2, ROWS, COLUMNS), np.float32)
    for t in range(len(out)):
        fresh = np.fft.ifft2(np.fft.fft2(rng.standard_normal(x.shape)) / (0.1 + wave)).real
        x = out[t] = 0.95 * x + 0.05 * fresh
    out[:, 0] += SIZE * CYCLE
    out[:, 1] += CYCLE
    return torch.from_numpy(out)


@pytest.fixture(scope="module")
def climate(weather) -> GaussianClimate:
    scaling = Scaling("mean-std", ("a", "b"), (0.0, 0.0), (1.0, 1.0))
    return GaussianClimate.fit(
        dataset(weather), scaling, modes=24, order=3, joint=0, harmonics=Harmonics(0, 3)
    )


def dataset(x: torch.Tensor) -> xr.Dataset:
    fields = {n: (("time", "lat", "lon"), x[:, c].numpy(), {"units": "1"}) for c, n in enumerate("ab")}
    return xr.Dataset(fields, coords={"time": TIME[: len(x)], **GRID.coords()})


def request_of(x: torch.Tensor, clock: Clock = Clock(6)) -> Conditions:
    """Coarse cells of the fields ``[T, C, H, W]`` from hour 0 on."""
    space = AreaMean.of(Coarsening(GRID, GRID.coarsen(4)), torch.float64)
    weights = torch.from_numpy(clock.matrix(0, len(x)))
    y = torch.einsum("kt,tcn->kcn", weights, space.apply(x.double()))
    source = Source(space, clock, (0, 1), clock.hours(0, len(x))[0], y, torch.zeros(2))
    axis = xr.DataArray(TIME[: len(x)], dims="time", coords={"time": TIME[: len(x)]})
    return Conditions(Observation((source,)), 0, len(x), (0, len(x)), axis)


def by_day(x: torch.Tensor) -> torch.Tensor:
    """Range of each day's mean over the domain ``[D]``."""
    days = x.mean((1, 2)).view(-1, 24)
    return days.amax(1) - days.amin(1)


@pytest.mark.parametrize("clock", [Clock(6), Clock(3), Clock(6, "mean")], ids=["six", "three", "means"])
def test_days_swing_as_their_coarse_data_tell(weather, climate, clock) -> None:
    told = Swing.of(request_of(weather, clock), climate, GRID, (1.0, 1.0))(0, 24 * DAYS)
    assert told.shape == weather.shape
    mean = climate.mean(request_of(weather).clock())
    swung, plain = by_day(mean[:, 0] + told[:, 0]), by_day(mean[:, 0])
    size = torch.from_numpy(SIZE[::24, 0, 0])
    large, small = swung[size > 1][1:-1].mean(), swung[size < 1][1:-1].mean()
    assert float(large / plain.mean()) > 1.25
    assert float(small / plain.mean()) < 0.75


def test_days_of_the_past_tell_which_variable_swings(weather, climate) -> None:
    a, b = measured(request_of(weather), climate, GRID, dataset(weather))
    assert a > 0.6
    assert b < 0.35 and b < a / 2


def test_what_is_not_believed_is_left_alone(weather, climate) -> None:
    told = Swing.of(request_of(weather), climate, GRID, (0.5, 0.0))(0, 240)
    whole = Swing.of(request_of(weather), climate, GRID, (1.0, 1.0))(0, 240)
    torch.testing.assert_close(told[:, 0], whole[:, 0] / 2)
    assert not told[:, 1].any()


def test_too_short_a_past_believes_nothing(weather, climate) -> None:
    assert measured(request_of(weather[:48]), climate, GRID, dataset(weather[:48])) == (0.0, 0.0)


@pytest.mark.parametrize("clock", [Clock(6), Clock(6, "mean")], ids=["instants", "means"])
def test_what_is_taken_off_is_put_back(weather, climate, clock) -> None:
    given = request_of(weather, clock)
    swing = Swing.of(given, climate, GRID, (1.0, 1.0))
    source, rest = given.observation.sources[0], swing.without(given).observation.sources[0]
    restored = swing.restored(torch.zeros(1, *weather.shape), 0)[0]
    seen = request_of(restored, clock).observation.sources[0].y
    torch.testing.assert_close(rest.y + seen, source.y, atol=1e-5, rtol=0)
    assert float((rest.y - source.y).abs().max()) > 0.3


def test_a_longer_request_swings_alike(weather, climate) -> None:
    short, long = (Swing.of(request_of(weather[: 24 * days]), climate, GRID, (1.0, 1.0)) for days in (12, 40))
    assert torch.equal(short(0, 24 * 10), long(0, 24 * 10))
    assert torch.equal(long(48, 72), long(0, 24 * 10)[48:72])


def test_missing_values_tell_nothing_and_their_neighbours_do(weather, climate) -> None:
    given = request_of(weather[:240])
    source = given.observation.sources[0]
    holes, gone = source.y.clone(), torch.full_like(source.y, torch.nan)
    holes[10, :, :2] = torch.nan
    for y in (holes, gone):
        told = Swing.of(
            replace(given, observation=Observation((replace(source, y=y),))), climate, GRID, (1.0, 1.0)
        )(0, 240)
        assert bool(torch.isfinite(told).all())
        assert bool(told.any()) == (y is holes)


def test_a_mean_without_hours_does_not_swing(weather, climate) -> None:
    still = GaussianClimate(
        climate.scaling,
        Harmonics(0, 0),
        1.0,
        climate.tensors() | {"coefficients": climate.coefficients[:1].numpy()},
    )
    assert not Swing.of(request_of(weather[:240]), still, GRID, (1.0, 1.0))(0, 240).any()


def test_days_take_off_the_cycle_before_they_are_judged(weather, climate) -> None:
    given = request_of(weather[:480])
    days, ordinary = Days.of(given, climate, GRID, (1.0, 0.0))
    plain, same = Days.of(given, climate, GRID, ())
    assert days.swing is not None and plain.swing is None
    assert float(days.activity.factors[:, 0].mean()) < float(plain.activity.factors[:, 0].mean())
    x = torch.randn(2, 48, 2, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        days.restored(x, 96), days.activity.restored(x, 96) + days.swing(96, 144)[None]
    )
    torch.testing.assert_close(plain.restored(x, 96), plain.activity.restored(x, 96))
    assert not torch.equal(ordinary.observation.sources[0].y[:, 0], same.observation.sources[0].y[:, 0])

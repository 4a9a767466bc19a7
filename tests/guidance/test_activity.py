"""The activity of days, where it is known because the weather was made with it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

from finescale.fields.noise import Noise
from finescale.fields.operator import AreaMean, Clock
from finescale.grid.coarsening import Coarsening
from finescale.guidance.activity import Activity, Judged
from finescale.guidance.conditions import Conditions
from finescale.guidance.draws import ClimateDraws
from finescale.guidance.observation import Observation, Source

DAYS = 60


@pytest.fixture(scope="module")
def weather(climate) -> torch.Tensor:
    noise = Noise(0, climate.scaling.variables, tuple(climate.mask.shape[1:]))
    return ClimateDraws(climate, noise)((0,), 0, 24 * DAYS)[0]


def request_of(grid, x: torch.Tensor, clock: Clock) -> Conditions:
    """Coarse cells of the fields ``[T, C, H, W]`` from hour 0 on."""
    space = AreaMean.of(Coarsening(grid, grid.coarsen(2)))
    stamps = clock.hours(0, len(x))
    weights = torch.from_numpy(clock.matrix(0, len(x))).float()
    y = torch.einsum("kt,tcn->kcn", weights, space.apply(x))
    source = Source(space, clock, (0, 1), stamps[0], y, torch.zeros(2))
    time = xr.date_range("2001-01-01", periods=len(x), freq="h")
    axis = xr.DataArray(time, dims="time", coords={"time": time})
    return Conditions(Observation((source,)), 0, len(x), (0, len(x)), axis)


@pytest.mark.parametrize("clock", [Clock(6), Clock(6, "mean")], ids=["instants", "means"])
def test_ordinary_weather_is_left_nearly_alone(grid, climate, weather, clock) -> None:
    factors = Activity.of(request_of(grid, weather, clock), climate).factors
    assert abs(float(factors.log().mean())) < 0.1
    assert float(factors.log().std()) < 0.25


@pytest.mark.parametrize("clock", [Clock(6), Clock(6, "mean")], ids=["instants", "means"])
def test_days_of_twice_the_size_are_told_from_the_others(grid, climate, weather, clock) -> None:
    size = torch.ones(24 * DAYS)
    size[24 * 20 : 24 * 40] = 2
    factors = Activity.of(request_of(grid, weather * size[:, None, None, None], clock), climate).factors
    # 24 values of variance 4 a day, beside 16 of variance 1 that are believed.
    expected = ((16 + 24 * 4) / (16 + 24)) ** 0.5
    assert abs(float(factors[24 * 22 : 24 * 38].mean()) / expected - 1) < 0.06
    assert abs(float(factors[: 24 * 18].mean()) - 1) < 0.06


def test_what_was_divided_is_multiplied_again(grid, climate, weather) -> None:
    given = request_of(grid, 1.7 * weather[:240], Clock(6))
    activity = Activity.of(given, climate)
    ordinary = activity.normalised(given).observation.segment(0, 240)
    mean = climate.mean(activity.clock) * climate.mask
    x = mean + (1.7 * weather[:240] - mean) / activity.factors[..., None, None]
    torch.testing.assert_close(ordinary.apply(x[None])[0], ordinary.y, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(activity.restored(x[None], 0)[0], 1.7 * weather[:240], rtol=1e-4, atol=1e-4)
    assert float((x - 1.7 * weather[:240]).abs().max()) > 0.5


def test_unobserved_cells_and_days_say_nothing(grid, climate, weather) -> None:
    given = request_of(grid, weather, Clock(6))
    (source,) = given.observation.sources
    source.y[::2, 0] = torch.nan
    source.y[40:48] = torch.nan
    factors = Activity.of(given, climate).factors
    assert bool(torch.isfinite(factors).all())
    assert abs(float(factors.log().mean())) < 0.1


def test_days_that_nothing_tells_of_are_as_active_as_their_season(grid, climate, weather) -> None:
    given = request_of(grid, weather, Clock(6))
    (source,) = given.observation.sources
    source.y[:] = torch.nan
    season = np.log([[4.0, 0.25]]).astype(np.float32)
    stormy = climate.with_tensors(climate.tensors() | {"season": season})
    assert stormy.harmonics.annual == 0
    factors = Activity.of(given, stormy).factors
    # Halfway between what a variable has of its own and what all share.
    torch.testing.assert_close(factors, torch.tensor([[2.0**0.5, 0.5**0.5]]).expand_as(factors))


def test_a_request_that_begins_elsewhere_finds_the_same_days(grid, climate, weather) -> None:
    whole = request_of(grid, weather, Clock(6))
    part = Conditions(whole.observation, 96, 24 * DAYS, (96, 24 * DAYS), whole.time[96:])
    found = Activity.of(part, climate).factors
    expected = Activity.of(whole, climate).factors[96:]
    np.testing.assert_array_equal(found[24:], expected[24:])


def test_data_with_an_error_are_not_exact(grid, weather) -> None:
    given = request_of(grid, weather, Clock(6))
    (source,) = given.observation.sources
    noisy = replace(source, error=torch.tensor([0.0, 0.01]))
    assert given.exact
    assert not replace(given, observation=Observation((noisy,))).exact


def test_every_stamp_is_looked_at_and_no_span_is_without_one(grid, climate, weather) -> None:
    """Stamps at 00, 06, ..., 00 UTC: the first ends the day before."""
    given = request_of(grid, 3 * weather[:49], Clock(6))
    judged = Judged.of(given, climate)
    np.testing.assert_allclose(judged.centres, [-11.5, 12.5, 36.5])
    rough = replace(given.observation.sources[0], y=given.observation.sources[0].y.clone())
    rough.y[0] *= 10
    other = Judged.of(replace(given, observation=Observation((rough,))), climate)
    assert (other.logs[0] > judged.logs[0] + 0.3).all()
    np.testing.assert_array_equal(other.logs[1:], judged.logs[1:])

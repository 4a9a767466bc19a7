"""Data in doubt: each member has its own, as weather would make them."""

from dataclasses import replace

import pytest
import torch
import xarray as xr

from finescale.errors import FinescaleError
from finescale.fields.noise import Noise
from finescale.fields.operator import AreaMean, Clock
from finescale.grid.coarsening import Coarsening
from finescale.guidance.conditions import Conditions, conditions
from finescale.guidance.covariance import ClimateCovariance
from finescale.guidance.doubt import believed
from finescale.guidance.draws import ClimateDraws
from finescale.guidance.matheron import GaussianPosterior
from finescale.guidance.observation import Observation, Source

HOURS, CLOCK, SHARE = 480, Clock(6), 0.5
MEMBERS = tuple(range(24))


def noise(climate, seed: int = 5) -> Noise:
    return Noise(seed, climate.scaling.variables, tuple(climate.mask.shape[1:]))


@pytest.fixture(scope="module")
def weather(climate) -> torch.Tensor:
    """Of 30 members ``[M, T, C, H, W]``, around zero."""
    return ClimateDraws(climate, noise(climate, 77))(tuple(range(30)), 0, HOURS)


@pytest.fixture(scope="module")
def given(climate, grid, weather) -> Conditions:
    """Coarse data of the first weather that err as the second does, with `SHARE` of its variance."""
    space = AreaMean.of(Coarsening(grid, grid.coarsen(2), CLOCK.every))
    seen = space.apply(weather[:, :: CLOCK.every])
    axis = xr.DataArray(xr.date_range("2001-01-01", periods=HOURS, freq="h"), dims="time")
    request = Conditions(Observation(()), 0, HOURS, (0, HOURS), axis)
    mean = space.apply(climate.mean(request.clock()[:1])[0])
    y = mean + seen[0] + SHARE**0.5 * seen[1]
    lasting = SHARE * seen.square().mean((0, 1, 3))
    source = Source(space, CLOCK, (0, 1), 0, y, torch.zeros(2), lasting)
    return replace(request, observation=Observation((source,)))


def test_members_have_likely_data_that_hold_together(climate, given) -> None:
    observation = believed(given, climate, noise(climate)).observation
    y = observation.segment(0, HOURS, MEMBERS).y.view(len(MEMBERS), -1, 2, 6)
    likeliest, own = observation.segment(0, HOURS).y.view(-1, 2, 6), given.observation.sources[0].y
    apart = y - likeliest
    assert float(apart.mean().abs()) < 0.1
    # (y - mean) / (1 + s) from a mean of about zero, and s / (1 + s) of the climate's variance.
    torch.testing.assert_close(likeliest, own / (1 + SHARE), rtol=0.1, atol=0.1)
    wanted = given.observation.sources[0].lasting / (1 + SHARE)
    torch.testing.assert_close(apart.square().mean((0, 1, 3)), wanted, rtol=0.15, atol=0)
    # Six hours on, weather of this world is .5 of what it was.
    lag = (apart[:, 1:] * apart[:, :-1]).mean() / apart.square().mean()
    assert 0.35 < float(lag) < 0.7


def test_a_member_has_the_same_data_in_every_stretch_and_ensemble(climate, given) -> None:
    observation = believed(given, climate, noise(climate)).observation
    whole = observation.segment(0, 96, MEMBERS[:4]).y.view(4, -1, 12)
    late = observation.segment(48, 96, MEMBERS[2:4]).y.view(2, -1, 12)
    torch.testing.assert_close(whole[2:, 8:], late, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(whole[2], whole[3], atol=0.1)
    # Across the place where one length of weather that is drawn at once ends and the next begins.
    across = observation.segment(60, 144, MEMBERS[:4]).y.view(4, -1, 12)
    torch.testing.assert_close(across[:, :6], whole[:, 10:], rtol=0, atol=0)
    lag = (across[:, 6] - across[:, 5]).square().mean() / across.square().mean()
    assert float(lag) < 1.6


def test_spread_of_the_region_is_its_error(climate, given, weather) -> None:
    """Mean of all cells over four days, with data that err as weather does: told so, and told that errors are alone."""

    def spread_skill(request: Conditions) -> float:
        posterior = GaussianPosterior(
            ClimateCovariance(climate), request.observation, given.clock(), noise(climate), 0, HOURS
        )
        x = torch.cat([x for _, x in posterior.run(MEMBERS)], 1) - climate.mean(given.clock())
        error = (x - weather[:1]).mean((3, 4)).unflatten(1, (-1, 96)).mean(2)
        return float((error.var(0).mean() / error.mean(0).square().mean()).sqrt())

    told = spread_skill(believed(given, climate, noise(climate)))
    plain = Observation(tuple(source.independent() for source in given.observation.sources))
    assert 0.6 < told < 1.6
    assert spread_skill(replace(given, observation=plain)) < 0.6 * told


def test_without_a_climate_all_of_the_error_is_independent(climate, given) -> None:
    source = believed(given, None, noise(climate)).observation.sources[0]
    assert source.lasting is None
    assert torch.equal(source.error, given.observation.sources[0].lasting)


def test_share_comes_with_the_data(climate, grid) -> None:
    coarsening = Coarsening(grid, grid.coarsen(2), CLOCK.every)
    time = xr.date_range("2001-01-01", periods=3, freq="6h")
    coarse = xr.Dataset(coords={"time": time, **coarsening.coarse.coords()})
    attrs = {"units": "1", "standard_error": 2.0, "error_lasting": 0.25}
    for name in climate.scaling.variables:
        coarse[name] = (("time", "lat", "lon"), torch.zeros(3, 2, 3).numpy(), attrs)
    (source,) = conditions(coarse, coarsening, climate.scaling).observation.sources
    assert source.error.tolist() == [3.0, 3.0]
    assert source.lasting.tolist() == [1.0, 1.0]
    coarse["a"].attrs["error_lasting"] = 1.5
    with pytest.raises(FinescaleError, match=r"between 0 and 1: a carries 1.5; mend error_lasting"):
        conditions(coarse, coarsening, climate.scaling)

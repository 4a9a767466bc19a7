"""Several products at once, through the face of every method: what each adds, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.fields.scaling import Scaling
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.methods.bilinear import Bilinear
from finescale.methods.gaussian import Gaussian
from finescale.methods.generative import GenerativeDownscaler
from finescale.prior.card import load_prior
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.spec import NetworkSpec, PriorSpec, TrainingSpec
from finescale.prior.training import train

from .test_generative import VARIABLES, values, weather

HOURS = slice(24 * 32, 24 * 33 + 1)


@pytest.fixture(scope="module")
def fine() -> xr.Dataset:
    return weather(24 * 40)


@pytest.fixture(scope="module")
def gaussian(fine: xr.Dataset) -> Gaussian:
    scaling = Scaling.fit(fine, tuple(VARIABLES))
    grid = Grid.from_dataset(fine)
    climate = GaussianClimate.fit(fine, scaling, modes=40, order=4)
    return Gaussian(Coarsening(grid, grid.coarsen(4)), VARIABLES, climate)


@pytest.fixture(scope="module")
def generative(
    fine: xr.Dataset, gaussian: Gaussian, tmp_path_factory: pytest.TempPathFactory
) -> GenerativeDownscaler:
    place = tmp_path_factory.mktemp("prior")
    spec = PriorSpec(
        tuple(VARIABLES),
        window=5,
        network=NetworkSpec(channels=(8, 8), blocks=(1, 1), attention=0, embedding=16),
        training=TrainingSpec(steps=2, batch=4, warmup=1, validation_windows=4, precision="fp32"),
    )
    train(
        fine.isel(time=slice(0, 24 * 30)), None, spec, place / "prior",
        validation=fine.isel(time=slice(24 * 30, None)), scratch=place / "scratch", gaussian=gaussian.climate,
    )  # fmt: skip
    return GenerativeDownscaler(
        load_prior(place / "prior"), gaussian.coarsening, VARIABLES, SamplerSpec(steps=4), GuidanceSpec("gaussian-cov")
    )  # fmt: skip


@pytest.fixture(params=["gaussian", "generative"])
def method(request: pytest.FixtureRequest) -> Gaussian | GenerativeDownscaler:
    found: Gaussian | GenerativeDownscaler = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def coarse(fine: xr.Dataset, gaussian: Gaussian) -> xr.Dataset:
    return gaussian.coarsening.apply(fine.isel(time=HOURS))


def stations(fine: xr.Dataset) -> xr.Dataset:
    """Hourly temperature at two points between cells."""
    lat, lon = xr.DataArray([48.23, 48.6], dims="station"), xr.DataArray([7.15, 7.52], dims="station")
    return fine[["tas"]].isel(time=HOURS).interp(lat=lat, lon=lon).assign_coords(lat=lat, lon=lon)


def at(found: xr.Dataset, places: xr.Dataset) -> xr.DataArray:
    return found["tas"].interp(lat=places["lat"], lon=places["lon"])


def test_stations_beside_a_model_are_met_and_help_around_them(method, coarse, fine) -> None:
    places = stations(fine)
    alone, both = (method(coarse, members=4, seed=1, beside=extra) for extra in ((), (places,)))
    scale = float(fine["tas"].std())
    assert float(abs(at(both, places) - places["tas"]).max()) < 0.01 * scale
    assert float(abs(at(alone, places) - places["tas"]).mean()) > 0.1 * scale
    seen = method.coarsening.apply(both)
    assert float(abs(seen["tas"] - coarse["tas"]).max()) < 0.01 * scale
    truth = fine.sel(time=both["time"])
    near = {"lat": slice(48.15, 48.35), "lon": slice(7.05, 7.25)}  # the cells around the first station
    errors = [float(((ds["tas"] - truth["tas"]).sel(near) ** 2).mean()) for ds in (alone, both)]
    assert errors[1] < 0.8 * errors[0]


def test_two_coarse_products_are_met_together(method, coarse, fine) -> None:
    # The second is finer, has means of three hours, one variable, and half of its cells.
    other = Coarsening(method.fine, method.fine.coarsen(2), 3, "mean").apply(fine[["uas"]].isel(time=HOURS))
    other["uas"].attrs["cell_methods"] = "time: mean"
    half = other.where(other["lon"] < 7.35)
    half["uas"].attrs = other["uas"].attrs
    found = method(coarse, members=2, seed=1, beside=(half,))
    seen = Coarsening(method.fine, method.fine.coarsen(2), 3, "mean").apply(found)["uas"]
    away = abs(seen - other["uas"]).transpose("member", "time", "lat", "lon")
    scale = float(fine["uas"].std())
    assert float(away[..., :2].max()) < 0.02 * scale
    assert float(away[..., 2:].mean()) > 0.05 * scale
    assert float(abs(method.coarsening.apply(found) - coarse)["tas"].max()) < 0.01 * float(fine["tas"].std())


def test_a_station_with_an_error_is_not_followed_to_the_letter(method, coarse, fine) -> None:
    places = stations(fine)
    places["tas"].attrs["standard_error"] = 2.0
    found = method(coarse, members=4, seed=1, beside=(places,))
    assert float(abs(at(found, places) - places["tas"]).mean()) > 0.05


def test_another_product_makes_another_request(generative, coarse, fine, tmp_path: Path) -> None:
    places = stations(fine)
    first = generative(coarse, members=1, seed=1, scratch=tmp_path / "s", beside=(places,)).load()
    again = generative(coarse, members=1, seed=1, scratch=tmp_path / "s").load()
    assert not np.array_equal(values(first), values(again))


def mistakes() -> dict[str, tuple[object, str]]:
    return {
        "nothing in common": (lambda ds: ds.rename(tas="pr"), "holds some of tas, uas: found pr"),
        "wrong units": (lambda ds: ds.assign(tas=ds.tas.assign_attrs(units="degC")), "tas must be in K"),
        "one time": (lambda ds: ds.isel(time=[0]), "two times or more"),
        "another calendar": (lambda ds: ds.convert_calendar("noleap"), "in the calendar"),
        "outside": (lambda ds: ds.assign_coords(lat=ds.lat + 5), "stations lie within the fine grid"),
        "no places": (
            lambda ds: ds.drop_vars(["lat", "lon"]).assign_coords(lat=48.2, lon=7.2),
            "a lat and a lon each",
        ),
        "an uneven clock": (lambda ds: ds.isel(time=[0, 1, 3]), "follow every 1 h"),
    }


@pytest.mark.parametrize("name", mistakes())
def test_mistakes_are_named(gaussian, coarse, fine, name) -> None:
    spoil, message = mistakes()[name]
    with pytest.raises(FinescaleError, match=message):
        gaussian(coarse, members=1, seed=0, beside=(spoil(stations(fine)),))


def test_a_grid_that_does_not_nest_is_refused(gaussian, coarse, fine) -> None:
    off = fine.isel(time=HOURS, lat=slice(0, 6), lon=slice(0, 6)).coarsen(lat=3, lon=3).mean()
    off["tas"].attrs["units"], off["uas"].attrs["units"] = "K", "m s-1"
    with pytest.raises(FinescaleError, match="does not nest"):
        gaussian(coarse, members=1, seed=0, beside=(off,))


def test_a_method_that_knows_one_product_says_so(gaussian, coarse, fine) -> None:
    plain = Bilinear(gaussian.fine, gaussian.coarse, VARIABLES)
    with pytest.raises(FinescaleError, match="Bilinear reads one coarse product: 1 more"):
        plain(coarse, members=1, seed=0, beside=(stations(fine),))


def test_projection_refuses_products_that_overlap(generative, coarse, fine) -> None:
    other = replace(generative, guidance=GuidanceSpec("project"))
    with pytest.raises(FinescaleError, match="do not overlap"):
        other(coarse, members=1, seed=0, beside=(stations(fine),))

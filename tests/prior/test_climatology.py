"""The mean by season and hour: what a period can tell, and days that grow longer."""

import numpy as np
import pytest
import torch
import xarray as xr

from finescale.fields.context import clock
from finescale.fields.scaling import Scaling
from finescale.fields.sun import phase
from finescale.prior.climatology import Harmonics, fit, identifiable
from finescale.prior.crossfit import climates
from finescale.prior.gaussian import GaussianClimate

LAT, LON = 54.0, -4.0


def sunny(start, days):
    """Hourly temperature that follows the sun, no two cells alike."""
    time = np.datetime64(start, "ns") + np.arange(24 * days) * np.timedelta64(1, "h")
    coords = {"time": time, "lat": LAT + np.array([-0.5, 0.5]), "lon": LON + np.array([-1.0, 0.0, 1.0])}
    angle = 2 * np.pi * phase(torch.from_numpy(clock(xr.DataArray(time, dims="time"))), LAT, LON).numpy()
    size = 1 + np.arange(6).reshape(2, 3)
    warmth = 280 + (np.cos(angle + 3) + 0.3 * np.sin(2 * angle))[:, None, None] * size
    return xr.Dataset({"tas": (("time", "lat", "lon"), warmth)}, coords=coords)


def error(harmonics, learned, asked):
    """Largest error of the mean of one period, learned from another."""
    scaling = Scaling("mean-std", ("tas",), (280.0,), (1.0,))
    coefficients, _ = fit(learned, scaling, harmonics)
    basis = harmonics(torch.from_numpy(clock(asked["time"]))).numpy()
    return abs(np.einsum("tp,pchw->tchw", basis, coefficients)[:, 0] + 280 - asked["tas"].values).max()


def test_a_month_knows_how_days_grow():
    """The mean of March is right in April: its day is the sun's, not the clock's."""
    march, april = sunny("2019-03-01", 31), sunny("2019-04-10", 10)
    found = identifiable(march, Harmonics(2, 3))
    assert found == Harmonics(0, 3, pytest.approx((LAT, LON)))
    assert error(found, march, april) < 0.01
    assert error(Harmonics(0, 3), march, april) > 1.0


@pytest.mark.parametrize(
    ("hours", "every", "expected"), [(24 * 365, 1, (2, 3)), (24 * 365, 24, (2, 0)), (24 * 365, 6, (2, 1))]
)
def test_a_year_tells_the_seasons_itself(hours, every, expected):
    year = sunny("2019-01-01", hours // 24).isel(time=slice(None, None, every))
    assert identifiable(year, Harmonics(2, 3)) == Harmonics(*expected)


def test_daily_data_have_no_hours_and_a_domain_may_cross_the_date_line():
    daily = sunny("2019-03-01", 31).isel(time=slice(None, None, 24))
    assert identifiable(daily, Harmonics(2, 3)) == Harmonics(0, 0)
    far = sunny("2019-03-01", 2).assign_coords(lon=[179.0, -180.0, -179.0])
    place = identifiable(far, Harmonics(2, 3)).place
    assert place is not None
    assert abs(place[1]) == pytest.approx(180)


@pytest.mark.parametrize("harmonics", [Harmonics(2, 3), Harmonics(0, 3, (54.0, -4.0))])
def test_harmonics_are_read_back(harmonics):
    assert Harmonics.from_dict(harmonics.to_dict()) == harmonics


def test_a_year_keeps_its_seasons_where_days_are_held_out():
    """What is fitted without some days has the mean's basis of all: seasons are not taken for weather."""
    time = np.datetime64("2019-01-01", "ns") + np.arange(4 * 365) * np.timedelta64(6, "h")
    rng, coords = np.random.default_rng(0), {"time": time, "lat": 54 + np.arange(4.0), "lon": np.arange(4.0)}
    days = rng.standard_normal((365, 4, 4)).repeat(4, axis=0) * 3
    season = -10 * np.cos(2 * np.pi * np.arange(4 * 365) / (4 * 365.2425))
    ds = xr.Dataset({"tas": (("time", "lat", "lon"), days + season[:, None, None])}, coords)
    scaling = Scaling("mean-std", ("tas",), (0.0,), (1.0,))
    climate = GaussianClimate.fit(ds, scaling, modes=8, order=2, joint=0)
    assert climate.harmonics.annual == 2
    assert float(climate.total_variance()) == pytest.approx(9, rel=0.15)
    assert [fold.harmonics for fold in climates(ds, climate, 4, 4)] == [climate.harmonics] * 4

"""The sun against an ephemeris formula, and the phases of its day."""

import numpy as np
import pytest
import torch
import xarray as xr

from finescale.fields.context import clock
from finescale.fields.sun import cos_zenith, declination, phase

YEAR = (np.arange(365) + 0.5) / 365


def times(text):
    return xr.DataArray(np.array([text], "datetime64[ns]"), dims="time")


def zenith(text, lat, lon):
    when = torch.from_numpy(clock(times(text)))
    at = torch.tensor([[float(lat)]], dtype=torch.float64), torch.tensor([[float(lon)]], dtype=torch.float64)
    return np.degrees(np.arccos(cos_zenith(when, *at).item()))


def spencer(g):
    """Declination in radians by Spencer's (1971) Fourier series, at angles of the year."""
    return (
        0.006918
        - 0.399912 * np.cos(g)
        + 0.070257 * np.sin(g)
        - 0.006758 * np.cos(2 * g)
        + 0.000907 * np.sin(2 * g)
        - 0.002697 * np.cos(3 * g)
        + 0.00148 * np.sin(3 * g)
    )


def almanac(text, lat, lon):
    """Spencer's declination with his equation of time."""
    moment = np.datetime64(text)
    year = moment.astype("datetime64[Y]")
    day = (moment - year) / np.timedelta64(1, "D")
    g = 2 * np.pi * day / 365
    minutes = 229.18 * (
        0.000075
        + 0.001868 * np.cos(g)
        - 0.032077 * np.sin(g)
        - 0.014615 * np.cos(2 * g)
        - 0.040849 * np.sin(2 * g)
    )
    hour = 2 * np.pi * ((day % 1) + minutes / 1440 - 0.5) + np.radians(lon)
    phi = np.radians(lat)
    return np.degrees(
        np.arccos(np.sin(phi) * np.sin(spencer(g)) + np.cos(phi) * np.cos(spencer(g)) * np.cos(hour))
    )


@pytest.mark.parametrize(
    "text", ["2001-01-15T09:00", "2001-03-21T12:00", "2001-06-21T18:00", "2001-10-30T03:00"]
)
@pytest.mark.parametrize(("lat", "lon"), [(48, 11), (-30, 140), (0, -75)])
def test_sun_is_within_its_stated_error(text, lat, lon):
    """Sixteen minutes of the equation of time are four degrees."""
    assert abs(zenith(text, lat, lon) - almanac(text, lat, lon)) < 5


def test_the_sun_turns_and_crosses_the_equator_when_it_does():
    """Solstices and equinoxes of 2001, to half a day (leap years move them by as much)."""

    def degrees(*days):
        fractions = clock(xr.DataArray(np.array(days, "datetime64[ns]"), dims="time"))[:, 0]
        return np.degrees(declination(torch.from_numpy(fractions)).numpy())

    np.testing.assert_allclose(degrees("2001-06-21T07:38", "2001-12-21T19:21"), [23.44, -23.44], atol=0.01)
    before, after = degrees("2001-03-20T01:30", "2001-03-21T01:30")
    assert before < 0 < after
    before, after = degrees("2001-09-22T11:00", "2001-09-23T11:00")
    assert before > 0 > after
    found = declination(torch.from_numpy(YEAR)).numpy()
    assert np.degrees(abs(found - spencer(2 * np.pi * YEAR))).max() < 0.25


def moments(hours, year=YEAR):
    """Clocks ``[days, hours, 2]``."""
    when = np.stack(np.broadcast_arrays(year[:, None], np.asarray(hours)[None] / 24), axis=-1)
    return torch.from_numpy(when)


@pytest.mark.parametrize(("lat", "lon"), [(48.0, 11.0), (-30.0, 140.0), (0.0, -75.0), (62.0, 179.0)])
def test_phases_are_those_of_the_sun(lat, lon):
    hours = np.arange(0, 24, 0.05)
    when = moments(hours)
    got = phase(when, lat, lon).numpy()
    up = (
        cos_zenith(when, torch.tensor([[lat]]).double(), torch.tensor([[lon]]).double())[..., 0, 0].numpy()
        > 0
    )
    edge = np.minimum(abs(got - 0.25), abs(got - 0.75)) < 0.004
    np.testing.assert_array_equal(up[~edge], ((got > 0.25) & (got < 0.75))[~edge])
    noon = hours[np.abs(got - 0.5).argmin(axis=1)]
    np.testing.assert_allclose((noon + lon / 15 - 12 + 12) % 24 - 12, 0, atol=0.051)


def test_phases_rise_without_a_jump_and_are_the_hour_at_the_equator():
    hours = np.arange(0, 24, 0.25)
    np.testing.assert_allclose(
        phase(moments(hours), 0.0, 0.0), np.broadcast_to(hours / 24, (365, 96)), atol=1e-12
    )
    for lat in (54.0, 78.0, -90.0):
        steps = np.diff(phase(moments(hours), lat, 0.0).numpy(), axis=1)
        # The shorter of day and night has at least the share that it is given.
        assert steps.min() > 0
        assert steps.max() < 0.25 / 96 / 0.15 * 2.1

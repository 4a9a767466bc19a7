"""Context from coordinates: the sun against an ephemeris formula, every calendar, and the grid of the statics."""

import numpy as np
import pytest
import torch
import xarray as xr

from finescale.errors import FinescaleError
from finescale.fields.context import Context, check_names, clock, context_of, cos_zenith, static_fields


def times(text, calendar="standard"):
    return xr.DataArray(
        xr.date_range(text, periods=3, freq="6h", calendar=calendar, use_cftime=calendar != "standard"),
        dims="time",
    )


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_clock_means_the_same_in_every_calendar(calendar):
    when = clock(times("2001-07-01T06:00", calendar))
    np.testing.assert_allclose(when[:, 1], [0.25, 0.5, 0.75])
    days = {"standard": 365, "noleap": 365, "360_day": 360}[calendar]
    begun = {"standard": 181, "noleap": 181, "360_day": 180}[calendar]
    np.testing.assert_allclose(when[:, 0], (begun + when[:, 1]) / days)


def test_leap_years_end_at_one():
    last = clock(times("2004-12-31T11:00"))
    assert 0.99 < last[1, 0] < 1


def zenith(text, lat, lon):
    when = torch.from_numpy(clock(times(text))[:1])
    at = torch.tensor([[float(lat)]], dtype=torch.float64), torch.tensor([[float(lon)]], dtype=torch.float64)
    return np.degrees(np.arccos(cos_zenith(when, *at).item()))


def almanac(text, lat, lon):
    """Spencer's (1971) Fourier series with the equation of time."""
    moment = np.datetime64(text)
    year = moment.astype("datetime64[Y]")
    day = (moment - year) / np.timedelta64(1, "D")
    g = 2 * np.pi * day / 365
    declination = (
        0.006918
        - 0.399912 * np.cos(g)
        + 0.070257 * np.sin(g)
        - 0.006758 * np.cos(2 * g)
        + 0.000907 * np.sin(2 * g)
        - 0.002697 * np.cos(3 * g)
        + 0.00148 * np.sin(3 * g)
    )
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
        np.arccos(np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour))
    )


@pytest.mark.parametrize(
    "text", ["2001-01-15T09:00", "2001-03-21T12:00", "2001-06-21T18:00", "2001-10-30T03:00"]
)
@pytest.mark.parametrize(("lat", "lon"), [(48, 11), (-30, 140), (0, -75)])
def test_sun_is_within_its_stated_error(text, lat, lon):
    """Sixteen minutes of the equation of time are four degrees."""
    assert abs(zenith(text, lat, lon) - almanac(text, lat, lon)) < 5


def grid(size=8):
    return xr.Dataset(coords={"lat": 45 + 0.1 * np.arange(size), "lon": 0.1 * np.arange(size)})


def statics(size=8):
    height = np.broadcast_to(np.arange(size) * 100.0, (size, size))
    return grid(size).assign(
        orog=(("lat", "lon"), height), sftlf=(("lat", "lon"), np.full((size, size), 50.0))
    )


def test_static_channels_in_the_order_of_the_names():
    fields = static_fields(grid(), statics(), ("land", "zenith", "height", "latitude"))
    assert fields.shape == (3, 8, 8)
    np.testing.assert_allclose(fields[0], 0.5)
    np.testing.assert_allclose(fields[1, 0], np.arange(8) * 0.1, rtol=1e-6)
    np.testing.assert_allclose(fields[2, :, 0], np.linspace(-1, 1, 8), atol=1e-6)


def test_slope_is_rise_over_run():
    slope = static_fields(grid(), statics(), ("slope",))[0] / 10
    run = 6.371e6 * np.radians(0.1) * np.cos(np.radians(45 + 0.1 * np.arange(8)))
    np.testing.assert_allclose(slope, np.broadcast_to((100 / run)[:, None], (8, 8)), rtol=1e-4)


def test_wrong_statics_are_refused():
    with pytest.raises(
        FinescaleError, match="static field orog must lie on the grid of the data: its lat has 9"
    ):
        static_fields(grid(), statics(9), ("height",))
    with pytest.raises(FinescaleError, match="needs the static field sftlf"):
        static_fields(grid(), None, ("land",))
    with pytest.raises(FinescaleError, match=r"got \['moon'\]"):
        check_names(("height", "moon"))
    holed = statics()
    holed["orog"] = holed["orog"].where(holed["lat"] > 45.05)
    with pytest.raises(FinescaleError, match="orog must be finite"):
        static_fields(grid(), holed, ("height",))


def test_context_is_cut_like_its_window():
    when = context_of(times("2001-01-01"))
    assert when.clock.shape == (1, 3, 2)
    assert torch.equal(when.frames(1, 3).clock, when.clock[:, 1:])
    moved = Context(when.clock, torch.tensor([True])).to("cpu")
    assert moved.keep is not None

"""Context from coordinates: every calendar, and the grid of the statics."""

import numpy as np
import pytest
import torch
import xarray as xr

from finescale.errors import FinescaleError
from finescale.fields.context import Context, check_names, clock, context_of, static_fields


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

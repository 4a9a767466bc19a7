"""What a stated calendar policy makes or loses is no fault; the same days copied or lost without it are."""

import numpy as np
import pytest
import xarray as xr

from finescale.climate.calendar import convert
from finescale.quality.gates import check
from finescale.quality.profile import profile
from finescale.quality.verdicts import GateError


def model(calendar, freq, years=3):
    """Weather of whole years that never comes back [time, lat, lon]; 2004 is a leap year."""
    time = xr.date_range(
        "2003-01-01", f"{2002 + years}-12-30T23", freq=freq, calendar=calendar, use_cftime=True
    )
    rng = np.random.default_rng(3)
    values = 280 + rng.normal(0, 2, (time.size, 5, 6)).cumsum(axis=1)
    attrs = {"units": "K", "standard_name": "air_temperature"}
    coords = {"time": time, "lat": np.arange(40.0, 45.0), "lon": np.arange(6.0)}
    return xr.Dataset({"tas": (("time", "lat", "lon"), values.astype("float32"), attrs)}, coords=coords)


@pytest.mark.parametrize("freq", ["6h", "D"])
@pytest.mark.parametrize("policy", ["nearest-day", "same-date"])
@pytest.mark.parametrize(("source", "target"), [
    ("360_day", "standard"), ("noleap", "standard"), ("360_day", "noleap"), ("standard", "360_day"),
    ("all_leap", "standard"),
])  # fmt: skip
def test_a_stated_policy_passes_the_gate(source, target, policy, freq):
    moved = convert(model(source, freq), target, policy)
    assert check(profile(moved), "harmonised").passed


@pytest.mark.parametrize(
    ("policy", "freq", "rule"),
    [
        ("nearest-day", "6h", "repeated_fields"),
        ("nearest-day", "D", "frozen_fields"),
        ("same-date", "6h", "irregular"),
    ],
)
def test_the_same_days_without_a_policy_are_stopped(policy, freq, rule):
    moved = convert(model("360_day", freq), "standard", policy).drop_attrs(deep=False)
    with pytest.raises(GateError, match=rule):
        check(profile(moved), "harmonised")


def test_one_day_more_than_the_policy_makes_or_loses_is_stopped():
    filled = convert(model("360_day", "6h"), "standard", "nearest-day")
    filled["tas"].values[400:404] = filled["tas"].values[300:304]
    with pytest.raises(GateError, match="repeated_fields 4"):
        check(profile(filled), "harmonised")
    thinned = convert(model("360_day", "6h"), "standard", "same-date")
    for lost in (
        slice(100, 104),
        slice(120, 121),
        slice(116, 124),
    ):  # a day of January, six hours, into the 31st
        with pytest.raises(GateError, match="irregular 1"):
            check(profile(thinned.drop_isel(time=range(lost.start, lost.stop))), "harmonised")

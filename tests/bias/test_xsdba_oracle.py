"""Quantile mapping by xsdba, with the same settings, to 1e-6.

Two habits of xsdba 0.7 are allowed for, so that the same question is asked of both:

- its day-of-year windows stop at the ends of the series, ours go round the year: it is given half a window of
  missing days on either side, which it leaves out of its quantiles;
- it looks for the nearest quantile in the plane of (value, day of year), ours only along the value: it is given
  values in a unit so large that no neighbouring day is ever nearer.
"""

import warnings

import numpy as np
import pytest
import xarray as xr
import xsdba

from finescale.bias.correction import fit
from finescale.bias.grouping import Grouping
from finescale.bias.plan import Options
from finescale.errors import FinescaleError

WINDOW = 31
WHOLE = Grouping("year", hours=False)
DAILY = Grouping("dayofyear", window=WINDOW, step=1, hours=False)
LARGE_UNIT = 1e-4


def weather(years, seed, *, per_day=1, shift=0.0, spread=1.0, trend=0.0, first=2001, kind="+"):
    """Values [time, lat, lon] in a no-leap calendar with annual and daily cycles."""
    rng = np.random.default_rng(seed)
    time = xr.date_range(
        f"{first}-01-01",
        periods=365 * years * per_day,
        freq=f"{24 // per_day}h",
        calendar="noleap",
        use_cftime=True,
    )
    clock = xr.DataArray(time, dims="time").dt
    phase = 2 * np.pi * clock.dayofyear.values / 365
    base = -8 * np.cos(phase) + 3 * np.cos(2 * np.pi * (clock.hour.values - 14) / 24)
    noise = rng.gamma(4.0, 1.0, size=(time.size, 2, 2)) * (2 - np.cos(phase))[:, None, None]
    slope = trend * np.arange(time.size) / time.size
    values = (270 + shift + slope + base)[:, None, None] + spread * noise
    if kind == "*":
        values = noise * spread * (1 + trend * np.arange(time.size)[:, None, None] / time.size) * 1e-5 + 1e-6
    units = "K" if kind == "+" else "kg m-2 s-1"
    coords = {"time": time, "lat": [40.0, 41.0], "lon": [5.0, 6.0]}
    return xr.DataArray(values, dims=("time", "lat", "lon"), coords=coords, attrs={"units": units})


def padded(array):
    """Half a window of missing days on either side, in the large unit."""
    step = array.time.values[1] - array.time.values[0]
    count = WINDOW // 2 * 24 * 3600 // int(step.total_seconds())
    time = xr.date_range(
        array.time.values[0] - count * step,
        periods=array.sizes["time"] + 2 * count,
        freq=step,
        use_cftime=True,
    )
    return (array * LARGE_UNIT).reindex(time=time).assign_attrs(array.attrs)


def by_xsdba(method, ref, hist, sim, *, kind, group, interp, nquantiles=21, pad=True, **adjust):
    """The oracle's answer on the times of ``sim``."""
    if pad:
        times = sim.time
        ref, hist = padded(ref), padded(hist)
        # Windowed means of missing days would bend the straight lines of DQM.
        sim = (sim * LARGE_UNIT).assign_attrs(sim.attrs) if method.startswith("Detrended") else padded(sim)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = getattr(xsdba, method).train(ref, hist, kind=kind, group=group, nquantiles=nquantiles)
        out = oracle.adjust(sim, interp=interp, extrapolation="constant", **adjust)
    out = out.transpose("time", "lat", "lon")
    return (out.sel(time=times) / LARGE_UNIT) if pad else out


def by_us(method, ref, hist, sim, *, grouping, name="tas", **options):
    options = Options(quantiles=21, keep_structure=False, **options)
    fitted = fit(
        ref.to_dataset(name=name),
        hist.to_dataset(name=name),
        method=method,
        grouping=grouping,
        options=options,
    )
    return fitted.apply(sim.to_dataset(name=name))[name]


def assert_same(ours, theirs, change):
    """To 1e-6 of the value, and the correction itself to 1e-6 of its size where values dwarf it."""
    assert float(np.abs(theirs - change).max()) > 0  # the oracle does something
    np.testing.assert_allclose(ours.values, theirs.values, rtol=1e-6, atol=0)
    scale = float(np.abs(theirs - change).max())
    np.testing.assert_allclose((ours - change).values, (theirs - change).values, rtol=0, atol=1e-6 * scale)


@pytest.fixture(scope="module")
def additive():
    ref = weather(3, 1)
    hist = weather(3, 2, shift=2.5, spread=1.4)
    sim = weather(3, 3, shift=4.0, spread=1.5, trend=2.0, first=2041)
    return ref, hist, sim


@pytest.fixture(scope="module")
def ratios():
    ref = weather(3, 4, kind="*")
    hist = weather(3, 5, kind="*", spread=1.5)
    sim = weather(3, 6, kind="*", spread=1.7, trend=0.3, first=2041)
    return ref, hist, sim


ORACLES = {
    "eqm": "EmpiricalQuantileMapping",
    "dqm": "DetrendedQuantileMapping",
    "qdm": "QuantileDeltaMapping",
}


@pytest.mark.parametrize("interp", ["linear", "nearest"])
@pytest.mark.parametrize("method", ["eqm", "dqm", "qdm"])
def test_one_group_additive(additive, method, interp):
    ref, hist, sim = additive
    theirs = by_xsdba(ORACLES[method], ref, hist, sim, kind="+", group="time", interp=interp, pad=False)
    ours = by_us(method, ref, hist, sim, grouping=WHOLE, interpolation=interp)
    assert_same(ours, theirs, sim)


@pytest.mark.parametrize("method", ["eqm", "dqm", "qdm"])
def test_one_group_ratio(ratios, method):
    ref, hist, sim = ratios
    theirs = by_xsdba(ORACLES[method], ref, hist, sim, kind="*", group="time", interp="nearest", pad=False)
    ours = by_us(
        method, ref, hist, sim, grouping=WHOLE, name="pr", interpolation="nearest", wet_thresholds={}
    )
    assert_same(ours, theirs, sim)


@pytest.mark.parametrize("method", ["eqm", "dqm", "qdm"])
def test_day_of_year_windows_nearest(additive, method):
    ref, hist, sim = (x.isel(lat=[0]) for x in additive)
    group = xsdba.Grouper("time.dayofyear", WINDOW)
    theirs = by_xsdba(ORACLES[method], ref, hist, sim, kind="+", group=group, interp="nearest")
    ours = by_us(method, ref, hist, sim, grouping=DAILY, interpolation="nearest", rank_window=False)
    assert_same(ours, theirs, sim)


def test_the_change_that_ranks_among_single_days_lose_is_refused(additive):
    ref, hist, sim = (x.to_dataset(name="tas") for x in additive)
    options = Options(quantiles=21, rank_window=False)
    fitted = fit(ref, hist, method="qdm", grouping=DAILY, options=options)
    with pytest.raises(FinescaleError, match=r"keeps the order|own change is kept"):
        fitted.apply(sim)


def test_day_of_year_windows_ranked_in_the_window(additive):
    ref, hist, sim = (x.isel(lat=[0]) for x in additive)
    group = xsdba.Grouper("time.dayofyear", WINDOW)
    theirs = by_xsdba(
        "QuantileDeltaMapping", ref, hist, sim, kind="+", group=group, interp="nearest", rank_window=True
    )
    ours = by_us("qdm", ref, hist, sim, grouping=DAILY, interpolation="nearest")
    assert_same(ours, theirs, sim)


@pytest.mark.slow
def test_day_of_year_windows_linear(additive):
    ref, hist, sim = (x.isel(lat=[0]) for x in additive)
    group = xsdba.Grouper("time.dayofyear", WINDOW)
    ref, hist, sim = (x.isel(lat=[0], lon=[0]) for x in (ref, hist, sim))
    theirs = by_xsdba("QuantileDeltaMapping", ref, hist, sim, kind="+", group=group, interp="linear")
    ours = by_us("qdm", ref, hist, sim, grouping=DAILY, interpolation="linear", rank_window=False)
    assert_same(ours, theirs, sim)


@pytest.mark.slow
def test_hours_have_windows_of_their_own():
    ref, hist = weather(2, 7, per_day=4), weather(2, 8, per_day=4, shift=-1.5, spread=0.8)
    sim = weather(2, 9, per_day=4, shift=-1.0, first=2041)
    group = xsdba.Grouper("time.dayofyear", WINDOW)
    ours = by_us(
        "qdm",
        ref,
        hist,
        sim,
        grouping=Grouping("dayofyear", window=WINDOW, step=1),
        interpolation="nearest",
        rank_window=False,
    )
    for hour in (0, 6, 12, 18):
        theirs = by_xsdba(
            "QuantileDeltaMapping",
            *(x.sel(time=x.time.dt.hour == hour) for x in (ref, hist, sim)),
            kind="+",
            group=group,
            interp="nearest",
        )
        at_hour = sim.time.dt.hour == hour
        assert_same(ours.sel(time=at_hour), theirs, sim.sel(time=at_hour))


def test_months_and_scaling(additive):
    ref, hist, sim = additive
    oracle = xsdba.Scaling.train(ref, hist, kind="+", group="time.month")
    theirs = oracle.adjust(sim, interp="nearest").transpose("time", "lat", "lon")
    ours = by_us("scaling", ref, hist, sim, grouping=Grouping("month", hours=False))
    assert_same(ours, theirs, sim)

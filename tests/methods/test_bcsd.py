"""BCSD and bilinear against independent computations on a small invented climate."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.interpolate import RegularGridInterpolator

from finescale.errors import FinescaleError
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.methods import climatology, recipes
from finescale.methods.bcsd import Bcsd
from finescale.methods.bilinear import Bilinear
from finescale.methods.downscaler import Downscaler, How, check_coarse, hourly

FINE = Grid(tuple(45 + 0.1 * np.arange(8)), tuple(5 + 0.1 * np.arange(12)))
H = Coarsening(FINE, FINE.coarsen(4), every=6)


def weather(days: int = 120, *, calendar: str = "standard", seed: int = 5) -> xr.Dataset:
    """Hourly fields with terrain, a diurnal and an annual cycle, and large-scale weather."""
    rng = np.random.default_rng(seed)
    hours = 24 * days
    time = xr.date_range(
        "2001-01-01", periods=hours, freq="h", calendar=calendar, use_cftime=calendar != "standard"
    )
    day = np.arange(hours) / 24
    terrain = rng.normal(0, 3, FINE.shape)
    slow = np.cumsum(rng.normal(0, 0.2, hours))
    cycle = 5 * np.sin(2 * np.pi * day)[:, None, None] + 8 * np.cos(2 * np.pi * day / 365)[:, None, None]
    tilt = np.linspace(0, 1, FINE.shape[1])[None, None, :] * rng.normal(0, 1, hours)[:, None, None]
    tas = 280 + cycle + terrain + slow[:, None, None] + tilt + rng.normal(0, 0.3, (hours, *FINE.shape))
    pr = np.maximum(tas - 284, 0) * 1e-5
    fields = {
        "tas": (("time", "lat", "lon"), tas.astype(np.float32), {"units": "K"}),
        "pr": (("time", "lat", "lon"), pr.astype(np.float32), {"units": "kg m-2 s-1"}),
    }
    return xr.Dataset(fields, coords={"time": time, **FINE.coords()})


@pytest.fixture(scope="module")
def fine() -> xr.Dataset:
    return weather()


@pytest.fixture(scope="module")
def coarse(fine: xr.Dataset) -> xr.Dataset:
    return H.apply(fine)


@pytest.fixture(scope="module")
def bcsd(fine: xr.Dataset, coarse: xr.Dataset) -> Bcsd:
    train = slice("2001-01-01", "2001-04-10")
    return Bcsd.fit(fine.sel(time=train), coarse.sel(time=train), harmonics=1)


def by_hand(values: np.ndarray, clock: np.ndarray, fraction: np.ndarray, at: tuple[int, float]) -> np.ndarray:
    """Mean and one wave of the year at one hour of day, by least squares over the samples of that hour."""
    mine = clock == at[0]
    angle = 2 * np.pi * fraction[mine]
    basis = np.stack([np.ones(mine.sum()), np.cos(angle), np.sin(angle)], axis=1)
    solved, *_ = np.linalg.lstsq(basis, values[mine].reshape(mine.sum(), -1).astype(float), rcond=None)
    row = np.array([1, np.cos(2 * np.pi * at[1]), np.sin(2 * np.pi * at[1])])
    return (row @ solved).reshape(values.shape[1:])


def interpolate(field: np.ndarray) -> np.ndarray:
    """Bilinear from coarse to fine centres; beyond the outer centres the outer value."""
    lat, lon = np.asarray(H.coarse.lat), np.asarray(H.coarse.lon)
    inside = RegularGridInterpolator((lat, lon), field)
    y = np.clip(np.asarray(FINE.lat), lat[0], lat[-1])
    x = np.clip(np.asarray(FINE.lon), lon[0], lon[-1])
    return inside(np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1))


def test_bcsd_equals_a_computation_by_hand(fine: xr.Dataset, coarse: xr.Dataset, bcsd: Bcsd) -> None:
    wanted = coarse.sel(time=slice("2001-04-15", "2001-04-20"))
    result = bcsd(wanted, members=1, seed=0)["tas"]
    train = slice(None, 24 * 100)
    clock, fraction = (np.arange(24 * 120) % 24), np.arange(24 * 120) / 24 / 365
    tas = fine["tas"].values
    low = coarse["tas"].values
    low_clock, low_fraction = clock[::6], fraction[::6]
    start = 24 * 104
    for hour in (0, 3, 7, 60, 138):
        now = start + hour
        before, share = now // 6, (now % 6) / 6
        anomalies = []
        for k in (before, before + 1) if share else (before,):
            normal = by_hand(low[:400], low_clock[:400], low_fraction[:400], (low_clock[k], low_fraction[k]))
            anomalies.append(low[k] - normal)
        anomaly = anomalies[0] if not share else (1 - share) * anomalies[0] + share * anomalies[1]
        normal = by_hand(tas[train], clock[train], fraction[train], (clock[now], fraction[now]))
        np.testing.assert_allclose(
            result.isel(member=0, time=hour).values, normal + interpolate(anomaly), atol=2e-4
        )


def test_bilinear_equals_scipy(coarse: xr.Dataset) -> None:
    method = Bilinear(FINE, H.coarse, {"tas": "K"})
    result = method(coarse.isel(time=slice(0, 5)), members=4, seed=0)["tas"]
    assert result.sizes == {"member": 1, "time": 25, "lat": 8, "lon": 12}
    first, second = (interpolate(coarse["tas"].values[k]) for k in (0, 1))
    np.testing.assert_allclose(result.isel(member=0, time=0), first, atol=1e-4)
    np.testing.assert_allclose(result.isel(member=0, time=2), (2 * first + second) / 3, atol=1e-4)


def test_terrain_comes_back(fine: xr.Dataset, coarse: xr.Dataset, bcsd: Bcsd) -> None:
    wanted = coarse.sel(time=slice("2001-04-15", "2001-04-20"))
    truth = fine.sel(time=bcsd(wanted)["time"])["tas"]
    error = float(abs(bcsd(wanted)["tas"].isel(member=0) - truth).mean())
    plain = float(abs(Bilinear(FINE, H.coarse, {"tas": "K"})(wanted)["tas"].isel(member=0) - truth).mean())
    assert error < 0.5 * plain


@pytest.mark.parametrize("name", ["bilinear", "bcsd"])
def test_means_over_hours_are_not_taken_for_instants(fine: xr.Dataset, name: str, tmp_path: Path) -> None:
    """Weather by the means of the six hours up to a stamp lags two and a half hours behind if they are."""
    means = Coarsening(FINE, H.coarse, 6, "mean").apply(fine)
    wanted = means.sel(time=slice("2001-04-15", "2001-04-25"))

    def error(how: How) -> float:
        plain = Bilinear(FINE, H.coarse, {"tas": "K"}, how)
        train = slice("2001-01-01", "2001-04-10")
        fitted = Bcsd.fit(fine.sel(time=train), means.sel(time=train), harmonics=1, how=how)
        method = plain if name == "bilinear" else fitted
        method.save(tmp_path / how)
        again = recipes.load(tmp_path / how)(wanted)["tas"]
        xr.testing.assert_identical(again.compute(), method(wanted)["tas"].compute())
        truth = fine["tas"].sel(time=again["time"])
        return float(abs((again - truth).mean(("lat", "lon"))).mean())

    # The cycle of the day, most of what bilinear gets wrong, is in the fine climatology of bcsd anyway.
    assert error("mean") < {"bilinear": 0.6, "bcsd": 0.95}[name] * error("instant")


@pytest.mark.parametrize("calendar", ["standard", "360_day"])
def test_a_steady_rise_is_met_between_means(calendar: str) -> None:
    time = xr.date_range("2001-02-28", periods=49, freq="h", calendar=calendar, use_cftime=True)
    rise = np.broadcast_to(np.arange(49.0)[:, None, None], (49, *FINE.shape))
    fine = xr.Dataset({"tas": (("time", "lat", "lon"), rise)}, coords={"time": time, **FINE.coords()})
    found = hourly(Coarsening(FINE, H.coarse, 6, "mean").apply(fine)[["tas"]], "mean")["tas"][:, 0, 0]
    # From the first stamp on; the middle of the last mean is two and a half hours before its stamp.
    np.testing.assert_allclose(found, np.minimum(np.arange(6, 49), 45.5))


def test_a_period_by_itself_has_the_means_that_it_needs(coarse: xr.Dataset) -> None:
    method = Bilinear(FINE, H.coarse, {"tas": "K"}, "mean")
    whole = method(coarse.isel(time=slice(0, 12)))["tas"].isel(time=slice(None, 24))
    steps = 1 + -(-method.margin // 24)  # as periods are cut, and a day is the longest step
    part = method(coarse.isel(time=slice(0, 4 + steps)))["tas"].isel(time=slice(None, 24))
    xr.testing.assert_identical(whole.compute(), part.compute())
    short = method(coarse.isel(time=slice(0, 5)))["tas"].isel(time=slice(None, 24))
    assert not short.equals(whole)


def test_rain_is_never_negative(coarse: xr.Dataset, bcsd: Bcsd) -> None:
    assert float(bcsd(coarse.isel(time=slice(0, 40)))["pr"].min()) == 0.0


def test_a_360_day_calendar_keeps_its_own_days(bcsd: Bcsd) -> None:
    other = H.apply(weather(60, calendar="360_day")).isel(time=slice(-8, None))
    result = bcsd(other)
    assert result["time"].dt.calendar == "360_day"
    assert result.sizes["time"] == 43
    assert np.isfinite(result["tas"].values).all()


def test_a_constant_stays_constant(coarse: xr.Dataset) -> None:
    flat = coarse.map(lambda field: field * 0 + 280, keep_attrs=True)
    result = Bilinear(FINE, H.coarse, {"tas": "K"})(flat.isel(time=slice(0, 4)))["tas"]
    np.testing.assert_allclose(result, 280, atol=1e-4)


@pytest.mark.parametrize("name", ["bilinear", "bcsd"])
def test_a_saved_method_gives_the_same(name: str, bcsd: Bcsd, coarse: xr.Dataset, tmp_path: Path) -> None:
    units = {"tas": "K", "pr": "kg m-2 s-1"}
    method = bcsd if name == "bcsd" else Bilinear(FINE, H.coarse, units)
    assert isinstance(method, Downscaler)
    method.save(tmp_path / "model")
    again = recipes.load(tmp_path / "model")
    wanted = coarse.isel(time=slice(0, 6))
    xr.testing.assert_identical(
        again(wanted, members=1, seed=0).compute(), method(wanted, members=1, seed=0).compute()
    )


def test_saving_twice_gives_the_same_bytes(bcsd: Bcsd, tmp_path: Path) -> None:
    bcsd.save(tmp_path / "a")
    bcsd.save(tmp_path / "b")
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert files == ["card.json", "coarse_climatology.nc", "fine_climatology.nc"]
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda ds: ds.drop_vars("pr"), "pr is missing"),
        (lambda ds: ds.assign(tas=ds["tas"].assign_attrs(units="degC")), "tas must be in K: found 'degC'"),
        (lambda ds: ds.assign_coords(lat=ds["lat"] + 1), "coarse data must lie on the model's coarse grid"),
        (lambda ds: ds.where(ds["lon"] > 5.5), "missing values"),
        (lambda ds: ds.isel(time=[0]), "two times or more"),
        (lambda ds: ds.isel(time=[0, 1, 2, 6, 7]), "follow every 6 h: 2001-01-01T12.* by 2001-01-02T12"),
        (lambda ds: ds.transpose("lat", "lon", "time").isel(lat=0), "must have the dims time, lat, lon"),
    ],
)
def test_bad_coarse_data_is_refused(coarse: xr.Dataset, spoil, message: str) -> None:
    spoilt = spoil(coarse.isel(time=slice(0, 8)))
    with pytest.raises(FinescaleError, match=message):
        check_coarse(spoilt, H.coarse, {"tas": "K", "pr": "kg m-2 s-1"})


def test_odd_minutes_are_refused(coarse: xr.Dataset) -> None:
    odd = coarse.isel(time=slice(0, 4))
    odd = odd.assign_coords(time=odd["time"].values + np.array([0, 0, 30, 0], "timedelta64[m]"))
    with pytest.raises(FinescaleError, match="whole hours"):
        hourly(odd)


def test_too_short_a_training_period_is_refused(fine: xr.Dataset) -> None:
    with pytest.raises(FinescaleError, match="needs 30 days: found 9"):
        climatology.fit(fine.isel(time=slice(0, 24 * 9)), harmonics=1)


def test_an_hour_that_never_occurred_is_refused(coarse: xr.Dataset, fine: xr.Dataset) -> None:
    table = climatology.fit(coarse, harmonics=0)
    with pytest.raises(FinescaleError, match=r"\[1, 2, 3, 4, 5"):
        climatology.at(table, fine["time"][:6])


def test_a_folder_of_another_method_is_refused(bcsd: Bcsd, tmp_path: Path) -> None:
    bcsd.save(tmp_path / "model")
    with pytest.raises(FinescaleError, match="holds the method bcsd, not bilinear"):
        Bilinear.load(tmp_path / "model")
    with pytest.raises(FinescaleError, match=r"must hold card\.json"):
        recipes.load(tmp_path)

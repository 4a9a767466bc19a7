"""The invented weather obeys the physics it claims: every figure is measured from the fields alone."""

from dataclasses import replace

import numpy as np
import pytest

from finescale.climate.twin.terrain import build_terrain
from finescale.climate.twin.weather import Weather
from finescale.climate.twin.world import Clock, World, kilometres

WORLD = World(cells=32, factor=4)
STEP = 24  # hours between the fields that are looked at one by one


def draw(first, last, *, every=1, run="a", world=WORLD, storm=None, calendar="standard"):
    clock = Clock.between(first, last, every=every, calendar=calendar, also=None)
    weather = Weather(world, build_terrain(world, 1), clock, run, storm=storm)
    parts = [fields for _, fields in weather.blocks()]
    return weather, clock, {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


@pytest.fixture(scope="module")
def winter():
    return draw("2001-12-15", "2002-02-15")


@pytest.fixture(scope="module")
def summer():
    return draw("2001-06-15", "2001-08-15")


@pytest.fixture(scope="module")
def years():
    return draw("2001-01-01", "2002-12-31", every=6, world=World(cells=16, factor=4))


def gradient(psl, grid):
    lat, lon = np.asarray(grid.lat), np.asarray(grid.lon)
    metres = np.pi / 180 * 6.371e6
    dy = np.gradient(psl, lat * metres, axis=1)
    dx = np.gradient(psl, lon * metres, axis=2) / np.cos(np.deg2rad(lat))[:, None]
    f = 2 * 7.2921e-5 * np.sin(np.deg2rad(lat))[:, None]
    inside = (slice(None), slice(1, -1), slice(1, -1))
    return (-dy / (1.25 * f))[inside] + 1j * (dx / (1.25 * f))[inside]


def masks(weather):
    inner = weather.terrain.inner
    cut = (slice(1, -1), slice(1, -1))
    return inner.land[cut] == 0, (inner.land[cut] > 0.99) & (inner.height[cut] < 400)


def test_wind_is_near_geostrophic_slowed_and_turned_to_the_low(winter):
    weather, _, fields = winter
    wind = (fields["uas"] + 1j * fields["vas"])[:, 1:-1, 1:-1]
    above = gradient(fields["psl"].astype(float), weather.terrain.inner.grid)
    sea, plain = masks(weather)
    fits = {}
    for name, mask in (("sea", sea), ("land", plain)):
        w, g = wind[:, mask].ravel(), above[:, mask].ravel()
        # Where the air is not in a strong cyclone the gradient wind is close to the geostrophic one.
        gentle = np.abs(g) < 20
        w, g = w[gentle], g[gentle]
        fits[name] = np.vdot(g, w) / np.vdot(g, g).real
        assert np.abs(np.vdot(g, w)) / np.sqrt(np.vdot(g, g).real * np.vdot(w, w).real) > 0.9
    assert 0.6 < np.abs(fits["sea"]) < 0.85
    assert 0.35 < np.abs(fits["land"]) < 0.62
    # A positive angle is a turn to the left: towards low pressure in the northern hemisphere.
    assert np.rad2deg(np.angle(fits["sea"])) == pytest.approx(11, abs=4)
    assert np.rad2deg(np.angle(fits["land"])) == pytest.approx(28, abs=7)


def test_temperature_falls_with_height_at_the_stated_rate(winter, summer):
    for weather, _, fields in (winter, summer):
        inner = weather.terrain.inner
        land = inner.land > 0.99
        lat = np.broadcast_to(np.asarray(inner.grid.lat)[:, None], land.shape)[land]
        columns = np.stack([inner.height[land], lat, np.ones(land.sum())], axis=1)
        rate = np.linalg.lstsq(columns, fields["tas"].mean(axis=0)[land], rcond=None)[0][0]
        assert rate * 1e3 == pytest.approx(-6.0, abs=0.7)


def test_days_are_wide_on_land_in_summer_and_narrow_at_sea(summer, winter):
    def width(case, sea):
        weather, clock, fields = case
        mask = weather.terrain.inner.land == 0 if sea else weather.terrain.inner.land > 0.99
        series = fields["tas"][:, mask].mean(axis=1)
        day = np.array([series[clock.hour == h].mean() for h in range(24)])
        return day.max() - day.min(), day.argmax()

    summer_land, hottest = width(summer, sea=False)
    assert 6 < summer_land < 13
    assert hottest in (14, 15, 16)
    assert width(summer, sea=True)[0] < 1.8
    assert width(winter, sea=False)[0] < 0.65 * summer_land


def test_the_year_is_wider_and_earlier_on_land_than_at_sea(years):
    weather, clock, fields = years
    found = {}
    for name, mask in (("sea", weather.terrain.inner.land == 0), ("land", weather.terrain.inner.land > 0.99)):
        series = fields["tas"][:, mask].mean(axis=1)
        wave = np.mean(series * np.exp(-2j * np.pi * clock.season))
        found[name] = 2 * np.abs(wave), (-np.angle(wave) / (2 * np.pi)) % 1
    assert found["land"][0] == pytest.approx(8.0, abs=1.5)
    assert found["sea"][0] == pytest.approx(3.4, abs=1.2)
    assert 0.50 < found["land"][1] < found["sea"][1] < 0.72
    assert found["land"][0] > 1.5 * found["sea"][0]


def test_land_is_colder_than_the_sea_in_winter_and_warmer_in_summer(winter, summer):
    contrast = []
    for weather, _, fields in (winter, summer):
        inner = weather.terrain.inner
        level = fields["tas"].mean(axis=0) + 6e-3 * inner.height
        contrast.append(level[inner.land > 0.99].mean() - level[inner.land == 0].mean())
    assert contrast[0] < -3
    assert contrast[1] > 1.5


@pytest.mark.parametrize(
    ("name", "low", "high"), [("psl", 2.5, 5.0), ("tas", 1.5, 3.5), ("uas", 1.2, 3.2), ("vas", 1.0, 3.2)]
)
def test_spectra_fall_as_power_laws(winter, name, low, high):
    _, _, fields = winter
    # Along the western columns, over the sea, where no terrain adds its own spectrum.
    rows = fields[name][::STEP, :, :8].astype(float)
    y = np.arange(rows.shape[1]) - rows.shape[1] / 2 + 0.5
    trend = (rows * y[:, None]).sum(axis=1, keepdims=True) / (y**2).sum() * y[:, None]
    rows = (rows - rows.mean(axis=1, keepdims=True) - trend) * np.hanning(rows.shape[1])[:, None]
    power = (np.abs(np.fft.rfft(rows, axis=1)) ** 2).mean(axis=(0, 2))
    slope = -np.polyfit(np.log(np.arange(2, 10)), np.log(power[2:10]), 1)[0]
    assert low < slope < high


def test_weather_persists_from_hour_to_hour_and_not_for_a_week(winter):
    _, _, fields = winter
    for name, least in (("psl", 0.99), ("tas", 0.97), ("uas", 0.92), ("vas", 0.90)):
        x = fields[name][:, 8, 8] - fields[name][:, 8, 8].mean()
        assert np.corrcoef(x[1:], x[:-1])[0, 1] > least
        assert abs(np.corrcoef(x[168:], x[:-168])[0, 1]) < 0.5


def test_fronts_make_changes_far_from_gaussian(winter):
    _, _, fields = winter
    for name in ("tas", "vas"):
        steps = np.diff(fields[name][:, ::4, ::4], axis=0)
        steps = steps - steps.mean()
        assert (steps**4).mean() / (steps**2).mean() ** 2 > 4.5  # a Gaussian has 3


def test_eddies_are_stronger_in_strong_wind(winter):
    _, _, fields = winter
    speed = np.hypot(fields["uas"], fields["vas"])[:, :, :6]
    rough = np.abs(np.diff(fields["uas"][:, :, :6], n=2, axis=1)).mean(axis=(1, 2))
    mean = speed.mean(axis=(1, 2))
    order = np.argsort(mean)
    third = len(order) // 3
    assert rough[order[-third:]].mean() > 1.3 * rough[order[:third]].mean()


def test_rain_is_intermittent_frontal_and_orographic(years):
    weather, _, fields = years
    rain = fields["pr"] * 3600
    assert rain.min() == 0
    assert 0.05 < (rain > 0.1).mean() < 0.3
    assert 1.5 < 24 * rain.mean() < 8
    assert 20 < rain.max() / rain[rain > 0.1].mean() < 200 or rain.max() < 60
    stormy = fields["psl"].mean(axis=(1, 2)) < np.quantile(fields["psl"].mean(axis=(1, 2)), 0.2)
    assert rain[stormy].mean() > 2.5 * rain[~stormy].mean()
    up = (
        fields["uas"] * weather.terrain.inner.slope[0] + fields["vas"] * weather.terrain.inner.slope[1]
    ) * 1e3
    assert rain[up > 40].mean() > 1.5 * rain[up < -40].mean()


def test_anomalies_travel_with_the_steering_wind():
    world = World(cells=48, factor=8)
    clock = Clock.between("2001-11-01", "2001-11-20", every=1, calendar="standard", also=None)
    land = build_terrain(world, 1)
    flat = {
        name: np.zeros_like(getattr(land, name))
        for name in ("height", "land", "slope", "valley", "heated", "inland")
    }
    weather = Weather(world, replace(land, exposure=np.ones_like(land.height), **flat), clock, "a")
    tas = np.concatenate([fields["tas"] for _, fields in weather.blocks()])
    tas = tas - tas.mean(axis=(1, 2), keepdims=True)
    cell = float(np.diff(kilometres(world.grid)[0])[0])
    agree = []
    for t in range(0, len(clock) - 3, 3):
        dx, dy = (
            int(d) for d in np.rint((weather.flow.displacement[t + 3] - weather.flow.displacement[t]) / cell)
        )
        if abs(dx) + abs(dy) < 8 or max(abs(dx), abs(dy)) > 15:
            continue
        later, still = tas[t + 3, 16:32, 16:32], tas[t, 16:32, 16:32]
        carried = tas[t, 16 - dy : 32 - dy, 16 - dx : 32 - dx]
        agree.append([np.corrcoef(later.ravel(), x.ravel())[0, 1] for x in (carried, still)])
    assert len(agree) > 20
    carried, still = np.mean(agree, axis=0)
    assert carried > 0.75
    assert carried > still + 0.2


def test_the_storm_is_the_deepest_low_and_blows_hard():
    clock = Clock.between("2002-12-01", "2003-01-31", every=1, calendar="standard", also=None)
    hit = int(np.flatnonzero(clock.time.values == np.datetime64("2003-01-18T12"))[0])
    _, _, fields = draw("2002-12-01", "2003-01-31", storm=hit)
    lowest = fields["psl"].min(axis=(1, 2))
    assert abs(int(lowest.argmin()) - hit) <= 6
    away = np.abs(np.arange(len(clock)) - hit) > 24
    assert lowest.min() < lowest[away].min() - 500
    near = slice(hit - 12, hit + 13)
    speed = np.hypot(fields["uas"], fields["vas"])
    assert 22 < speed[near].max() < 45
    assert speed[near].mean() > 1.8 * speed[away].mean()
    fall = lowest[hit] - lowest[hit - 24]
    assert -6000 < fall < -2000


def test_other_runs_and_seeds_are_other_draws_and_the_land_is_one():
    again, first = (draw("2001-01-01", "2001-01-05")[2] for _ in range(2))
    other = draw("2001-01-01", "2001-01-05", run="b")[2]
    seeded = draw("2001-01-01", "2001-01-05", world=World(seed=1, cells=32, factor=4))[2]
    np.testing.assert_array_equal(first["uas"], again["uas"])
    assert np.abs(first["psl"] - other["psl"]).max() > 100
    assert np.abs(first["psl"] - seeded["psl"]).max() > 100

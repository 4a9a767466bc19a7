"""Covariances between places far apart, in few days mostly chance, are let go."""

import math

import numpy as np
import pytest
import torch
import xarray as xr

from finescale.fields.scaling import Scaling
from finescale.prior.climatology import Harmonics
from finescale.prior.fitting import fit_arrays
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.loader import even_windows
from finescale.prior.locality import Locality, radii

SIZE, STEP = 12, 0.5
OPTIONS = {"modes": 144, "order": 2, "joint": 0, "sketch_every": 1}
SCALING = Scaling("mean-std", ("a",), (0.0,), (1.0,))


def blank(frames, lat=50.0, lon=0.0, step=STEP):
    """Zeros around a place, hour by hour."""
    at = step * (np.arange(SIZE) - (SIZE - 1) / 2)
    time = np.datetime64("2019-03-01", "ns") + np.arange(frames) * np.timedelta64(1, "h")
    coords = {"time": time, "lat": lat + at, "lon": (lon + at + 180) % 360 - 180}
    return xr.Dataset({"a": (("time", "lat", "lon"), np.zeros((frames, SIZE, SIZE), np.float32))}, coords)


def kilometres(ds):
    """Distance of each cell from each other on the sphere, along the chord."""
    lat, lon = np.meshgrid(np.deg2rad(ds["lat"]), np.deg2rad(ds["lon"]), indexing="ij")
    place = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1).reshape(-1, 3)
    return 6371 * np.linalg.norm(place[:, None] - place, axis=-1)


def kernel(ds, radius):
    waves = Locality.of(ds, radius).waves.reshape(-1, SIZE * SIZE).astype(float)
    return waves.T @ waves / len(waves)


@pytest.mark.parametrize(("lat", "lon"), [(50.0, 0.0), (-20.0, 179.5), (84.0, 40.0)])
def test_copies_under_waves_have_a_correlation_that_falls_with_distance(lat, lon):
    ds = blank(100, lat, lon)
    radius = radii(ds)[2]
    found, far = kernel(ds, radius), kilometres(ds)
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-5)
    assert abs(found - np.exp(-((far / radius) ** 2) / 2)).max() < 0.2
    assert abs(found - np.exp(-((far / radius) ** 2) / 2)).mean() < 0.04


def test_only_short_periods_of_a_part_of_the_globe_are_tried():
    short = radii(blank(480))
    assert short[0] == math.inf
    assert short[1] == pytest.approx(kilometres(blank(1)).max() / 2, rel=0.03)
    assert short[2] == short[1] / 2
    assert radii(blank(24 * 700)) == (math.inf,)
    assert radii(blank(480, 0.0, step=15.0).assign_coords(lon=np.arange(-180, 180, 30))) == (math.inf,)


def test_pairs_in_time_stay_within_a_copy():
    ds = blank(100).isel(time=np.r_[0:40, 60:100])
    copies = Locality.of(ds, 100.0)
    np.testing.assert_array_equal(
        copies.segments(ds["time"]), np.repeat(np.arange(2 * len(copies.waves)), 40)
    )


def weather(frames, seed, length=90.0, memory=0.85):
    """Fields correlated over a length in kilometres, each hour like the last."""
    ds, rng = blank(frames), np.random.default_rng(seed)
    root = np.linalg.cholesky(np.exp(-((kilometres(ds) / length) ** 2) / 2) + 1e-6 * np.eye(SIZE * SIZE))
    new = rng.standard_normal((frames, SIZE * SIZE)) @ root.T
    series = [new[0]]
    for eps in new[1:]:
        series.append(memory * series[-1] + math.sqrt(1 - memory**2) * eps)
    ds["a"][:] = np.reshape(series, (frames, SIZE, SIZE))
    return ds


def covariance(arrays):
    """Of all cells, of a fit."""
    climate = GaussianClimate(SCALING, Harmonics(0, 0), 1.0, arrays)
    eofs = climate.eofs.flatten(1)
    return (eofs.T * climate.variance @ eofs).double().numpy()


def test_the_fit_is_that_of_the_tapered_covariance():
    ds = weather(60, 1)
    x = ds["a"].values.reshape(60, -1)
    sample = np.cov(x.T, bias=True)
    for radius, taper in ((math.inf, 1.0), (150.0, kernel(ds, 150.0))):
        found = covariance(fit_arrays(ds, SCALING, harmonics=Harmonics(0, 0), radius=radius, **OPTIONS))
        assert abs(found - sample * taper).max() < 0.01 * abs(sample).max()


def test_a_short_period_knows_other_days_better_without_its_chance():
    ds, other = weather(160, 2), weather(2000, 3)
    climate = GaussianClimate.fit(ds, SCALING, harmonics=Harmonics(0, 0), **OPTIONS)
    assert math.isfinite(float(climate.radius))
    assert climate.radius == climate.again(ds, 1).radius

    def error(one):
        x, clock = even_windows(other, SCALING, one.mask.numpy(), 3, 200)
        eps = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
        return [
            float((one.denoise(x + s * eps, torch.tensor(s), clock) - x).square().mean()) for s in (0.3, 1.0)
        ]

    far = climate.with_tensors(climate.tensors() | {"radius": np.full(1, np.inf)}).again(ds, 1)
    assert (np.array(error(climate)) < 0.93 * np.array(error(far))).all()


def test_weather_of_one_piece_is_left_in_one_piece():
    climate = GaussianClimate.fit(
        weather(400, 4, length=3000.0), SCALING, harmonics=Harmonics(0, 0), **OPTIONS
    )
    assert math.isinf(float(climate.radius))

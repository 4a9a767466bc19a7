"""A small clean weather for the gates: travelling waves, wind along the isobars, rain where the waves are high."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

EARTH_RADIUS = 6.371e6
OMEGA = 7.292e-5


@pytest.fixture
def weather(clean_weather) -> xr.Dataset:
    """A copy to be spoilt."""
    return clean_weather.copy(deep=True)


@pytest.fixture(scope="session")
def clean_weather() -> xr.Dataset:
    """Two months of hourly psl, tas, uas, vas, pr, tasmin, tasmax on 16 x 20 cells of 0.25 degrees."""
    rng = np.random.default_rng(7)
    lat, lon = 44 + 0.25 * np.arange(16), 5 + 0.25 * np.arange(20)
    time = pd.date_range("2001-01-01", periods=24 * 62, freq="h")
    hours = np.arange(time.size)[:, None, None]
    y, x = lat[None, :, None], lon[None, None, :]
    psl, dy, dx, heat, wet = (np.zeros((time.size, 16, 20)) for _ in range(5))
    for _ in range(24):
        ky, kx = rng.normal(0, 0.9, 2)
        omega, phase, size = rng.normal(0, 0.12), rng.uniform(0, 2 * np.pi), 120 / (1 + ky**2 + kx**2)
        angle = ky * (y - 46) + kx * (x - 7) + omega * hours + phase
        psl += size * np.cos(angle)
        dy -= size * ky * np.sin(angle)
        dx -= size * kx * np.sin(angle)
        heat += size / 40 * np.cos(angle + 1)
        wet += size / 40 * np.cos(1.7 * angle + 2)
    metre = np.deg2rad(1) * EARTH_RADIUS
    turn = 1.2 * 2 * OMEGA * np.sin(np.deg2rad(y))
    noise = rng.normal(0, 0.05, (3, *psl.shape))
    tas = 278 - 0.7 * (y - 46) + heat + 3 * np.sin(2 * np.pi * (hours - 9) / 24) + noise[0]
    fields = {
        "psl": (101300 + psl, "Pa", "air_pressure_at_mean_sea_level"),
        "tas": (tas, "K", "air_temperature"),
        "tasmin": (tas - 2 - 0.1 * np.cos(wet), "K", "air_temperature"),
        "tasmax": (tas + 2 + 0.1 * np.cos(wet), "K", "air_temperature"),
        "uas": (-0.6 * dy / metre / turn + noise[1], "m s-1", "eastward_wind"),
        "vas": (0.6 * dx / metre / turn / np.cos(np.deg2rad(y)) + noise[2], "m s-1", "northward_wind"),
        "pr": (np.maximum(0, wet - 3) * 2e-4, "kg m-2 s-1", "precipitation_flux"),
    }
    return xr.Dataset(
        {
            name: (
                ("time", "lat", "lon"),
                values.astype(np.float32),
                {"units": units, "standard_name": standard},
            )
            for name, (values, units, standard) in fields.items()
        },
        coords={"time": time, "lat": lat, "lon": lon},
    )

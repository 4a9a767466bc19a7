"""A small fitted climate, shared by the tests of what stands on it."""

import numpy as np
import pytest
import xarray as xr

from finescale.fields.scaling import Scaling
from finescale.grid.grid import Grid
from finescale.prior.climatology import Harmonics
from finescale.prior.gaussian import GaussianClimate

NAMES = ("a", "b")


@pytest.fixture(scope="session")
def grid() -> Grid:
    return Grid(tuple(50 + 0.5 * np.arange(4)), tuple(5 + 0.5 * np.arange(6)))


@pytest.fixture(scope="session")
def climate(grid) -> GaussianClimate:
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((48, 48)) * np.linspace(1.5, 0.1, 48)
    x, z = np.zeros((900, 48)), np.zeros(48)
    for t in range(900):
        z = 0.9 * z + rng.standard_normal(48)
        x[t] = mix @ z
    x = (x / x.std()).reshape(900, 2, 4, 6).astype(np.float32)
    time = np.datetime64("2001-01-01", "ns") + np.arange(900) * np.timedelta64(1, "h")
    fields = {n: (("time", "lat", "lon"), x[:, c], {"units": "1"}) for c, n in enumerate(NAMES)}
    ds = xr.Dataset(fields, coords={"time": time, **grid.coords()})
    scaling = Scaling("mean-std", NAMES, (0.0, 0.0), (1.0, 1.0))
    return GaussianClimate.fit(ds, scaling, modes=12, order=3, joint=0, harmonics=Harmonics(0, 0))


@pytest.fixture(scope="session")
def turning(climate) -> GaussianClimate:
    """The same with two leading EOFs that turn into one another, 10 degrees an hour."""
    tensors = climate.tensors()
    angle = np.pi / 18
    turn = 0.9 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    lags = np.stack([np.linalg.matrix_power(turn, h) for h in range(5)])
    variance = tensors["variance"].copy()
    variance[:2] = variance[0]
    changed = {"variance": variance, "cross": variance[0] * lags, "trust": np.ones(1)}
    return climate.with_tensors(tensors | changed)

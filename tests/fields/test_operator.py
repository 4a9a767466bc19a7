"""The torch face of H against the xarray face, its adjoint and its diagonal."""

import numpy as np
import pytest
import torch
import xarray as xr

from finescale.errors import FinescaleError
from finescale.fields.operator import AreaMean, Clock, Stations, View
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid

FINE = Grid(tuple(60 + 0.5 * np.arange(8)), tuple(5 + 0.4 * np.arange(12)))
# 1970-01-01 begins the absolute hours.
FIRST, STOP = 20, 53


def fields(rng: np.random.Generator) -> xr.Dataset:
    time = np.datetime64("1970-01-01", "ns") + np.arange(FIRST, STOP) * np.timedelta64(1, "h")
    x = rng.standard_normal((STOP - FIRST, *FINE.shape))
    return xr.Dataset({"a": (("time", "lat", "lon"), x)}, coords={"time": time, **FINE.coords()})


def view(how: str, space: AreaMean | Stations) -> View:
    return View(space, Clock(6, how), FIRST, STOP)


@pytest.mark.parametrize("how", ["instant", "mean"])
def test_both_faces_of_the_operator_agree(how: str) -> None:
    ds = fields(np.random.default_rng(0))
    coarsening = Coarsening(FINE, FINE.coarsen(4), 6, how)
    seen = coarsening.apply(ds)["a"].values
    x = torch.from_numpy(ds["a"].values)[:, None]
    mine = view(how, AreaMean.of(coarsening, torch.float64)).apply(x).numpy()
    np.testing.assert_allclose(mine[:, 0].reshape(seen.shape), seen, atol=1e-12)


def spaces() -> dict[str, AreaMean | Stations]:
    mean = AreaMean.of(Coarsening(FINE, FINE.coarsen(4)), torch.float64)
    return {"cells": mean, "stations": Stations.at(FINE, [60.1, 63.5, 61.0], [5.0, 9.39, 7.7])}


@pytest.mark.parametrize("how", ["instant", "mean"])
@pytest.mark.parametrize("kind", ["cells", "stations"])
def test_the_adjoint_is_the_transpose(kind: str, how: str) -> None:
    h = view(how, spaces()[kind])
    gen = torch.Generator().manual_seed(0)
    x = torch.randn(2, STOP - FIRST, 3, *FINE.shape, generator=gen, dtype=torch.float64)
    y = torch.randn(2, len(h.time), 3, h.space.size, generator=gen, dtype=torch.float64)
    torch.testing.assert_close((h.apply(x) * y).sum(), (x * h.adjoint(y)).sum(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["cells", "stations"])
def test_the_diagonal_is_that_of_h_h_transposed(kind: str) -> None:
    space = spaces()[kind]
    rows = space.adjoint(torch.eye(space.size, dtype=torch.float64))
    torch.testing.assert_close(space.diagonal().double(), rows.square().sum((1, 2)), rtol=1e-6, atol=1e-9)


def test_stations_read_a_plane_exactly() -> None:
    lat, lon = torch.meshgrid(torch.tensor(FINE.lat), torch.tensor(FINE.lon), indexing="ij")
    found = Stations.at(FINE, [60.3, 62.75], [5.05, 9.4]).apply((2 * lat - lon).double())
    np.testing.assert_allclose(found, [2 * 60.3 - 5.05, 2 * 62.75 - 9.4], atol=1e-4)


def test_a_station_is_found_by_its_longitude_of_any_turn() -> None:
    around = Grid((0.0, 1.0), (178.0, 179.0, 180.0, 181.0))
    x = torch.tensor(around.lon, dtype=torch.float64).expand(2, 4)
    np.testing.assert_allclose(Stations.at(around, [0.5, 0.5], [-179.5, 180.5]).apply(x), [180.5, 180.5])
    for turn in (-360, 0, 360):
        found = Stations.at(FINE, [60.3], [FINE.lon[-1] + turn])
        assert found.cells.tolist() == Stations.at(FINE, [60.3], [FINE.lon[-1]]).cells.tolist()
    with pytest.raises(FinescaleError, match="lon 187 is outside 178 to 181"):
        Stations.at(around, [0.5], [-173.0])


def test_a_station_outside_the_grid_is_refused() -> None:
    with pytest.raises(FinescaleError, match="stations lie within"):
        Stations.at(FINE, [59.9], [6.0])


def test_a_mean_needs_all_its_hours() -> None:
    clock = Clock(6, "mean")
    assert clock.hours(1, 14) == [6, 12]
    assert clock.hours(2, 14) == [12]
    np.testing.assert_allclose(clock.matrix(2, 14).sum(1), 1)
    assert clock.matrix(2, 14)[0].nonzero()[0].tolist() == [5, 6, 7, 8, 9, 10]

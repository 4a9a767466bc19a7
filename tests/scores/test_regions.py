"""Coast and mountains, of whole and of fractional land."""

import numpy as np
import pytest
import xarray as xr

from finescale.grid.grid import Grid
from finescale.report.places import places
from finescale.scores.regions import regions

GRID = Grid(tuple(47 + 0.1 * np.arange(12)), tuple(6 + 0.1 * np.arange(16)))


def land(share):
    return xr.Dataset({"sftlf": (("lat", "lon"), share)}, coords=GRID.coords())


@pytest.mark.parametrize("unit", [1.0, 100.0])
def test_lakes_and_rivers_on_land_are_no_coast(unit):
    """The sea lies in the west; no two cells of the land have the same share of water."""
    rng = np.random.default_rng(0)
    share = np.where(np.arange(16) >= 5, 1 - 0.3 * rng.random(GRID.shape), 0.3 * rng.random(GRID.shape))
    coast = regions(GRID, land(unit * share))["coast"] > 0
    assert coast[:, 4:6].all() and coast.sum() == 2 * 12
    assert places(GRID, land(unit * share))["coast"][1] == pytest.approx(GRID.lon[5])
    assert "coast" not in regions(GRID, land(unit * (0.7 + 0.3 * share)))


def test_the_coast_of_reanalysis_is_a_line(real_data):
    """Hardly two cells of a reanalysis have the same share of land, and few of them are coast."""
    with xr.open_dataset(real_data / "static/era5_orography_lsm_025deg_global.nc") as ds:
        here = ds["lsm"].sortby("latitude").sel(latitude=slice(45, 53), longitude=slice(4, 18)).load()
    static = here.rename(latitude="lat", longitude="lon").to_dataset(name="sftlf")
    grid = Grid.from_dataset(static)
    share = static["sftlf"].squeeze().to_numpy()
    coast = regions(grid, static)["coast"] > 0
    assert coast.mean() < 0.2
    away = (share[1:-1, 1:-1] > 0.9) & ~(
        (share[:-2, 1:-1] < 0.5)
        | (share[2:, 1:-1] < 0.5)
        | (share[1:-1, :-2] < 0.5)
        | (share[1:-1, 2:] < 0.5)
    )
    assert away.any() and not coast[1:-1, 1:-1][away].any()
    lat, lon = places(grid, static)["coast"]
    around = static["sftlf"].sel(lat=slice(lat - 0.3, lat + 0.3), lon=slice(lon - 0.3, lon + 0.3))
    assert float(around.min()) < 0.5 < float(around.max())

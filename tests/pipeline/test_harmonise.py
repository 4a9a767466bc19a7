"""A climate model at the observed hours: instants are taken, means over shorter intervals averaged, never mixed."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.grid.grid import Grid
from finescale.pipeline.stages.harmonise import check_kinds, on_coarse_grid
from finescale.settings.data import Series

SOURCE = Series(facets={"source_id": "M"})
GRID = Grid((41.0, 42.0, 43.0), (1.0, 2.0, 3.0))


def run(method, *, hours=3, days=10, stamped="middle", start="2001-01-01"):
    """Rain in the first of every two steps [time, lat, lon], with bounds where the stamp is in their middle."""
    edges = pd.date_range(start, periods=days * 24 // hours + 1, freq=f"{hours}h")
    values = np.zeros((edges.size - 1, 6, 6), dtype="float32")
    values[::2] = 1e-4 * (1 + np.arange(len(values[::2])))[:, None, None]
    attrs = {"units": "kg m-2 s-1", "standard_name": "precipitation_flux", "cell_methods": method}
    coords = {"time": edges[1:], "lat": np.arange(40.0, 46.0), "lon": np.arange(0.0, 6.0)}
    ds = xr.Dataset({"pr": (("time", "lat", "lon"), values, attrs)}, coords=coords)
    if stamped == "middle":
        ds = ds.assign_coords(time=edges[:-1] + (edges[1] - edges[0]) / 2)
        ds["time_bnds"] = (("time", "bnds"), np.stack([edges[:-1], edges[1:]], axis=1))
    return ds


@pytest.mark.parametrize("stamped", ["middle", "end"])
def test_three_hourly_means_become_six_hourly_ones(stamped):
    raw = run("area: time: mean", stamped=stamped)
    out = on_coarse_grid(raw, ["pr"], SOURCE, GRID, 6)
    assert out.sizes["time"] == 40
    assert str(out["time"].values[0])[:16] == "2001-01-01T06:00"
    expected = raw["pr"].values.reshape(40, 2, -1).mean(axis=(1, 2))
    np.testing.assert_allclose(out["pr"].mean(("lat", "lon")), expected, rtol=1e-6)


def test_instants_and_means_of_the_observed_length_are_taken_as_they_are():
    instants = run("area: mean time: point", stamped="end")
    out = on_coarse_grid(instants, ["pr"], SOURCE, GRID, 6)
    np.testing.assert_allclose(out["pr"][:, 0, 0], instants["pr"][1::2, 2, 2], rtol=1e-6)
    means = run("area: time: mean", hours=6)
    whole = on_coarse_grid(means, ["pr"], SOURCE, GRID, 6)
    np.testing.assert_allclose(whole["pr"][:, 0, 0], means["pr"][:, 2, 2], rtol=1e-6)


def test_a_block_with_a_hole_is_left_out_of_a_seasonal_series():
    raw = run("area: time: mean", stamped="end").isel(time=[*range(16), *range(33, 64)])
    out = on_coarse_grid(raw, ["pr"], SOURCE.model_copy(update={"gaps": "allow"}), GRID, 6)
    assert out.sizes["time"] == 8 + 15
    np.testing.assert_allclose(out["pr"][8, 0, 0], raw["pr"][17:19, 2, 2].mean(), rtol=1e-6)


def test_means_that_no_block_is_made_of_and_mixtures_are_refused():
    with pytest.raises(FinescaleError, match="made of whole steps: they are 4 h long"):
        on_coarse_grid(run("time: mean", hours=4, stamped="end"), ["pr"], SOURCE, GRID, 6)
    mixed = run("time: mean", stamped="end")
    mixed["tas"] = (mixed["pr"] + 280).assign_attrs(
        units="K", standard_name="air_temperature", cell_methods="time: point"
    )
    with pytest.raises(
        FinescaleError, match="means over 3 h are averaged to 6 h and instants are not: pr, tas"
    ):
        on_coarse_grid(mixed, ["pr", "tas"], SOURCE, GRID, 6)


def test_a_model_of_means_is_not_compared_with_instants():
    means, instants = run("area: time: mean"), run("area: mean time: point")
    coarse = instants.assign(pr=instants["pr"].assign_attrs(cell_methods="area: mean time: point time: mean"))
    check_kinds(means, coarse, "mpi")
    check_kinds(instants, instants, "mpi")
    with pytest.raises(FinescaleError, match="pr of mpi is mean in time, the coarse reference is instant"):
        check_kinds(means, instants, "mpi")

"""What holds of every correction, whatever the data."""

import numpy as np
import pytest
import xarray as xr
from worlds import Bias, climate

from finescale.bias.correction import fit, from_dataset
from finescale.bias.grouping import Grouping
from finescale.bias.plan import METHODS, Options

MONTHS = Grouping("month")
PAIR = ("tas", "uas")


@pytest.fixture(scope="module")
def world():
    reference = climate(4, seed=1, variables=PAIR).astype(np.float32)
    model = climate(4, seed=2, bias=Bias(0.7, 1.4, 1.5), variables=PAIR).astype(np.float32)
    future = climate(5, seed=3, bias=Bias(0.7, 1.4, 1.5), first=2041, warming=1.0, variables=PAIR).astype(
        np.float32
    )
    return reference, model, future


@pytest.mark.parametrize("kind", ["netcdf", "zarr"])
@pytest.mark.parametrize("method", METHODS)
def test_saved_and_loaded_it_gives_the_same_output(world, method, kind, tmp_path):
    reference, model, future = world
    fitted = fit(
        reference, model, method=method, grouping=MONTHS, options=Options(tails="pareto", tail_edge=0.9)
    )
    if kind == "netcdf":
        fitted.to_dataset().to_netcdf(tmp_path / "fit.nc")
        with xr.open_dataset(tmp_path / "fit.nc") as ds:
            loaded = from_dataset(ds.load())
    else:
        fitted.to_dataset().to_zarr(tmp_path / "fit.zarr", consolidated=False)
        loaded = from_dataset(xr.open_zarr(tmp_path / "fit.zarr", consolidated=False))
    assert loaded.plan == fitted.plan
    xr.testing.assert_identical(loaded.apply(future), fitted.apply(future))
    assert "jsonpickle" not in str(fitted.to_dataset().attrs)


@pytest.mark.parametrize("method", METHODS)
def test_lazy_and_in_any_chunks_it_gives_the_same_output(world, method):
    reference, model, future = world
    settings = {"method": method, "grouping": MONTHS}
    whole = fit(reference, model, **settings).apply(future)
    lazy = fit(reference.chunk(time=700), model.chunk(time=900, lat=1), compute=False, **settings)
    out = lazy.apply(future.chunk(time=333, lon=1))
    assert all(out[name].chunks for name in PAIR)
    xr.testing.assert_identical(out.compute(), whole)


@pytest.mark.parametrize("method", METHODS)
def test_cells_know_nothing_of_each_other(world, method):
    reference, model, future = world
    settings = {"method": method, "grouping": MONTHS}
    whole = fit(reference, model, **settings).apply(future)
    one = [ds.isel(lat=[1], lon=[0]) for ds in world]
    xr.testing.assert_identical(fit(*one[:2], **settings).apply(one[2]), whole.isel(lat=[1], lon=[0]))


def test_degrees_celsius_and_kelvin_are_the_same_weather(world):
    reference, model, future = (ds[["tas"]].astype(np.float64) for ds in world)
    celsius = reference.assign(tas=(reference.tas - 273.15).assign_attrs(units="degC"))
    settings = {"method": "qdm", "grouping": MONTHS}
    plain = fit(reference, model, **settings).apply(future)
    mixed = fit(celsius, model, **settings).apply(future)
    np.testing.assert_allclose(mixed.tas, plain.tas, atol=1e-9)
    assert mixed.tas.attrs["units"] == "K"


@pytest.mark.parametrize("dims", [("lat", "lon", "time"), ("lon", "time", "lat")])
def test_order_of_dimensions_does_not_matter(world, dims):
    reference, model, future = world
    settings = {"method": "eqm", "grouping": MONTHS}
    plain = fit(reference, model, **settings).apply(future)
    turned = fit(reference.transpose(*dims), model, **settings).apply(future.transpose(*dims))
    assert turned.tas.dims == dims
    xr.testing.assert_identical(turned.transpose(*plain.tas.dims), plain)


@pytest.mark.parametrize("method", ["eqm", "qdm"])
def test_calibration_quantiles_are_reproduced(method):
    reference, model = (climate(1, seed=s, variables=PAIR) for s in (1, 2))
    # As many quantiles as values: the map takes each value of the model to the reference's of its rank.
    count = int((model.time.dt.year > 0).sum())
    nodes = tuple(np.linspace(0.0, 1.0, count))
    fitted = fit(
        reference, model, method=method, grouping=Grouping("year", hours=False), options=Options(nodes)
    )
    out = fitted.apply(model)
    for name in PAIR:
        mapped, truth = (np.sort(ds[name].values, axis=0) for ds in (out, reference))
        np.testing.assert_allclose(mapped, truth, rtol=1e-6)


def test_quantile_delta_mapping_of_the_calibration_is_quantile_mapping(world):
    reference, model, _ = world
    a, b = (fit(reference, model, method=m, grouping=MONTHS).apply(model) for m in ("eqm", "qdm"))
    # Between quantiles the one interpolates by value, the other by rank.
    assert float(np.abs(a.tas - b.tas).mean()) < 0.02 * float(np.abs(a.tas - model.tas).mean())


def test_quantile_mapping_rises(world):
    reference, model, _ = world
    fitted = fit(reference, model, method="eqm", grouping=MONTHS)
    times = model.time[:1]
    last = None
    for value in np.linspace(250.0, 310.0, 61):
        point = model.isel(time=[0]).assign(tas=xr.full_like(model.tas.isel(time=[0]), value))
        out = fitted.apply(point.assign_coords(time=times)).tas
        assert last is None or (out.values > last).all()
        last = out.values


def test_beyond_the_outer_quantiles_the_shift_is_constant(world):
    reference, model, _ = world
    fitted = fit(reference, model, method="eqm", grouping=MONTHS)
    shifts = []
    for value in (305.0, 308.0):
        point = model.isel(time=[0]).assign(tas=xr.full_like(model.tas.isel(time=[0]), value))
        shifts.append(fitted.apply(point).tas.values - value)
    np.testing.assert_allclose(shifts[0], shifts[1], atol=1e-4)


def test_identity_changes_nothing_and_methods_may_differ_by_variable(world):
    reference, model, future = world
    out = fit(reference, model, method={"tas": "scaling", "uas": "identity"}, grouping=MONTHS).apply(future)
    np.testing.assert_array_equal(out.uas, future.uas)
    assert not np.allclose(out.tas, future.tas)
    assert out.tas.attrs["bias_correction"] == "scaling"


def test_variables_that_were_not_fitted_pass_through(world):
    reference, model, future = world
    out = fit(reference, model, method="eqm", grouping=MONTHS, variables=["tas"]).apply(future)
    xr.testing.assert_identical(out.uas, future.uas)


def test_a_calibration_in_years_is_one_in_days(world):
    reference, model, _ = world
    a, b = (
        fit(reference, model, method="scaling", grouping=MONTHS, calibration=c)
        for c in (("1981", "1982"), ("1981-01-01", "1982-12-31"))
    )
    xr.testing.assert_identical(a.tables, b.tables)
    assert a.plan.historical_period == ("1981-01-01", "1982-12-31")


def test_the_seed_alone_decides_the_rotations(world):
    reference, model, _ = world
    tables = [
        fit(reference, model, method="mbcn", grouping=MONTHS, options=Options(seed=s, iterations=3)).tables
        for s in (1, 1, 2)
    ]
    xr.testing.assert_identical(tables[0], tables[1])
    assert not tables[0].joint_rotation.equals(tables[2].joint_rotation)

"""The joint law of several variables: nearer to the reference, with each variable's own law as it was."""

import numpy as np
import pytest
import xarray as xr
import xsdba
from worlds import Bias, climate

from finescale.bias.correction import fit
from finescale.bias.grouping import Grouping
from finescale.bias.mbcn import apply_joint, energy_distance, fit_joint, mean_distance, random_rotations
from finescale.bias.plan import Options
from finescale.errors import FinescaleError

BIAS = Bias(shift=0.5, spread=1.3, diurnal=1.5)
OPTIONS = Options(joint_grouping=Grouping("season"))


def correlation_error(a, b):
    """Mean difference of the correlations between variables, season by season and hour by hour."""
    errors = []
    for season in range(4):
        for hour in (0, 6, 12, 18):
            pair = []
            for ds in (a, b):
                chosen = (ds.time.dt.month % 12 // 3 == season) & (ds.time.dt.hour == hour)
                values = (
                    ds.isel(time=np.flatnonzero(chosen)).to_array().transpose("variable", ..., "time").values
                )
                pair.append([[np.corrcoef(values[:, i, j]) for j in range(2)] for i in range(2)])
            errors.append(np.abs(np.asarray(pair[0]) - np.asarray(pair[1])).mean())
    return float(np.mean(errors))


@pytest.fixture(scope="module")
def runs():
    reference = climate(10, seed=1, calendar="standard", mixing=0.8)
    model = climate(10, seed=2, calendar="360_day", bias=BIAS, mixing=0.1)
    future = climate(14, seed=3, calendar="360_day", bias=BIAS, mixing=0.1, first=2041, warming=1.0)
    truth = climate(14, seed=3, calendar="360_day", mixing=0.8, first=2041, warming=1.0)
    return reference, model, future, truth


@pytest.fixture(scope="module")
def fitted(runs):
    reference, model, *_ = runs
    settings = {"calendars": "year-fraction", "options": OPTIONS}
    return {m: fit(reference, model, method=m, **settings) for m in ("qdm", "mbcn")}


def test_correlation_error_is_halved_in_years_not_seen(runs, fitted):
    _, _, future, truth = runs
    errors = {m: correlation_error(c.apply(future), truth) for m, c in fitted.items()}
    assert errors["qdm"] > 0.1
    assert errors["mbcn"] < 0.5 * errors["qdm"]


def test_each_variables_law_stays_as_qdm_made_it(runs, fitted):
    _, _, future, _ = runs
    alone, joint = (fitted[m].apply(future) for m in ("qdm", "mbcn"))
    group = OPTIONS.joint_grouping.index(future.time, (0, 360, 720, 1080)).group
    for name in alone.data_vars:
        for g in np.unique(group)[::5]:
            a, b = (np.sort(x[name].values[group == g], axis=0) for x in (alone, joint))
            np.testing.assert_array_equal(a, b)


def test_a_run_longer_than_the_calibration_keeps_its_length_and_has_no_zeros(runs, fitted):
    _, model, future, _ = runs
    out = fitted["mbcn"].apply(future)
    assert future.sizes["time"] > model.sizes["time"]
    assert out.sizes == future.sizes
    for name in out.data_vars:
        assert np.isfinite(out[name]).all()
        assert not (out[name] == 0.0).any()


def test_energy_distance_falls_to_chance(fitted):
    energy = fitted["mbcn"].tables.joint_energy.mean(("lat", "lon", "joint_group")).values
    noise = 0.02 * energy[0]
    assert (np.diff(energy) < noise).all()
    assert energy[-1] < 0.75 * energy[0]


def test_joint_misfit_is_stored_and_falls(fitted):
    misfit = fitted["mbcn"].tables.joint_misfit
    assert (misfit.isel(side=1) < 0.5 * misfit.isel(side=0)).all()


def test_rotations_are_orthogonal_and_come_from_the_seed():
    rotations = random_rotations(4, 30, seed=3)
    np.testing.assert_allclose(
        rotations @ rotations.swapaxes(1, 2), np.broadcast_to(np.eye(4), (30, 4, 4)), atol=1e-12
    )
    np.testing.assert_array_equal(rotations, random_rotations(4, 30, seed=3))
    assert not np.allclose(rotations, random_rotations(4, 30, seed=4))


def test_energy_distance_equals_brute_force():
    """Szekely and Rizzo's statistic, its root; xsdba's escore is the same times n m / (n + m) / 2."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((1, 3, 100)), rng.standard_normal((1, 3, 80)) + 0.5

    def apart(x, y):
        return np.linalg.norm(x[0].T[:, None] - y[0].T[None], axis=2).mean()

    expected = 2 * apart(a, b) - apart(a, a) - apart(b, b)
    assert energy_distance(a, b)[0] ** 2 == pytest.approx(expected, rel=1e-9)
    assert mean_distance(a, b)[0] == pytest.approx(apart(a, b), rel=1e-12)


def test_rotated_clouds_are_those_of_xsdba():
    """The transform itself, on one group, with the same rotations, quantiles and interpolation."""
    reference, model, run = (
        climate(1, seed=s, mixing=m, shape=(1, 1)) for s, m in ((1, 0.8), (2, 0.1), (3, 0.1))
    )
    reference, model, run = (ds.isel(time=slice(0, 400)) for ds in (reference, model, run))
    whole, rotations, nodes = (
        Grouping("year", hours=False),
        random_rotations(4, 8, seed=1),
        np.linspace(0.02, 0.98, 25),
    )
    stack = [ds.to_array().values.reshape(1, 4, -1) for ds in (reference, model, run)]
    index = [whole.index(ds.time, (-1,)) for ds in (reference, model, run)]
    tables = fit_joint(stack[0], index[0], stack[1], index[1], rotations, nodes)
    ours = apply_joint(stack[2], stack[2], index[2], rotations, tables.shift[..., :], nodes)
    peer = [xsdba.stack_variables(ds.isel(lat=0, lon=0, drop=True)) for ds in (reference, model, run)]
    dims = {"crd_dim": "multivar", "new_dim": "multivar_prime"}
    axes = {"multivar": peer[0].multivar.values, "multivar_prime": peer[0].multivar.values}
    matrices = xr.DataArray(
        rotations, dims=("iterations", "multivar_prime", "multivar"), coords=axes, attrs=dims
    )
    shift = xsdba._adjustment.mbcn_train(
        xr.Dataset({"ref": peer[0], "hist": peer[1]}),
        matrices,
        ("multivar", "multivar_prime"),
        nodes,
        xsdba.processing.grouped_time_indexes(peer[0].time, xsdba.Grouper("time"))[1],
        "linear",
        "constant",
        -1,
    ).af_q
    theirs = shift.transpose(..., "iterations", "multivar_prime", "quantiles").values.reshape(8, 4, 25)
    np.testing.assert_allclose(tables.shift[0, 0], theirs, rtol=0, atol=1e-6)
    assert ours.shape == stack[2].shape


def test_one_variable_alone_or_with_gaps_is_refused(runs):
    reference, model, *_ = (ds.isel(time=slice(0, 4000)) for ds in runs)
    methods = {"psl": "qdm", "tas": "mbcn", "uas": "qdm", "vas": "qdm"}
    with pytest.raises(FinescaleError, match="tas is alone"):
        fit(reference, model, method=methods, calendars="year-fraction")
    model = model.assign(tas=model.tas.where(model.time != model.time[7]))
    options = Options(missing="mask")
    with pytest.raises(FinescaleError, match="tas of the historical run lacks"):
        fit(reference, model, method="mbcn", calendars="year-fraction", options=options)


def test_a_gap_in_one_variable_is_refused_once_and_a_masked_cell_is_not(runs):
    """Ranks over all variables need all of them: a gap cannot be dealt out, a cell without any value can be left."""
    reference, model = (ds.sel(time=slice(None, "1984")) for ds in runs[:2])
    name = str(next(iter(model.data_vars)))
    gap, masked, sea = (ds.copy(deep=True) for ds in (model, model, reference))
    gap[name][40:50, 0, 0] = np.nan
    for ds in (masked, sea):
        for field in ds.data_vars.values():
            field[:, 1, 1] = np.nan
    settings = {"calendars": "year-fraction", "method": "mbcn"}
    options = Options(joint_grouping=Grouping("season"), missing="mask")
    with pytest.raises(
        FinescaleError, match=f"variables mapped together are complete: {name} of the historical run"
    ):
        fit(reference, gap, options=options, **settings)
    done = fit(sea, masked, options=options, **settings).apply(masked)
    for field, before in zip(done.data_vars.values(), masked.data_vars.values(), strict=True):
        np.testing.assert_array_equal(np.isnan(field), np.isnan(before))

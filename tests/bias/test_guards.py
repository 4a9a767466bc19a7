"""What is wrong with the input, or with a map, is said by name: the rule, the value, the cell and the wish."""

import numpy as np
import pytest
import xarray as xr
from worlds import Bias, climate

from finescale.bias import correction, guards, structure
from finescale.bias.correction import fit
from finescale.bias.grouping import Grouping
from finescale.bias.plan import Options, make_rule
from finescale.bias.sample import Sample
from finescale.errors import FinescaleError

MONTHS = Grouping("month")


@pytest.fixture(scope="module")
def sides():
    keep = {"variables": ("tas", "psl")}
    return climate(3, seed=1, **keep), climate(3, seed=2, bias=Bias(0.5, 1.2, 1.0), **keep)


def gap(ds, where, name="tas"):
    values = ds[name].copy(deep=True)
    values[where] = np.nan
    return ds.assign({name: values})


def refused(reference, model, message, **settings):
    with pytest.raises(FinescaleError, match=message) as caught:
        fit(reference, model, grouping=MONTHS, **({"method": "eqm"} | settings))
    text = str(caught.value)
    assert ": " in text  # rule: value
    assert "; " in text  # ; wish


def test_disjoint_calibration_periods(sides):
    later = climate(3, seed=2, first=2041, variables=("tas", "psl"))
    refused(sides[0], later, r"1981-01-01 to 1983-12-31.*2041-01-01 to 2043-12-31; choose a common period")


def test_a_calibration_outside_the_data(sides):
    refused(
        *sides,
        r"no step of the reference falls in 1990-01-01..1995-12-31",
        calibration=("1990-01-01", "1995-12-31"),
    )


def test_a_variable_missing_on_one_side(sides):
    refused(
        sides[0].drop_vars("tas"),
        sides[1],
        "tas is missing in the reference, which has psl",
        variables=["tas"],
    )
    refused(sides[0], sides[1].drop_vars("tas"), "tas is missing in the historical run", variables=["tas"])


def test_a_variable_missing_in_the_run(sides):
    fitted = fit(*sides, method="eqm", grouping=MONTHS)
    with pytest.raises(FinescaleError, match="psl is missing among tas"):
        fitted.apply(sides[1].drop_vars("psl"))


def test_a_cell_without_any_value(sides):
    refused(
        gap(sides[0], (slice(None), 0, 1)),
        sides[1],
        "tas of the reference has no value at all at lat 40, lon 6",
    )
    refused(
        sides[0],
        gap(sides[1], (slice(None), 1, 0)),
        "tas of the historical run has no value at all at lat 41, lon 5",
    )


def test_a_single_missing_value(sides):
    refused(gap(sides[0], (7, 1, 1)), sides[1], r"lacks 0.02% of its values at lat 41, lon 6")
    fitted = fit(*sides, method="eqm", grouping=MONTHS)
    with pytest.raises(FinescaleError, match=r"tas of the run to correct lacks 0\.02%"):
        fitted.apply(gap(sides[1], (9, 0, 0)))


def test_an_infinite_value(sides):
    wild = sides[1].tas.copy(deep=True)
    wild[3, 0, 1] = np.inf
    refused(sides[0], sides[1].assign(tas=wild), "is infinite at lat 40, lon 6")


def test_missing_values_masked_on_purpose(sides):
    reference = gap(gap(sides[0], (slice(None), 0, 1)), (5, 1, 1))
    fitted = fit(reference, sides[1], method="qdm", grouping=MONTHS, options=Options(missing="mask"))
    out = fitted.apply(gap(sides[1], (9, 0, 0)))
    assert out.tas.isel(lat=0, lon=1).isnull().all()
    assert int(out.tas.isel(lat=0, lon=0).isnull().sum()) == 1
    assert out.tas.isel(lat=1).notnull().all()


def test_two_calendars_without_a_policy(sides):
    other = climate(3, seed=2, calendar="360_day", variables=("tas", "psl"))
    refused(sides[0], other, "noleap and 360_day; pass calendars='year-fraction'")
    refused(sides[0], other, "'nearest'; choose 'year-fraction'", calendars="nearest")
    fit(sides[0], other, method="eqm", grouping=MONTHS, calendars="year-fraction")


def test_names_of_one_calendar_are_one():
    standard = climate(1, seed=1, calendar="standard", variables=("tas",))
    same = standard.convert_calendar("proleptic_gregorian", use_cftime=True)
    fitted = fit(standard, same, method="scaling", grouping=MONTHS)
    np.testing.assert_allclose(fitted.apply(same).tas, standard.tas, rtol=1e-5)


def test_units_that_cannot_be_converted_or_are_missing(sides):
    wrong = sides[0].assign(tas=sides[0].tas.assign_attrs(units="m s-1"))
    refused(wrong, sides[1], "units of tas")
    refused(sides[0].assign(tas=sides[0].tas.drop_attrs()), sides[1], "tas of the reference has none")


def test_other_cells(sides):
    refused(sides[0], sides[1].isel(lat=[0]), "lat has 2 cells in the reference and 1 in the historical run")
    refused(
        sides[0], sides[1].assign_coords(lon=sides[1].lon + 0.5), "lon differs by 0.5 in the historical run"
    )
    fitted = fit(*sides, method="eqm", grouping=MONTHS)
    with pytest.raises(FinescaleError, match="lat differs by 1"):
        fitted.apply(sides[1].assign_coords(lat=sides[1].lat + 1))


def test_names_that_mean_nothing(sides):
    refused(*sides, "'bcsd' for tas; choose from identity", method="bcsd", variables=["tas"])
    refused(*sides, "psl has none; name one", method={"tas": "qdm"}, variables=["tas", "psl"])
    refused(*sides, "rise within", options=Options(quantiles=(0.5, 0.2)))
    with pytest.raises(FinescaleError, match="no attribute finescale_bias_correction"):
        correction.from_dataset(sides[0])


def test_a_period_that_is_no_date(sides):
    refused(*sides, "'spring'; write for example", calibration=("spring", "1983"))


def test_windows_too_short_for_a_map(sides):
    short = [ds.isel(time=slice(0, 600)) for ds in sides]
    fitted = fit(*short, method="eqm", grouping=MONTHS)
    with pytest.raises(FinescaleError, match=r"no value is lost.*knows no such hour, day or cell"):
        fitted.apply(sides[1])
    with pytest.raises(FinescaleError, match="every group has enough values"):
        fit(short[0], sides[1], method="eqm", grouping=MONTHS)


def block(values, rule_name="tas", method="eqm"):
    time = xr.date_range("2001-01-01", periods=values.shape[1], freq="D", calendar="noleap", use_cftime=True)
    axis = xr.DataArray(time, dims="time", coords={"time": time})
    index = Grouping("year", hours=False).index(axis, (-1,))
    cells = np.arange(values.shape[0])
    sample = Sample(values, index, np.arange(values.shape[1]) * 1.0, np.arange(values.shape[1]), cells)
    return sample, make_rule(rule_name, method, Options(quantiles=5))


def name(cell):
    return f"cell {cell}"


NODES = np.array([270.0, 275.0, 280.0, 285.0, 290.0])


def test_a_map_that_falls_or_misses_its_quantiles_is_refused():
    sample, rule = block(280.0 + np.zeros((2, 9)))
    good = np.broadcast_to(NODES, (2, 1, 5)).copy()
    guards.check_tables({"model": good, "reference": good + 1.0}, rule, sample, sample, name)
    falling = good.copy()
    falling[1, 0, 3] = 260.0
    with pytest.raises(FinescaleError, match="quantiles of the reference of tas fall by 20 at cell 1"):
        guards.check_tables({"model": good, "reference": falling}, rule, sample, sample, name)
    holes = good.copy()
    holes[1, 0, 2] = np.nan
    with pytest.raises(FinescaleError, match="model of tas has 1 holes, the first at cell 1"):
        guards.check_tables({"model": holes, "reference": good}, rule, sample, sample, name)


def test_lost_values_new_zeros_and_impossible_weather_are_refused():
    before, rule = block(280.0 + np.zeros((2, 9)))
    for wrong, message in (
        (np.nan, "9 of tas became missing, the first at cell 1"),
        (0.0, "50.00% of tas did, the first at cell 1"),
        (400.0, "tas stays within 173..335 K: 400 at cell 1"),
    ):
        after = before.values.copy()
        after[1] = wrong
        with pytest.raises(FinescaleError, match=message):
            guards.check_output(before, after, rule, name)
    with pytest.raises(FinescaleError, match="had 9 steps, has 8"):
        guards.check_output(before, before.values[:, 1:], rule, name)


def test_amounts_are_cut_at_their_limits():
    before, rule = block(np.full((1, 3), 1e-4), "pr")
    np.testing.assert_array_equal(
        guards.check_output(before, np.array([[-1e-9, 1e-4, 9.0]]), rule, name), [[0.0, 1e-4, 0.15]]
    )


def test_shuffled_values_are_refused():
    rng = np.random.default_rng(0)
    before, rule = block(280.0 + rng.standard_normal((2, 60)))
    structure.check_order(before, 2.0 * before.values, rule, name)
    shuffled = before.values.copy()
    shuffled[1] = rng.permutation(shuffled[1])
    with pytest.raises(
        FinescaleError, match=r"rank correlation of tas before and after is -?0\.\d+ at cell 1"
    ):
        structure.check_order(before, shuffled, rule, name)


def test_a_lost_trend_is_refused():
    rng = np.random.default_rng(0)
    before, rule = block(283.0 + rng.standard_normal((2, 60)), method="qdm")
    tables = {
        "model": np.broadcast_to(NODES, (2, 1, 5)),
        "reference": np.broadcast_to(NODES + 2.0, (2, 1, 5)),
    }
    structure.check_change(before, before.values + 2.0, tables, rule, name)
    lost = before.values + 2.0
    lost[1] -= 1.5
    with pytest.raises(FinescaleError, match=r"mean change of tas, [\d.]+, became [\d.]+ at cell 1"):
        structure.check_change(before, lost, tables, rule, name)


def test_a_joint_map_that_worsens_correlations_is_refused():
    misfit = np.array([[[0.2, 0.1]], [[0.1, 0.3]]])
    with pytest.raises(
        FinescaleError, match=r"psl, tas: their mean error goes from 0.100 to 0.300 at cell 1"
    ):
        guards.check_joint(misfit, ("psl", "tas"), name)

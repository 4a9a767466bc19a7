"""Which variable is which: names first, standard names second, guesses never."""

import pytest

from finescale.climate.naming import rename
from finescale.climate.variables import VARIABLES
from finescale.errors import FinescaleError


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("t2m", "tas"), ("2m_temperature", "tas"), ("T_2M", "tas"), ("tg", "tas"), ("msl", "psl"), ("PMSL", "psl"),
     ("slp", "psl"), ("u10", "uas"), ("10m_v_component_of_wind", "vas"), ("U_10M", "uas"), ("rr", "pr"),
     ("total_precipitation", "pr"), ("tx", "tasmax"), ("lsm", "sftlf"), ("z", "orog")],
)  # fmt: skip
def test_names_of_the_great_products(cmip, theirs, ours):
    ds = cmip("x").rename(x=theirs)
    ds[theirs].attrs = {"units": "1"}
    renamed, done = rename(ds, None)
    assert list(renamed) == [ours]
    assert done == [f"renamed {theirs} to {ours}"]


def test_every_alias_belongs_to_one_variable():
    owner = {}
    for variable in VARIABLES.values():
        for alias in (variable.name, *variable.aliases):
            assert owner.setdefault(alias, variable.name) == variable.name


def test_every_limit_has_a_reason_and_an_order():
    for variable in VARIABLES.values():
        assert variable.low < variable.high
        assert min(len(variable.lowest.reason), len(variable.highest.reason)) > 15


def test_standard_name_serves_when_no_name_is_known(cmip):
    renamed, _ = rename(cmip("tas").rename(tas="screen_temperature"), ["tas"])
    assert list(renamed) == ["tas"]


def test_a_level_in_the_name_is_not_the_surface(cmip):
    ds = cmip("tas").rename(tas="ta850")
    with pytest.raises(FinescaleError, match="no tas"):
        rename(ds, ["tas"])


@pytest.mark.parametrize(("theirs", "ours"), [("r", "hurs"), ("z", "orog"), ("uas", "uas")])
def test_a_field_on_one_level_is_not_the_surface_nor_its_height(cmip, theirs, ours):
    surface = cmip("x").rename(x=theirs)
    surface[theirs].attrs = {"units": "1"}
    aloft = surface.expand_dims(pressure_level=[850.0], axis=1)
    assert list(rename(surface, [ours], {"z": "orog"})[0]) == [ours]
    with pytest.raises(FinescaleError, match=rf"no {ours} .*\({theirs} lie on levels"):
        rename(aloft, [ours], {"z": "orog"})
    with pytest.raises(FinescaleError, match="at least one variable that is known"):
        rename(aloft, None)


def test_two_candidates_are_not_guessed_between(cmip):
    ds = cmip("tas").rename(tas="warm")
    ds["cold"] = ds["warm"]
    with pytest.raises(FinescaleError, match=r"(warm, cold|cold, warm) all may be"):
        rename(ds, ["tas"])


def test_a_given_name_decides(cmip):
    ds = cmip("tas").rename(tas="warm")
    ds["cold"] = ds["warm"] - 10
    renamed, _ = rename(ds, ["tas"], {"cold": "tas"})
    assert float(renamed["tas"].min()) == float(ds["cold"].min())


def test_cloud_cover_labelled_temperature_is_refused(cmip):
    ds = cmip("tas")
    ds["tas"].attrs["standard_name"] = "cloud_area_fraction"
    with pytest.raises(FinescaleError, match="cloud_area_fraction"):
        rename(ds, ["tas"])


def test_missing_and_unknown_variables_are_told_apart(cmip):
    with pytest.raises(FinescaleError, match=r"no psl \(or msl"):
        rename(cmip("tas"), ["tas", "psl"])
    with pytest.raises(FinescaleError, match="a variable is one of"):
        rename(cmip("tas"), ["zz"])

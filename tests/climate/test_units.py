"""Conversions against pint through xsdba, an independent reader of CF units, and against physics."""

import numpy as np
import pytest
import xarray as xr
import xsdba.units

from finescale.climate.units import conversion, is_amount
from finescale.errors import FinescaleError


@pytest.mark.parametrize(
    ("units", "canonical"),
    [
        ("degC", "K"),
        ("degF", "K"),
        ("hPa", "Pa"),
        ("millibar", "Pa"),
        ("knots", "m s-1"),
        ("km h-1", "m s-1"),
        ("%", "1"),
        ("kg m**-2 s**-1", "kg m-2 s-1"),
        ("m s**-1", "m s-1"),
        ("km", "m"),
    ],
)
def test_plain_conversions_equal_an_independent_one(units, canonical):
    values = np.linspace(-40, 110, 31)
    how = conversion(units, canonical, "x")
    theirs = xsdba.units.convert_units_to(xr.DataArray(values, attrs={"units": units}), canonical)
    np.testing.assert_allclose(how.factor * values + how.offset, theirs.values, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize(
    ("units", "factor"), [("mm/day", 1 / 86400), ("mm s-1", 1.0), ("m s-1", 1000.0), ("mm h-1", 1 / 3600)]
)
def test_a_depth_of_water_is_a_mass(units, factor):
    assert conversion(units, "kg m-2 s-1", "pr").factor == pytest.approx(factor, rel=1e-11)


@pytest.mark.parametrize(("units", "factor"), [("mm", 1 / 3600), ("kg m**-2", 1 / 3600), ("m", 1000 / 3600)])
def test_an_amount_over_an_hour_is_a_flux(units, factor):
    assert is_amount(units, "kg m-2 s-1", "pr")
    assert conversion(units, "kg m-2 s-1", "pr", seconds=3600).factor == pytest.approx(factor, rel=1e-11)


def test_radiation_gathered_in_joules_is_a_flux():
    assert is_amount("J m**-2", "W m-2", "rsds")
    assert conversion("J m**-2", "W m-2", "rsds", seconds=3600).factor == pytest.approx(1 / 3600)


def test_a_geopotential_is_a_height():
    assert conversion("m**2 s**-2", "m", "orog").factor == pytest.approx(1 / 9.80665, rel=1e-11)


def test_a_kelvin_stays_exactly_a_kelvin():
    how = conversion("degC", "K", "tas")
    assert (how.factor, how.offset) == (1.0, 273.15)
    assert conversion("K", "K", "tas").is_identity


@pytest.mark.parametrize(
    ("units", "canonical"), [("%", "K"), ("K", "Pa"), ("m s-1", "K"), ("m2 s-2", "K"), ("Pa", "kg m-2 s-1")]
)
def test_units_of_another_quantity_are_refused(units, canonical):
    with pytest.raises(FinescaleError, match=r"units of v mean what v is"):
        conversion(units, canonical, "v")


@pytest.mark.parametrize("units", ["furlongs per chickpea", "~", "per second per"])
def test_unreadable_units_are_named(units):
    with pytest.raises(FinescaleError, match="units can be read: v has"):
        conversion(units, "K", "v")

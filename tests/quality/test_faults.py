"""Every fault put into clean weather is stopped by the rule that is there for it; the clean weather passes."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.quality.gates import check
from finescale.quality.profile import profile
from finescale.quality.verdicts import GateError

DAY = 24
# Rules between variables need all of them; axes are judged with any, other rules with their own variable alone.
RELATED = {
    "with_pressure": ["psl", "uas", "vas"],
    "above_tasmax": ["tasmin", "tas", "tasmax"],
    "speed": ["uas", "vas"],
}


def change(name: str, how: Callable[[np.ndarray], np.ndarray]) -> Callable[[xr.Dataset], xr.Dataset]:
    def fault(ds: xr.Dataset) -> xr.Dataset:
        values = how(ds[name].values.copy())
        return ds.assign({name: ds[name].copy(data=values)})

    return fault


def put(value: float, *where: object) -> Callable[[np.ndarray], np.ndarray]:
    def how(values: np.ndarray) -> np.ndarray:
        values[where] = value
        return values

    return how


def add(value: float, *where: object) -> Callable[[np.ndarray], np.ndarray]:
    def how(values: np.ndarray) -> np.ndarray:
        values[where] += value
        return values

    return how


def copied(target: slice, source: slice) -> Callable[[np.ndarray], np.ndarray]:
    def how(values: np.ndarray) -> np.ndarray:
        values[target] = values[source]
        return values

    return how


def another_variable(ds: xr.Dataset) -> xr.Dataset:
    """From half of the times on, the wind stands where the temperature was."""
    half = ds.sizes["time"] // 2
    mixed = np.concatenate([ds.tas.values[:half], ds.uas.values[half:]])
    return ds.assign(tas=ds.tas.copy(data=mixed))


def other_humidity(ds: xr.Dataset) -> xr.Dataset:
    """Half of the members hold temperature in degrees Celsius above the others, as kelvin of another place."""
    members = xr.concat([ds[["tas"]], ds[["tas"]] - 70.0, ds[["tas"]] + 0.5], dim="member")
    members["tas"].attrs = ds.tas.attrs
    return members.transpose("member", "time", "lat", "lon")


def duplicated_day(ds: xr.Dataset) -> xr.Dataset:
    return xr.concat([ds.isel(time=slice(0, 10 * DAY)), ds.isel(time=slice(9 * DAY, None))], dim="time")


def cloud_cover(ds: xr.Dataset) -> xr.Dataset:
    """Cloud cover in shares, warmed by a conversion from Celsius: within the limits of temperature."""
    cover = np.clip((ds.tas.values - 278) / 4 + 0.5, 0, 1)
    return ds.assign(tas=ds.tas.copy(data=(273.15 + cover).astype(np.float32)))


def units(name: str, attribute: str) -> Callable[[xr.Dataset], xr.Dataset]:
    def fault(ds: xr.Dataset) -> xr.Dataset:
        ds = ds.copy()
        ds[name].attrs["units"] = attribute
        return ds

    return fault


def at(name: str, metres: float) -> Callable[[xr.Dataset], xr.Dataset]:
    """The field says at which height it lies."""
    return lambda ds: ds.assign({name: ds[name].assign_attrs(height=f"{metres:g} m")})


def undated(ds: xr.Dataset) -> xr.Dataset:
    return ds.assign_coords(time=("time", np.arange(ds.sizes["time"]), {"units": "yyyymmddhh"}))


FAULTS = {
    "degC written as K": (change("tas", lambda v: v - 273.15), "tas", "min"),
    "K written as degC": (units("tas", "degC"), "tas", "max"),
    "hPa written as Pa": (change("psl", lambda v: v / 100), "psl", "min"),
    "mm a day written as kg m-2 s-1": (change("pr", lambda v: v * 86400), "pr", "max"),
    "half the times hold another variable": (another_variable, "tas", "min"),
    "half the runs hold another variable": (other_humidity, "tas", "shift"),
    "unmasked fill value": (change("psl", put(9.97e36, slice(30, 40), 3, 4)), "psl", "max"),
    "one NaN": (change("uas", put(np.nan, 700, 5, 6)), "uas", "nan_loose"),
    "one infinity": (change("tas", put(np.inf, 700, 5, 6)), "tas", "infinite"),
    "a whole field missing": (change("vas", put(np.nan, 700)), "vas", "nan_loose"),
    "a duplicated day": (duplicated_day, "time", "backwards"),
    "a day with the values of another": (
        change("psl", copied(slice(30 * DAY, 31 * DAY), slice(9 * DAY, 10 * DAY))), "psl", "repeated_fields",
    ),
    "a repeated month": (
        change("tas", copied(slice(31 * DAY, 59 * DAY), slice(0, 28 * DAY))), "tas", "repeated_fields",
    ),
    "a repeated time": (lambda ds: ds.isel(time=sorted([*range(100), 50])), "time", "duplicates"),
    "a gap of 9 h": (lambda ds: ds.drop_isel(time=range(500, 508)), "time", "irregular"),
    "time backwards": (lambda ds: ds.isel(time=slice(None, None, -1)), "time", "backwards"),
    "undecodable time": (undated, "time", "decoded"),
    "latitude flipped": (lambda ds: ds.isel(lat=slice(None, None, -1)), "lat", "direction"),
    "latitude flipped, values left": (lambda ds: ds.assign_coords(lat=ds.lat[::-1].values), "lat", "direction"),
    "longitude in 0..360": (lambda ds: ds.assign_coords(lon=ds.lon + 350), "lon", "min"),
    "cloud cover labelled temperature": (cloud_cover, "tas", "edge_share"),
    "a frozen field": (change("tas", copied(slice(101, 104), slice(100, 101))), "tas", "frozen_fields"),
    "a stuck cell": (change("tas", put(280.0, slice(100, 120), 3, 4)), "tas", "stuck_steps"),
    "a constant field": (change("psl", put(101325.0, 77)), "psl", "constant_fields"),
    "negative precipitation": (change("pr", put(-1e-5, 5, 5, 5)), "pr", "min"),
    "tasmin above tasmax": (change("tasmin", add(6.0, 99, 3, 3)), "tasmin", "above_tasmax"),
    "tas above tasmax": (change("tas", add(3.0, 99, 3, 3)), "tas", "above_tasmax"),
    "wind of 200 m/s": (change("vas", put(200.0, 9, 9, 9)), "vas", "max"),
    "strong wind in both directions": (
        lambda ds: change("vas", put(100.0, 9, 9, 9))(change("uas", put(100.0, 9, 9, 9))(ds)), "wind", "speed",
    ),
    "a spike of 40 K": (change("tas", add(40.0, 333, 8, 8)), "tas", "spike"),
    "a step of 40 K": (change("tas", add(40.0, slice(333, None), 8, 8)), "tas", "jump_time"),
    "a cell of another place": (change("tas", add(45.0, slice(None), 8, 8)), "tas", "jump_space"),
    "a wind of the other sign": (change("uas", np.negative), "uas", "with_pressure"),
    "wind components swapped": (
        lambda ds: ds.assign(uas=ds.uas.copy(data=ds.vas.values), vas=ds.vas.copy(data=-ds.uas.values)), "vas",
        "with_pressure",
    ),
    "maps upside down": (
        lambda ds: ds.isel(lat=slice(None, None, -1)).assign_coords(lat=ds.lat.values), "uas", "with_pressure",
    ),
    "wind at the height of a turbine": (at("uas", 100.0), "uas", "height"),
    "temperature of the skin of the Earth": (at("tas", 0.0), "tas", "height"),
    "units of another quantity": (units("uas", "Pa"), "uas", "units_fit"),
    "no units": (units("psl", ""), "psl", "units_fit"),
    "a block of zeros": (change("uas", put(0.0, slice(50, 53), slice(0, 8), slice(0, 8))), "uas", "zero_share"),
    "a standard name of another quantity": (
        lambda ds: ds.assign(tas=ds.tas.assign_attrs(standard_name="cloud_area_fraction")), "tas",
        "standard_name_fits",
    ),
}  # fmt: skip


def test_heights_of_a_mast_and_a_screen_pass(weather):
    named = at("uas", 10.0)(at("tas", 1.5)(weather)).assign_coords(height=2.0)
    check(profile(named), "harmonised")


def test_clean_weather_passes(weather):
    report = check(profile(weather), "harmonised")
    assert report.passed
    assert set(report.rows["status"]) == {"pass", "not applicable"}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_stopped(weather, fault):
    inject, variable, rule = FAULTS[fault]
    broken = inject(weather)
    wanted = RELATED.get(rule, [variable if variable in broken.data_vars else "tas"])
    broken = broken[wanted]
    with pytest.raises(GateError) as stopped:
        check(profile(broken, name="REANALYSIS"), "harmonised")
    failures = stopped.value.report.rows.query("status == 'fail'")
    assert (variable, rule) in set(zip(failures["variable"], failures["rule"], strict=True)), failures
    message = str(stopped.value)
    assert "\n" not in message
    first = failures.iloc[0]
    for part in (
        "REANALYSIS",
        first["variable"],
        first["rule"],
        first["value"],
        first["limit"],
        "params.yaml",
    ):
        assert str(part) in message


def test_missing_chunk_is_stopped(weather, tmp_path):
    store = tmp_path / "weather.zarr"
    weather[["tas", "psl"]].chunk(time=240).to_zarr(store, zarr_format=3, consolidated=False)
    (store / "tas" / "c" / "2" / "0" / "0").unlink()
    ds = xr.open_zarr(store, consolidated=False)
    with pytest.raises(GateError) as stopped:
        check(profile(ds, store=store), "harmonised")
    failures = stopped.value.report.rows.query("status == 'fail' and rule == 'holes'")
    assert list(failures["variable"]) == ["tas"]
    assert list(failures["value"]) == ["1"]


def test_damaged_chunk_is_named(weather, tmp_path):
    store = tmp_path / "weather.zarr"
    weather[["tas", "psl"]].chunk(time=240).to_zarr(store, zarr_format=3, consolidated=False)
    chunk = store / "tas" / "c" / "2" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:1000])
    with pytest.raises(FinescaleError, match=r"data can be read: tas of weather\.zarr between 2001-01-\d\d"):
        profile(xr.open_zarr(store, consolidated=False), name="weather.zarr")


def test_a_read_that_fails_is_named(weather):
    def truncated(block: np.ndarray, block_info: dict) -> np.ndarray:
        if block_info[0]["array-location"][0][0] == 720:
            raise OSError("HDF error: file is truncated")
        return block

    lazy = weather[["tas", "psl"]].chunk(time=240)
    lazy["psl"] = lazy.psl.copy(data=lazy.psl.data.map_blocks(truncated, dtype=np.float32))
    with pytest.raises(FinescaleError, match=r"psl of GCM between 2001-01-\d\d .*HDF error.*fetch it again"):
        profile(lazy, name="GCM")


def test_time_of_year_is_no_shift(weather):
    """Sixty kelvin between winter and summer are a climate, not a fault."""
    warm = weather[["tas"]].assign_coords(time=weather.time + pd.Timedelta(days=181))
    warm["tas"] = warm.tas + 45
    year = xr.concat(
        [weather[["tas"]].isel(time=slice(0, 59 * DAY)), warm.isel(time=slice(0, 62 * DAY))], dim="time"
    )
    rows = profile(year).query("check == 'shift'")
    assert rows["value"].abs().max() == pytest.approx(22.5, abs=5)

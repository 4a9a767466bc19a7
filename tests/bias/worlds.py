"""Small climates with known biases: a reference, its truth in the future, and models that are wrong in known ways."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

UNITS = {"psl": "Pa", "tas": "K", "uas": "m s-1", "vas": "m s-1"}
# mean, annual amplitude, diurnal amplitude, spread of the weather
CLIMATE = {
    "psl": (101325.0, 200.0, 20.0, 800.0),
    "tas": (283.0, 9.0, 3.0, 3.0),
    "uas": (2.0, 1.0, 0.3, 4.0),
    "vas": (0.0, 0.5, 0.2, 4.0),
}
WARMING = {"psl": 0.0, "tas": 2.5, "uas": 0.4, "vas": -0.3}


@dataclass(frozen=True)
class Bias:
    """What a model does wrong: shift and factor in spreads of the weather, factor of the diurnal cycle."""

    shift: float
    spread: float
    diurnal: float


def climate(
    years: int,
    *,
    seed: int,
    first: int = 1981,
    calendar: str = "noleap",
    bias: Bias | None = None,
    warming: float = 0.0,
    mixing: float = 0.6,
    variables: tuple[str, ...] = tuple(UNITS),
    shape: tuple[int, int] = (2, 2),
    per_day: int = 4,
) -> xr.Dataset:
    """Weather [time, lat, lon]: cycles plus skewed noise that is joined between the variables by ``mixing``.

    Two models of the same seed have the same noise, so biases are known value by value.
    """
    bias = bias or Bias(0.0, 1.0, 1.0)
    rng = np.random.default_rng(seed)
    days = 360 if calendar == "360_day" else 365
    end = f"{first + years - 1}-12-30T18" if calendar == "360_day" else f"{first + years - 1}-12-31T18"
    step = 24 // per_day
    time = xr.date_range(
        f"{first}-01-01", end, freq=f"{step}h", calendar=calendar, use_cftime=calendar != "standard"
    )
    clock = xr.DataArray(time, dims="time").dt
    phase = 2 * np.pi * (clock.dayofyear.values - 0.5) / (days if calendar != "standard" else 365.25)
    hour = 2 * np.pi * (clock.hour.values - 15) / 24
    noise = rng.standard_normal((len(UNITS), time.size, *shape))
    common = rng.standard_normal((time.size, *shape))
    ds = xr.Dataset(
        coords={"time": time, "lat": 40.0 + np.arange(shape[0]), "lon": 5.0 + np.arange(shape[1])}
    )
    for k, (name, (mean, annual, diurnal, spread)) in enumerate(CLIMATE.items()):
        weather = mixing * common * (-1) ** k + np.sqrt(1 - mixing**2) * noise[k]
        weather = weather + 0.15 * (weather**2 - 1)
        cycles = -annual * np.cos(phase) + bias.diurnal * diurnal * np.cos(hour)
        values = (
            mean
            + warming * WARMING[name]
            + (cycles[:, None, None] + spread * (bias.shift + bias.spread * weather))
        )
        if name in variables:
            ds[name] = (("time", "lat", "lon"), values, {"units": UNITS[name]})
    return ds

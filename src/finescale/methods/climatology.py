"""The mean course of the year and the day, fitted to a series by least squares."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.grid.clock import year_fraction
from finescale.grid.grid import Grid

BLOCK = 2000  # times in memory at once
FEWEST = 10  # samples that each coefficient needs


def fit(ds: xr.Dataset, *, harmonics: int) -> xr.Dataset:
    """Fit, for each cell and each hour of the day that occurs, a mean and some waves of the year.

    Args:
        ds: Fields ``[time, lat, lon]``; read block by block.
        harmonics: Waves of the year; 0 for a constant.

    Returns:
        Coefficients ``[hour, wave, lat, lon]`` for each field; wave 0 is the mean, then cosine and sine pairs.
    """
    clock = ds["time"].dt.hour.values
    hours = np.unique(clock)
    basis = waves(year_fraction(ds["time"]), harmonics)
    fewest = min(int((clock == h).sum()) for h in hours)
    if fewest < FEWEST * basis.shape[1]:
        raise FinescaleError(
            f"a climatology with {harmonics} waves needs {FEWEST * basis.shape[1]} days: found {fewest}; "
            "lengthen the training period or lower `harmonics`"
        )
    gram = np.stack([basis[clock == h].T @ basis[clock == h] for h in hours])
    fields = {}
    for name, field in ds.data_vars.items():
        moment = np.zeros((len(hours), basis.shape[1], *field.shape[1:]))
        for start in range(0, len(clock), BLOCK):
            part = slice(start, start + BLOCK)
            values = field.isel(time=part).values.astype(np.float64)
            for k, hour in enumerate(hours):
                mine = clock[part] == hour
                moment[k] += np.tensordot(basis[part][mine], values[mine], axes=(0, 0))
        solved = np.linalg.solve(gram, moment.reshape(*moment.shape[:2], -1)).reshape(moment.shape)
        fields[name] = (("hour", "wave", "lat", "lon"), solved, field.attrs)
    return xr.Dataset(fields, coords={"hour": hours, **Grid.from_dataset(ds).coords()})


def at(climatology: xr.Dataset, time: xr.DataArray) -> xr.Dataset:
    """The climatology at some times ``[time, lat, lon]``, lazily block by block where the grid is large."""
    hours = time.dt.hour.values
    known = climatology["hour"].values
    if unknown := sorted(set(hours.tolist()) - set(known.tolist())):
        raise FinescaleError(
            f"the climatology must know every hour of day: {unknown} did not occur in training, only {known.tolist()}"
        )
    basis = xr.DataArray(
        waves(year_fraction(time), (climatology.sizes["wave"] - 1) // 2),
        dims=("time", "wave"),
        coords={"time": time},
    ).chunk(time=BLOCK)
    rows = xr.DataArray(np.searchsorted(known, hours), dims="time", coords={"time": time}).chunk(time=BLOCK)
    fields = {}
    for name, table in climatology.data_vars.items():
        fields[name] = xr.apply_ufunc(
            lambda row, wave, c: np.einsum("tw,twyx->tyx", wave, c[row]),
            rows,
            basis,
            table.variable,
            input_core_dims=[[], ["wave"], ["hour", "wave", "lat", "lon"]],
            output_core_dims=[["lat", "lon"]],
            dask="parallelized",
            output_dtypes=[np.float64],
            dask_gufunc_kwargs={"output_sizes": {d: climatology.sizes[d] for d in ("lat", "lon")}},
        ).assign_attrs(table.attrs)
    return xr.Dataset(fields).assign_coords(lat=climatology["lat"], lon=climatology["lon"], time=time)


def waves(fraction: NDArray[np.float64], harmonics: int) -> NDArray[np.float64]:
    """One, and cosine and sine of each harmonic of the year, at fractions of the year: ``[time, wave]``."""
    angle = 2 * np.pi * fraction[:, None] * np.arange(1, harmonics + 1)
    pairs = np.stack([np.cos(angle), np.sin(angle)], axis=2).reshape(len(fraction), -1)
    return np.concatenate([np.ones((len(fraction), 1)), pairs], axis=1)

"""Latitude and longitude as the gates see them: direction, range, repeated and uneven places."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Values = NDArray[np.float64]
NAMES = {"lat": ("lat", "latitude", "rlat"), "lon": ("lon", "longitude", "rlon")}


def read(ds: xr.Dataset) -> dict[str, dict[str, float]]:
    """Describe the horizontal axes.

    Returns:
        `lat` and `lon` (those that lie along a dimension of their own) -> check -> value: `direction` (1 ascends,
        -1 descends, 0 neither), `min`, `max`, `extent` [degrees], `missing` (count of NaN), `spacing` (median
        step, degrees), `unevenness` (largest over smallest step).
    """
    found = {axis: _values(ds, names) for axis, names in NAMES.items()}
    return {axis: _describe(values) for axis, values in found.items() if values is not None}


def degrees(ds: xr.Dataset) -> tuple[Values | None, Values | None]:
    """Return true latitudes and longitudes where each lies along a dimension of its own."""
    return _values(ds, NAMES["lat"][:2]), _values(ds, NAMES["lon"][:2])


def _values(ds: xr.Dataset, names: tuple[str, ...]) -> Values | None:
    name = next((n for n in names if n in ds.coords and ds[n].dims == (n,)), None)
    return None if name is None else np.asarray(ds[name].values, dtype=float)


def _describe(values: Values) -> dict[str, float]:
    steps = np.diff(values)
    facts = {
        "min": float(values.min()),
        "max": float(values.max()),
        "extent": float(values.max() - values.min()),
        "missing": float(np.count_nonzero(np.isnan(values))),
    }
    if steps.size:
        facts["direction"] = 1.0 if np.all(steps > 0) else -1.0 if np.all(steps < 0) else 0.0
        facts["spacing"] = float(np.median(np.abs(steps)))
        smallest = float(np.abs(steps).min())
        facts["unevenness"] = (
            float(np.abs(steps).max()) / smallest if smallest > 0 else float(np.finfo(np.float64).max)
        )
    return facts

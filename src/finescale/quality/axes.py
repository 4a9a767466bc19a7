"""Latitude and longitude as the gates see them: direction, range, repeated and uneven places."""

from __future__ import annotations

import numpy as np
import xarray as xr

NAMES = {"lat": ("lat", "latitude", "rlat"), "lon": ("lon", "longitude", "rlon")}


def read(ds: xr.Dataset) -> dict[str, dict[str, float]]:
    """Describe the horizontal axes.

    Returns:
        `lat` and `lon` (those that lie along a dimension of their own) -> check -> value: `direction` (1 ascends,
        -1 descends, 0 neither), `min`, `max` [degrees], `missing` (count of NaN), `spacing` (median step,
        degrees), `unevenness` (largest over smallest step).
    """
    found: dict[str, dict[str, float]] = {}
    for axis, names in NAMES.items():
        name = next((n for n in names if n in ds.coords and ds[n].dims == (n,)), None)
        if name is not None:
            found[axis] = _describe(np.asarray(ds[name].values, dtype=float))
    return found


def _describe(values: np.ndarray) -> dict[str, float]:
    steps = np.diff(values)
    facts = {
        "min": float(values.min()),
        "max": float(values.max()),
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

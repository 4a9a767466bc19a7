"""The arrays of a Gaussian climate: their names and dimensions, and how they lie in a Dataset."""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.prior.climatology import Harmonics

Arrays = dict[str, NDArray[Any]]
SCALING = ("variables", "centre", "scale")

TENSORS: dict[str, tuple[str, ...]] = {
    "coefficients": ("harmonic", "variable", "row", "column"),
    "patterns": ("pattern", "wave"),
    "owner": ("pattern",),
    "edges": ("edge",),
    "rotation": ("pattern", "eof"),
    "variance": ("eof",),
    "phi": ("eof", "lag"),
    "residual_variance": ("group",),
    "residual_phi": ("group", "lag"),
    "mask": ("variable", "row", "column"),
    "cross": ("joint_lag", "lead", "lead_before"),
    "trust": ("share",),
    "radius": ("share",),
    "season": ("annual", "variable"),
    "wander": ("variable",),
}


def plain(harmonics: Harmonics, channels: int) -> Arrays:
    """What a climate has that knows nothing of how its EOFs depend on one another, and the same size always."""
    sizes = {"season": np.zeros((1 + 2 * harmonics.annual, channels)), "wander": np.zeros(channels)}
    return {"cross": np.zeros((0, 0, 0)), "trust": np.ones(1), "radius": np.full(1, np.inf), **sizes}


def packed(metadata: dict[str, Any], arrays: Arrays) -> xr.Dataset:
    """A Dataset for Zarr or netCDF."""
    scaling = {f"scaling_{key}": value for key, value in metadata["scaling"].items()}
    data: dict[str, Any] = {name: (TENSORS[name], value) for name, value in arrays.items()}
    data["mask"] = (TENSORS["mask"], arrays["mask"].astype(np.int8))
    return xr.Dataset(data, attrs={k: v for k, v in metadata.items() if k != "scaling"} | scaling)


def unpacked(ds: xr.Dataset) -> tuple[dict[str, Any], Arrays]:
    """The inverse of ``packed``."""
    arrays = {name: ds[name].values for name in TENSORS if name in ds}
    scaling = {n: np.atleast_1d(ds.attrs[f"scaling_{n}"]).tolist() for n in SCALING}
    meta = dict(ds.attrs) | {"scaling": scaling | {"kind": ds.attrs["scaling_kind"]}}
    return meta, arrays | {"mask": arrays["mask"].astype(bool)}

"""From a training period to the arrays of a Gaussian climate, in three streaming passes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.fields.axis import segments
from finescale.fields.context import clock
from finescale.fields.pack import blocks
from finescale.fields.scaling import Scaling
from finescale.prior import autoregression, climatology, eofs
from finescale.prior.bands import Bands, band_edges
from finescale.prior.climatology import Harmonics
from finescale.prior.joint import TOGETHER, possible
from finescale.prior.sizes import Sizes

_BLOCK = 256

# The arrays of a Gaussian climate and their dimensions in a Dataset.
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
    "season": ("annual", "variable"),
    "wander": ("variable",),
}


def plain(harmonics: Harmonics, channels: int) -> dict[str, NDArray[Any]]:
    """What a climate has that knows nothing of how its EOFs depend on one another, and the same size always."""
    sizes = {"season": np.zeros((1 + 2 * harmonics.annual, channels)), "wander": np.zeros(channels)}
    return {"cross": np.zeros((0, 0, 0)), "trust": np.ones(1), **sizes}


def fit_arrays(
    ds: xr.Dataset,
    scaling: Scaling,
    *,
    modes: int,
    order: int,
    joint: int,
    harmonics: Harmonics,
    sketch_every: int,
) -> tuple[Harmonics, dict[str, NDArray[Any]]]:
    """The identifiable harmonics and the arrays named in ``GaussianClimate``; arguments as in its ``fit``."""
    frames = ds.sizes["time"]
    if frames < 4 * (order + 1):
        raise FinescaleError(
            f"a Gaussian climate of order {order} needs {4 * (order + 1)} frames: the period has {frames}; "
            "widen it or lower the order"
        )
    basis = climatology.identifiable(ds, harmonics)
    coefficients, mask = climatology.fit(ds, scaling, basis)
    phases = torch.from_numpy(clock(ds["time"]))
    flat, channels = coefficients.reshape(basis.size, -1), len(scaling.variables)
    to_waves, sizes = Bands(*mask.shape[1:]), Sizes(phases, basis, mask)

    def anomalies(every: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        for start, block in blocks(ds, scaling.variables, _BLOCK, every):
            rows = phases[start : start + _BLOCK : every]
            mean = (basis(rows).numpy().astype(np.float32) @ flat).reshape(block.shape)
            a = np.where(mask, scaling.apply(block) - mean, 0).astype(np.float32)
            sizes.see(slice(start, start + _BLOCK, every), a)
            yield start, to_waves(torch.from_numpy(a)).numpy()

    edges = band_edges(*mask.shape[1:])
    found = eofs.find_patterns(anomalies, channels, edges, modes, every=sketch_every)
    season = sizes.season()
    moments = eofs.measure(anomalies, found, channels, order, segments(ds["time"]))
    lead = min(joint, len(found.owner)) if order >= 2 else 0
    near = (part[: TOGETHER + 1, :lead, :lead] for part in (moments.lagged, moments.sure))
    cross = possible(*near) if lead else np.zeros((0, 0, 0))
    own: dict[str, NDArray[Any]] = {"coefficients": coefficients, "cross": cross}
    own |= {"season": season, "wander": sizes.wander()}
    return basis, plain(basis, channels) | _arrays(moments, found, mask) | own


def _arrays(moments: eofs.Moments, found: eofs.Patterns, mask: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    phi, _ = autoregression.levinson(moments.autocovariance)
    free = np.array([g.free for g in eofs.groups_of(found.owner, found.edges, len(mask))])
    # Where the EOFs explain all, rounding must not leave a negative variance.
    floor = 1e-9 * moments.autocovariance[:, 0].max()
    residual = moments.residual / np.maximum(free, 1)[:, None]
    residual[:, 0] = np.maximum(residual[:, 0], floor / mask[0].size)
    residual_phi, _ = autoregression.levinson(residual)
    return {
        "patterns": found.fields,
        "owner": found.owner,
        "edges": np.array(found.edges),
        "rotation": moments.rotation,
        "variance": np.maximum(moments.autocovariance[:, 0], floor),
        "phi": phi,
        "residual_variance": residual[:, 0],
        "residual_phi": residual_phi,
        "mask": mask,
    }

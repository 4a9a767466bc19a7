"""From a training period to the arrays of a Gaussian climate, in three streaming passes."""

import math
from collections.abc import Iterator

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.fields.context import clock
from finescale.fields.pack import blocks
from finescale.fields.scaling import Scaling
from finescale.prior import autoregression, climatology, eofs
from finescale.prior.arrays import Arrays, plain
from finescale.prior.bands import Bands, band_edges
from finescale.prior.climatology import Harmonics
from finescale.prior.joint import TOGETHER, possible
from finescale.prior.locality import Locality
from finescale.prior.sizes import Sizes

_BLOCK = 256


def fit_arrays(
    ds: xr.Dataset,
    scaling: Scaling,
    *,
    modes: int,
    order: int,
    joint: int,
    harmonics: Harmonics,
    sketch_every: int,
    radius: float = math.inf,
) -> Arrays:
    """The arrays named in ``GaussianClimate``; arguments as in its ``fit``, with harmonics that can be told apart.

    A finite radius, in kilometres, takes covariances towards zero with distance; see ``locality``.
    """
    frames = ds.sizes["time"]
    if frames < 4 * (order + 1):
        raise FinescaleError(
            f"a Gaussian climate of order {order} needs {4 * (order + 1)} frames: the period has {frames}; "
            "widen it or lower the order"
        )
    coefficients, mask = climatology.fit(ds, scaling, harmonics)
    phases = torch.from_numpy(clock(ds["time"]))
    flat, channels = coefficients.reshape(harmonics.size, -1), len(scaling.variables)
    to_waves, sizes, local = Bands(*mask.shape[1:]), Sizes(phases, harmonics, mask), Locality.of(ds, radius)

    def anomalies(every: int) -> Iterator[NDArray[np.float32]]:
        for wave in local.waves:
            for start, block in blocks(ds, scaling.variables, _BLOCK, every):
                rows = phases[start : start + _BLOCK : every]
                mean = (harmonics(rows).numpy().astype(np.float32) @ flat).reshape(block.shape)
                a = np.where(mask, scaling.apply(block) - mean, 0).astype(np.float32)
                sizes.see(slice(start, start + _BLOCK, every), a)
                yield to_waves(torch.from_numpy(a * wave)).numpy()

    edges = band_edges(*mask.shape[1:])
    found = eofs.find_patterns(anomalies, channels, edges, modes, every=sketch_every)
    season = sizes.season()
    moments = eofs.measure(anomalies, found, channels, order, local.segments(ds["time"]))
    lead = min(joint, len(found.owner)) if order >= 2 else 0
    near = (part[: TOGETHER + 1, :lead, :lead] for part in (moments.lagged, moments.sure))
    cross = possible(*near) if lead else np.zeros((0, 0, 0))
    own: Arrays = {"coefficients": coefficients, "cross": cross}
    own |= {"season": season, "wander": sizes.wander(), "radius": np.full(1, radius)}
    return plain(harmonics, channels) | _arrays(moments, found, mask) | own


def _arrays(moments: eofs.Moments, found: eofs.Patterns, mask: NDArray[np.bool_]) -> Arrays:
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

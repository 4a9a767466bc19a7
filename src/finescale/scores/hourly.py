"""One pass over an ensemble: every hour of one variable becomes a handful of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.grid.coarsening import Coarsening
from finescale.scores import checks, ensemble, exceedance, spectrum, steps, vectors
from finescale.scores.bootstrap import Means
from finescale.scores.traces import Pair, Traces

Data = TypeVar("Data", xr.Dataset, xr.DataArray)
HELD_BYTES = 512 * 2**20  # what is no larger is read once and kept; the scores read an ensemble several times
BLOCK_BYTES = 32 * 2**20  # of one float64 copy of a block; a dozen copies live at a time


@dataclass(frozen=True)
class Hourly:
    """What is left of one variable after the pass.

    Attributes:
        regional: Statistics [T, R, ...] of the regions.
        whole: Statistics [T, ...] of the whole domain.
        distances: Squared distances between truth and members in standard deviations of the truth, [T, M+1, M+1].
        average: Mean ranks of truth and members [T, M + 1].
        depth: Band depths of truth and members [T, M + 1].
        points: Series of members and truth at a few cells, [M, T, P] and [T, P].
        clouds: Projections of members and truth in standard deviations of the truth, [M, T, D] and [T, D].
    """

    regional: Means
    whole: Means
    distances: NDArray[np.float64]
    average: NDArray[np.float64]
    depth: NDArray[np.float64]
    points: Pair
    clouds: Pair


def reduce(
    x: xr.DataArray,
    o: xr.DataArray,
    coarsening: Coarsening,
    weights: NDArray[np.float64],
    *,
    seed: int,
    threads: int,
) -> Hourly:
    """Read one variable block by block.

    Args:
        x: Members [member, time, lat, lon].
        o: Truth [time, lat, lon].
        coarsening: The operator H, for the grid and the edges of its cells.
        weights: Weights of the regions [R, lat, lon], the whole domain first.
        seed: Seed of broken ties.
        threads: Threads used.
    """
    name = str(x.name)
    radial = spectrum.Radial.of(coarsening.fine)
    seams = steps.seam_masks(*coarsening.fine.shape, coarsening.coarse.shape)
    limits = exceedance.thresholds(o)
    traces = Traces(coarsening.fine.shape)
    regional: list[Means] = []
    whole: list[Means] = []
    for block in blocks(x):
        values = checks.whole(x.isel(time=block).to_numpy(), name, "ensemble")
        truth = checks.whole(o.isel(time=block).to_numpy(), name, "truth")
        regional.append(
            ensemble.hourly_statistics(
                values, truth, weights, seed=seed, variable=name, first_hour=block.start, threads=threads
            )
            | exceedance.hourly_exceedance(values, truth, limits, weights, threads=threads)
        )
        whole.append(
            spectrum.hourly_power(values, truth, radial)
            | steps.hourly_steps(values, truth, seams)
            | traces.add(values, truth)
            | vectors.preranks(values, truth, weights[0], threads=threads)
            | {
                "variogram": vectors.variogram_score(values, truth, threads=threads),
                "distances": vectors.squared_distances(values, truth, weights[0], threads=threads),
                "moments": np.stack(
                    [(truth.astype(np.float64) ** k * weights[0]).sum(axis=(1, 2)) for k in (1, 2)]
                ),
            }
        )
    return _joined(regional, whole, traces, seed)


def joint(parts: list[Hourly], seed: int) -> Means:
    """Score all variables as one vector, each in standard deviations of the truth.

    Args:
        parts: The variables.
        seed: Seed of broken ties.

    Returns:
        `energy` [T], `average` and `depth` [T, M + 1].
    """
    return {
        "energy": vectors.energy_score(np.sum([p.distances for p in parts], axis=0)),
        "average": vectors.field_ranks(np.sum([p.average for p in parts], axis=0), seed),
        "depth": vectors.field_ranks(np.sum([p.depth for p in parts], axis=0), seed),
    }


def held(data: Data) -> Data:
    """Read data into memory where they are small enough; larger ones stay lazy and are read block by block."""
    return data.load() if data.nbytes <= HELD_BYTES else data


def blocks(x: xr.DataArray) -> Iterator[slice]:
    """Cut the hours so that a block of all members fits; all but the last have two or more, for steps in time."""
    hour = 8 * x.sizes["lat"] * x.sizes["lon"] * x.sizes["member"]
    step = max(2, min(x.sizes["time"], BLOCK_BYTES // hour))
    for start in range(0, x.sizes["time"], step):
        yield slice(start, min(start + step, x.sizes["time"]))


def _joined(regional: list[Means], whole: list[Means], traces: Traces, seed: int) -> Hourly:
    moments = np.concatenate([part.pop("moments") for part in whole], axis=1).mean(axis=1)
    variance = float(moments[1] - moments[0] ** 2)
    everything = {key: np.concatenate([part[key] for part in whole]) for key in whole[0]}
    distances, average, depth = (everything.pop(key) for key in ("distances", "average", "depth"))
    everything["energy"] = vectors.energy_score(distances)
    everything["average"] = vectors.field_ranks(average, seed)
    everything["depth"] = vectors.field_ranks(depth, seed)
    return Hourly(
        regional={key: np.concatenate([part[key] for part in regional]) for key in regional[0]},
        whole=everything,
        # A truth that does not vary has no unit to measure distances in; it adds nothing to the joint score.
        distances=distances / variance if variance > 0 else np.zeros_like(distances),
        average=average,
        depth=depth,
        points=traces.points(),
        clouds=traces.clouds(float(np.sqrt(variance)) or 1.0),
    )

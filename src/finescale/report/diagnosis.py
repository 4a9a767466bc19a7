"""What the figures need beyond the scorecard, gathered in one pass over each ensemble."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.grid.grid import Grid
from finescale.report.case import Case
from finescale.scores import ensemble, exceedance, extremes, series, spectrum, vectors
from finescale.scores.hourly import blocks, held

BLOCK_BYTES = 96 * 2**20
LEVEL = 0.9


@dataclass(frozen=True)
class Diagnosis:
    """One variable of one method in one case.

    Attributes:
        members: How many members there are.
        ranks: Frequency of each rank of the truth [M + 1].
        depths: Band depths of truth and members as whole fields, hour by hour, the truth first [T, M + 1].
        power: Power of the members by ring [K].
        true_power: Power of the truth by ring [K].
        wavelength: Wavelength of each ring [K], km.
        p99: 99th percentile over time, averaged over members [lat, lon].
        true_p99: That of the truth [lat, lon].
        reliability: Weights of the forecasts with k members above the 90th percentile, and of those where the
            truth was above it as well [2, M + 1].
        temporal: Power of the members at points by frequency of 1/48 to 1/2 per hour [F]; empty below two days.
        true_temporal: That of the truth [F].
    """

    members: int
    ranks: NDArray[np.float64]
    depths: NDArray[np.float64]
    power: NDArray[np.float64]
    true_power: NDArray[np.float64]
    wavelength: NDArray[np.float64]
    p99: NDArray[np.float64]
    true_p99: NDArray[np.float64]
    reliability: NDArray[np.float64]
    temporal: NDArray[np.float64]
    true_temporal: NDArray[np.float64]


def diagnose(case: Case, method: str, name: str, *, seed: int = 0) -> Diagnosis:
    """Read one ensemble once in time and once in space.

    Args:
        case: The case.
        method: The method whose ensemble is read.
        name: The variable.
        seed: Seed of broken ties between ranks.
    """
    x = held(case.ensembles[method][name].transpose("member", "time", "lat", "lon"))
    o = held(case.truth[name].transpose("time", "lat", "lon"))
    grid = Grid.from_dataset(case.truth)
    radial = spectrum.Radial.of(grid)
    ranks = np.zeros(x.sizes["member"] + 1)
    sure = np.zeros((2, ranks.size))
    depths: list[NDArray[np.float64]] = []
    limit = percentile(o, LEVEL)
    cells = series.point_cells(grid.shape)
    points: list[tuple[NDArray[np.floating], NDArray[np.floating]]] = []
    power = {key: np.zeros(radial.wavelength.size) for key in ("power", "true_power")}
    for block in blocks(x):
        values, truth = x.isel(time=block).to_numpy(), o.isel(time=block).to_numpy()
        found = ensemble.hourly_statistics(
            values, truth, grid.area[None], seed=seed, variable=name, first_hour=block.start
        )
        ranks += found["ranks"][:, 0].sum(axis=0)
        depths.append(vectors.preranks(values, truth, grid.area)["depth"])
        sure += exceedance.reliability(values, truth, limit, grid.area)
        points.append(
            (values.reshape(*values.shape[:2], -1)[..., cells], truth.reshape(len(truth), -1)[:, cells])
        )
        for key, each in spectrum.hourly_power(values, truth, radial).items():
            power[key] += each.sum(axis=0)
    hours = x.sizes["time"]
    return Diagnosis(
        members=x.sizes["member"],
        ranks=ranks / hours,
        depths=np.concatenate(depths),
        power=power["power"] / hours,
        true_power=power["true_power"] / hours,
        wavelength=radial.wavelength,
        p99=np.mean([percentile(x.isel(member=m)) for m in range(x.sizes["member"])], axis=0),
        true_p99=percentile(o),
        reliability=sure,
        temporal=_temporal(np.concatenate([p[0] for p in points], axis=1)),
        true_temporal=_temporal(np.concatenate([p[1] for p in points], axis=0)),
    )


def percentile(series: xr.DataArray, q: float = extremes.P99) -> NDArray[np.float64]:
    """Give a percentile over time of each cell [lat, lon], reading bands of rows that fit in memory."""
    hours = series.sizes["time"]
    rows = max(1, BLOCK_BYTES // (8 * hours * series.sizes["lon"]))
    bands = [
        np.quantile(series.isel(lat=slice(a, a + rows)).to_numpy(), q, axis=0)
        for a in range(0, series.sizes["lat"], rows)
    ]
    return np.concatenate(bands)


def _temporal(values: NDArray[np.floating]) -> NDArray[np.float64]:
    power = series.periodograms(values)
    return np.asarray(power.mean(axis=0)) if len(power) else np.empty(0)

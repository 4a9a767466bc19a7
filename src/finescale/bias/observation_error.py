"""How far a corrected coarse field may lie from the truth that it stands for: the covariance R of an observation.

A product of the same days (an analysis, a forecast) is compared day by day: R is the covariance of its errors.

A free-running climate model has no days to compare, only laws. What can be known is how far the corrected law still
lies from the reference's in years that the correction has not seen. The variance given is the squared Wasserstein-2
distance between the two (the least mean square error by which one law can be turned into the other), less what chance
puts there (between two halves of the reference, and in a map of half the years), and the variance of the map itself is
added. The weather of the model may be further off; more cannot be had without days to compare.

The covariance between variables follows the differences between the corrections of the two halves.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from finescale.bias.compiled import Floats
from finescale.bias.correction import fit
from finescale.bias.grouping import Grouping
from finescale.bias.plan import Options
from finescale.bias.series import in_units, select_period
from finescale.errors import FinescaleError

# Share of the error of a free-running model that lasts and reaches as its weather does. A map of values errs so, what
# its fields have that no weather has does not, and no data tell how much is which: half.
LIKE_WEATHER = 0.5
MONTHS = Grouping("month")
FORTNIGHT = 14
PROBABILITIES = np.linspace(0.005, 0.995, 100)


def paired(reference: xr.Dataset, product: xr.Dataset) -> xr.Dataset:
    """R of a product of the same days.

    Args:
        reference: the coarsened truth [time, lat, lon].
        product: the corrected product, same times and cells.

    Returns:
        ``R`` [variable, variable_] in the product of the variables' units, and the mean error ``bias`` [variable].
    """
    names = [str(v) for v in product.data_vars if v in reference.data_vars]
    for name in names:
        if not np.array_equal(reference[name].time.values, product[name].time.values):
            raise FinescaleError(
                f"errors are taken day by day: {name} of the product has other times than the reference; "
                "select common times, or use unpaired() for a free-running model"
            )
    errors = np.stack(
        [(product[n] - reference[n].assign_coords(product[n].coords)).to_numpy().ravel() for n in names]
    )
    errors = errors[:, ~np.isnan(errors).any(axis=0)]
    covariance = np.cov(errors.astype(np.float64))
    out = _dataset(names, covariance.reshape(len(names), len(names)), "errors of the same days")
    return out.assign(bias=("variable", errors.mean(axis=1)))


def unpaired(
    reference: xr.Dataset,
    historical: xr.Dataset,
    *,
    calibration: tuple[str, str] | None = None,
    options: Options | None = None,
    **settings: Any,  # noqa: ANN401 - those of correction.fit
) -> xr.Dataset:
    """R of a free-running model, by corrections fitted to the even and to the odd years.

    Of a single year the even and odd fortnights are taken, which gives the order of magnitude and no more.

    Args:
        reference: the coarsened truth [time, lat, lon].
        historical: the model's historical run on the same cells.
        calibration: first and last day (or year); everything when None.
        options: as for the correction itself; maps of half the years may lose structure, they are only compared.
        settings: others of ``correction.fit``, as for the correction itself.

    Returns:
        ``R`` [variable, variable_] in the product of the variables' units; the squared ``distance`` of the laws and the
        part of it that is ``chance`` [variable].
    """
    halves = [(_half(reference, calibration, k), _half(historical, calibration, k)) for k in (0, 1)]
    loose = replace(options or Options(), keep_structure=False)
    corrections = [fit(truth, model, options=loose, **settings) for truth, model in halves]
    units = corrections[0].plan.units
    names = list(units)
    seen = [corrections[k].apply(halves[k][1]) for k in (0, 1)]
    unseen = [corrections[1 - k].apply(halves[k][1]) for k in (0, 1)]
    apart = np.concatenate([_flat(unseen[k], names) - _flat(seen[k], names) for k in (0, 1)], axis=1)
    apart = apart[:, ~np.isnan(apart).any(axis=0)]
    truth = [{n: in_units(half[0][n], n, units[n], "reference") for n in names} for half in halves]
    distance = np.asarray([np.mean([_distance(truth[k][n], unseen[k][n]) for k in (0, 1)]) for n in names])
    chance = np.asarray([_distance(truth[0][n], truth[1][n]) for n in names])
    # Two maps of half the years differ by twice the variance of one, and the map of all years has half of that.
    spread = np.sqrt(np.mean(apart**2, axis=1))
    scale = np.sqrt(np.maximum(distance - chance - spread**2 / 2.0, 0.0) + spread**2 / 4.0)
    size = np.maximum(spread, np.finfo(np.float64).tiny)
    related = (apart / size[:, None]) @ (apart / size[:, None]).T / apart.shape[1]
    np.fill_diagonal(related, 1.0)
    what = "laws of years not seen in the calibration"
    out = _dataset(names, related * np.outer(scale, scale), what)
    return out.assign(distance=("variable", distance), chance=("variable", chance))


def _flat(ds: xr.Dataset, names: list[str]) -> Floats:
    """Values of each variable in a row [variable, value]."""
    return np.stack([ds[n].to_numpy().ravel() for n in names]).astype(np.float64)


def _half(ds: xr.Dataset, calibration: tuple[str, str] | None, which: int) -> xr.Dataset:
    """The even (0) or odd (1) years of the calibration; of a single year the even or odd fortnights."""
    ds = select_period(ds, calibration, "data")
    years = np.asarray(ds.time.dt.year)
    parity = years % 2 if np.ptp(years) else np.asarray(ds.time.dt.dayofyear) // FORTNIGHT % 2
    chosen = np.flatnonzero(parity == which)
    if chosen.size == 0:
        raise FinescaleError(
            "an error covariance needs two halves of the calibration: it has less than a month; give at least a year"
        )
    return ds.isel(time=chosen)


def _distance(truth: xr.DataArray, model: xr.DataArray) -> float:
    """Squared Wasserstein-2 distance of the laws in each cell, month and hour, on average."""
    hours = MONTHS.hour_classes(model.time)
    groups = [MONTHS.index(side.time, hours).group for side in (truth, model)]
    flat = [
        s.transpose("time", *model.dims[1:]).to_numpy().reshape(s.sizes["time"], -1) for s in (truth, model)
    ]
    squares = []
    for g in np.intersect1d(groups[0], groups[1]):
        laws = [
            np.quantile(x[k == g].astype(np.float64), PROBABILITIES, axis=0)
            for x, k in zip(flat, groups, strict=True)
        ]
        a, b = laws
        squares.append(np.nanmean((a - b) ** 2))
    return float(np.mean(squares))


def _dataset(names: list[str], covariance: Floats, what: str) -> xr.Dataset:
    return xr.Dataset(
        {"R": (("variable", "variable_"), covariance, {"long_name": f"error covariance: {what}"})},
        coords={"variable": names, "variable_": names},
    )

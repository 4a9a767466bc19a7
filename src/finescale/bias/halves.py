"""A correction judged on years that it has not seen: fitted to every other year and applied to the rest."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from finescale.bias.correction import fit
from finescale.bias.plan import Options
from finescale.bias.series import in_units, select_period
from finescale.errors import FinescaleError

FORTNIGHT = 14


@dataclass(frozen=True)
class Halves:
    """Even and odd years of the calibration, corrected by their own map and by that of the other half.

    Attributes:
        truth: the reference in the units of the fit, by half.
        seen: the model, mapped by the fit to the same half.
        unseen: the model, mapped by the fit to the other half.
    """

    truth: tuple[xr.Dataset, xr.Dataset]
    seen: tuple[xr.Dataset, xr.Dataset]
    unseen: tuple[xr.Dataset, xr.Dataset]

    @property
    def names(self) -> list[str]:
        """The variables."""
        return [str(name) for name in self.truth[0].data_vars]

    @property
    def run(self) -> xr.Dataset:
        """All years, each corrected without having been seen."""
        return xr.concat(self.unseen, "time").sortby("time")


def halved(
    reference: xr.Dataset,
    historical: xr.Dataset,
    *,
    calibration: tuple[str, str] | None = None,
    options: Options | None = None,
    **settings: Any,  # noqa: ANN401 - those of correction.fit
) -> Halves:
    """Fit a correction to the even and to the odd years, and apply each to both.

    Of a single year the even and odd fortnights are taken, which gives the order of magnitude and no more.

    Args:
        reference: the coarsened truth [time, lat, lon].
        historical: the model's historical run on the same cells.
        calibration: first and last day (or year); everything when None.
        options: as for the correction itself; maps of half the years may lose structure, they are only compared.
        settings: others of ``correction.fit``, as for the correction itself.
    """
    sides = [(_half(reference, calibration, k), _half(historical, calibration, k)) for k in (0, 1)]
    loose = replace(options or Options(), keep_structure=False)
    maps = [fit(truth, model, options=loose, **settings) for truth, model in sides]
    units = maps[0].plan.units

    def true(k: int) -> xr.Dataset:
        return xr.Dataset({n: in_units(sides[k][0][n], n, units[n], "reference") for n in units})

    return Halves(
        truth=(true(0), true(1)),
        seen=(maps[0].apply(sides[0][1]), maps[1].apply(sides[1][1])),
        unseen=(maps[1].apply(sides[0][1]), maps[0].apply(sides[1][1])),
    )


def _half(ds: xr.Dataset, calibration: tuple[str, str] | None, which: int) -> xr.Dataset:
    """The even (0) or odd (1) years of the calibration; of a single year the even or odd fortnights."""
    ds = select_period(ds, calibration, "data")
    years = np.asarray(ds.time.dt.year)
    parity = years % 2 if np.ptp(years) else np.asarray(ds.time.dt.dayofyear) // FORTNIGHT % 2
    chosen = np.flatnonzero(parity == which)
    if chosen.size == 0:
        raise FinescaleError(
            "what is not seen needs two halves of the calibration: it has less than a month; give at least a year"
        )
    return ds.isel(time=chosen)

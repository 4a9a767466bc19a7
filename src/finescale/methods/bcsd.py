"""Bias correction and spatial disaggregation (Wood et al. 2004; Thrasher et al. 2012).

Wood, A. W., Leung, L. R., Sridhar, V., Lettenmaier, D. P. (2004), Climatic Change 62, 189-216.

The bias correction, quantile mapping on the coarse grid, is a stage of its own that all methods share. What is
left is the disaggregation: the coarse anomaly against the coarse climatology of the hour and season is
interpolated to the fine grid and added to the fine climatology, so that terrain and coast come from the
reference and weather comes from the coarse model.
"""

from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from finescale.grid.grid import Grid
from finescale.methods import card, climatology
from finescale.methods.bilinear import spread
from finescale.methods.downscaler import How, hourly
from finescale.methods.kinds import Interpolating

BOUNDED = {"pr": 0.0}  # anomalies must not carry these below their bound


@dataclass(frozen=True)
class Bcsd(Interpolating):
    """Fine climatology plus interpolated coarse anomaly.

    Attributes:
        fine_climatology: Coefficients ``[hour, wave, lat, lon]`` on the fine grid, all 24 hours.
        coarse_climatology: The same on the coarse grid, at the hours of the coarse data.
        how: Whether coarse values are instants or means.
    """

    fine: Grid
    coarse: Grid
    variables: dict[str, str]
    fine_climatology: xr.Dataset
    coarse_climatology: xr.Dataset
    how: How = "instant"

    @classmethod
    def fit(cls, fine: xr.Dataset, coarse: xr.Dataset, *, harmonics: int, how: How = "instant") -> "Bcsd":
        """Learn both climatologies from the training period: fine fields hourly, coarse ones as observed."""
        return cls(
            fine=Grid.from_dataset(fine),
            coarse=Grid.from_dataset(coarse),
            variables={str(name): str(field.attrs["units"]) for name, field in fine.data_vars.items()},
            fine_climatology=climatology.fit(fine, harmonics=harmonics),
            coarse_climatology=climatology.fit(coarse[list(fine.data_vars)], harmonics=harmonics),
            how=how,
        )

    def answer(self, coarse: xr.Dataset) -> xr.Dataset:
        """Add the interpolated anomaly to the fine climatology; see `Answering`."""
        given = coarse[list(self.variables)].transpose("time", "lat", "lon").compute()
        given = given.assign_coords(self.coarse.coords())
        with xr.set_options(arithmetic_join="exact"):  # type: ignore[no-untyped-call]
            anomaly = given - climatology.at(self.coarse_climatology, given["time"]).compute()
            weather = spread(hourly(anomaly, self.how), self.fine)
            total = weather + climatology.at(self.fine_climatology, weather["time"])
        for name, units in self.variables.items():
            field = total[name].clip(min=BOUNDED[name]) if name in BOUNDED else total[name]
            total[name] = field.astype("float32").assign_attrs(coarse[name].attrs | {"units": units})
        return total

    def save(self, folder: Path) -> None:
        """Write the card and both climatologies."""
        card.save(folder, "bcsd", self.fine, self.coarse, self.variables)
        card.add(folder, {"how": self.how})
        self.fine_climatology.to_netcdf(folder / "fine_climatology.nc", engine="h5netcdf")
        self.coarse_climatology.to_netcdf(folder / "coarse_climatology.nc", engine="h5netcdf")

    @classmethod
    def load(cls, folder: Path) -> "Bcsd":
        """Read back what `save` wrote."""
        found = card.load(folder, "bcsd")
        fine, coarse = (
            xr.load_dataset(folder / f"{which}_climatology.nc", engine="h5netcdf")
            for which in ("fine", "coarse")
        )
        return cls(found.fine, found.coarse, found.variables, fine, coarse, found.how)

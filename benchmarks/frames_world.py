"""A finished run as benchmarks of single frames use it: its artefacts, its settings, its methods at any factor."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from finescale.bias.observation_error import LIKE_WEATHER
from finescale.fields.attributes import LASTING, STANDARD_ERROR
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.guidance.conditions import conditions
from finescale.guidance.following import measured
from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.methods.bcsd import Bcsd
from finescale.methods.bilinear import Bilinear
from finescale.methods.gaussian import Gaussian
from finescale.methods.generative import GenerativeDownscaler
from finescale.prior.card import load_prior
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.window import WindowSpec
from finescale.scores.climate import score_climate
from finescale.settings import Settings


@dataclass
class World:
    """Artefacts and settings of a run, or of a square of its cells: first row, first column and size.

    The fitted climate is of all cells: a square has none.
    """

    data: Path
    models: Path
    settings: Settings
    members: int
    days: int
    square: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        fine, self.static = self.part(self.open("reference")), self.part(self.open("static"))
        self.grid = Grid.from_dataset(fine)
        self.fine = fine.assign_coords(self.grid.coords())
        self.climate = None if self.square else GaussianClimate.from_dataset(self.open("climate").compute())
        # A store lists its fields as the disk pleases.
        names = sorted(map(str, self.fine.data_vars))
        self.units = {name: str(self.fine[name].attrs["units"]) for name in names}
        self.train = self.between(self.fine, self.settings.split.train)

    def open(self, name: str) -> xr.Dataset:
        return xr.open_zarr(self.data / f"{name}.zarr", consolidated=False)

    def part(self, ds: xr.Dataset) -> xr.Dataset:
        if self.square is None:
            return ds
        row, column, size = self.square
        return ds.isel(lat=slice(row, row + size), lon=slice(column, column + size))

    def between(self, ds: xr.Dataset, period) -> xr.Dataset:
        return ds.sel(time=slice(str(period[0]), str(period[1])))

    def operator(self, factor: int) -> Coarsening:
        return Coarsening(self.grid, self.grid.coarsen(factor), self.settings.coarse.every)

    def cases(
        self, factors: list[int], block: str = "test"
    ) -> Iterator[tuple[str, int, xr.Dataset, xr.Dataset]]:
        """Name, factor, what is given and the fine truth."""
        truth = self.cut(self.between(self.fine, getattr(self.settings.split, block)))
        for factor in factors:
            given = self.operator(factor).apply(truth).compute()
            for name, unit in self.units.items():
                given[name].attrs["units"] = unit
            yield f"x{factor}", factor, given, truth
        if block == "test":
            for gcm in self.settings.data.gcms:
                period = self.settings.downscale.period
                given = self.between(self.open(f"corrected-{gcm}"), period)
                given = given.isel(time=slice(0, 4 * self.days + 1)).compute()
                error = self.open(f"error-{gcm}")["R"]
                for name in self.units:
                    variance = float(error.sel(variable=name, variable_=name))
                    given[name].attrs |= {STANDARD_ERROR: variance**0.5, LASTING: LIKE_WEATHER}
                truth = self.open(f"truth-{gcm}").assign_coords(self.grid.coords())
                yield gcm, self.settings.coarse.factor, given, truth

    def cut(self, ds: xr.Dataset) -> xr.Dataset:
        return ds.isel(time=slice(0, 24 * self.days + 1))

    def generative(self, section, factor: int, prior: str = "") -> GenerativeDownscaler:
        """The method of a section of the settings."""
        return GenerativeDownscaler(
            load_prior(self.models / "priors" / (prior or section.prior)),
            self.operator(factor),
            self.units,
            SamplerSpec(**section.sampler.model_dump()),
            GuidanceSpec(**section.guidance.model_dump() | {"std": tuple(section.guidance.std.items())}),
            WindowSpec(**section.windows.model_dump()),
            self.climate,
            pace=section.pace,
            context_weight=section.context_weight,
            group=section.group,
            batch=section.batch,
        )

    def method(self, name: str, factor: int):
        operator = self.operator(factor)
        if name == "bilinear":
            return Bilinear(operator.fine, operator.coarse, self.units)
        if name == "bcsd":
            seen = operator.apply(self.train)
            return Bcsd.fit(
                self.train[list(self.units)], seen, harmonics=self.settings.downscale.bcsd.harmonics
            )
        if name == "gaussian":
            assert self.climate is not None
            return Gaussian(operator, self.units, self.climate)
        section = self.settings.downscale.sections[name]
        made = self.generative(section, factor)
        return self.following(made) if section.calibrate else made

    def following(self, method: GenerativeDownscaler) -> GenerativeDownscaler:
        """The method with bands that follow activity as they did on the days of training; its spread is left alone."""
        seen = method.coarsening.apply(self.train).compute()
        given = conditions(seen, method.coarsening, method.prior.scaling)
        assert method.law is not None
        powers = measured(given, method.law, self.fine)
        return replace(method, spread=(1.0,) * len(self.units), follow=powers)

    def judge(self, method, given: xr.Dataset, truth: xr.Dataset, factor: int) -> tuple[dict, float]:
        """Errors of the tail by (variable, region, metric), and seconds."""
        begin = time.process_time()
        found = method(given, members=self.members, seed=self.settings.seed)
        seconds = time.process_time() - begin
        found = found.sel(time=given["time"])
        table = score_climate(
            found, truth.sel(time=given["time"])[list(self.units)], method="", case="", static=self.static,
            coarsening=self.operator(factor),
        )  # fmt: skip
        return {(r.variable, r.region, r.metric): r.value for r in table.itertuples()}, seconds

    def summary(self, errors: dict, truth: xr.Dataset, region: str = "all") -> list[float]:
        """Each variable's MAE and RMSE, then their means in standard deviations."""
        out, scaled = [], []
        for name in self.units:
            pair = [errors[name, region, f"p99_{m}"] for m in ("mae", "rmse")]
            out += pair
            scaled.append(np.array(pair) / float(truth[name].std()))
        return [*out, *np.mean(scaled, 0).tolist()]

"""Pairs (H x, x) of the reference in blocks of days: what a paired prior learns from."""

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.fields.axis import step_hours
from finescale.fields.context import check_names, position, static_fields
from finescale.fields.hours import absolute_hours
from finescale.fields.operator import AreaMean, bilinear
from finescale.fields.pack import pack
from finescale.fields.paired import CoarseFrames
from finescale.fields.scaling import Scaling, valid_cells
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.prior.card import FORMAT, grid_of, period_of
from finescale.prior.checkpoint import digest
from finescale.prior.latentspec import LatentSpec
from finescale.prior.loader import Batch, WindowLoader, even_starts, even_windows
from finescale.prior.processes import share
from finescale.prior.regression import Places
from finescale.prior.spec import TrainingSpec
from finescale.prior.tiling import Tiles


@dataclass(frozen=True)
class Pairs:
    """The data of a latent prior.

    Attributes:
        train: fine fields of the training period, lazy ``[time, lat, lon]``.
        validation: of another period.
        frames: the coarse data at any hour.
        coarsening: the operator H between the two grids.
        scaling: of the fine variables.
        predictors: of the coarse variables.
        places: the fine grid.
        mask: valid cells ``[C, H, W]``, all of them.
        facts: what the card will say.
        crop: cells along each side of the crops that are trained on; None for the whole domain.
    """

    train: xr.Dataset
    validation: xr.Dataset
    frames: CoarseFrames
    coarsening: Coarsening
    scaling: Scaling
    predictors: Scaling
    places: Places
    mask: NDArray[np.bool_]
    facts: dict[str, Any]
    crop: int | None = None

    @classmethod
    def of(
        cls,
        train: xr.Dataset,
        coarse: xr.Dataset,
        static: xr.Dataset | None,
        spec: LatentSpec,
        coarsening: Coarsening,
        validation: xr.Dataset,
    ) -> "Pairs":
        """Check the data and learn the scaling.

        Args:
            train: fine fields of the training period.
            coarse: H of the fine fields over the training and validation periods and whatever lies between.
            static: ``orog`` and ``sftlf`` on the fine grid, if the context needs them.
            spec: the prior.
            coarsening: the operator H.
            validation: fine fields of another period.
        """
        check_names(spec.context)
        static_channels = static_fields(train, static, spec.context)
        first = pack(train.isel(time=slice(0, 1)), spec.variables)
        mask = valid_cells(first)
        if not mask.all():
            raise FinescaleError(
                "a latent prior compresses whole fields: "
                f"{spec.variables[int(np.argmin(mask.all(axis=(1, 2))))]} is missing in some cells; fill them"
            )
        scaling = Scaling.fit(train, spec.variables, spec.scaling)
        ends = train["time"].isel(time=[0, -1]).values
        predictors = Scaling.fit(coarse.sel(time=slice(*ends)), spec.predictors, spec.scaling)
        view = AreaMean.of(coarsening)
        places = Places(
            torch.from_numpy(static_channels),
            torch.from_numpy(np.stack(position(train)).astype(np.float32)),
            bilinear(view.rows).float(),
            bilinear(view.columns).float(),
        )
        frames = CoarseFrames.of(coarse, predictors)
        facts = _facts(train, coarse, scaling, predictors, coarsening)
        return cls(train, validation, frames, coarsening, scaling, predictors, places, mask, facts, spec.crop)

    @property
    def grid(self) -> Grid:
        """The fine grid."""
        return self.coarsening.fine

    def tiles(self, factor: int = 1) -> Tiles | None:
        """The crops: of whole coarse cells, and of whole latent cells of so many cells a side."""
        if self.crop is None:
            return None
        fine, coarse = self.grid.shape, self.coarsening.coarse.shape
        cells = (a // b for a, b in zip(fine, coarse, strict=True))
        return Tiles(self.crop, fine, math.lcm(factor, *cells))

    def loader(self, window: int, recipe: TrainingSpec, factor: int = 1) -> WindowLoader:
        """Batches of random windows of the training period, cropped to whole latent cells where crops are asked for."""
        return WindowLoader(
            self.train,
            self.scaling,
            self.mask,
            window=window,
            batch=recipe.batch,
            seed=recipe.seed,
            pool_frames=recipe.pool_frames,
            pool_steps=recipe.pool_steps,
            share=share(),
            coarse=self.frames,
            tiles=self.tiles(factor),
        )

    def held_out(self, window: int, recipe: TrainingSpec, factor: int = 1) -> Batch:
        """Windows, or crops of windows, that training is judged by."""
        batch = self.windows(self.validation, window, recipe.validation_windows)
        return batch.cropped(self.tiles(factor), recipe.seed)

    def windows(self, ds: xr.Dataset, window: int, count: int) -> Batch:
        """Windows spread evenly over a period."""
        x, clock = even_windows(ds, self.scaling, self.mask, window, count)
        hours = absolute_hours(ds["time"])
        starts = even_starts(ds, window, count)
        coarse = torch.from_numpy(self.frames(hours[starts[:, None] + np.arange(window)]))
        return Batch(x, clock, np.arange(len(x)), coarse)

    def identity(self, *parts: object) -> str:
        """Digest of the data and of what else a training depends on."""
        data = [self.facts, period_of(self.validation), digest({"static": self.places.static})]
        text = json.dumps([FORMAT, *data, *parts], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def _facts(
    ds: xr.Dataset, coarse: xr.Dataset, scaling: Scaling, predictors: Scaling, coarsening: Coarsening
) -> dict[str, Any]:
    units = {name: str(coarse[name].attrs.get("units", "")) for name in predictors.variables}
    return {
        "codec": "latent",
        "scaling": scaling.to_dict(),
        "predictors": predictors.to_dict(),
        "grid": grid_of(ds),
        "coarse": grid_of(coarse) | {"every": coarsening.every, "how": coarsening.how},
        "units": units | {name: str(ds[name].attrs.get("units", "")) for name in scaling.variables},
        "step_hours": step_hours(ds["time"]),
    } | period_of(ds)

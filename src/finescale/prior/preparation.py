"""Everything that can be known, and refused, before the first step of a training."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.axis import step_hours
from finescale.fields.context import Context, check_names, position, static_fields
from finescale.fields.pack import pack
from finescale.fields.scaling import Scaling, valid_cells
from finescale.prior import crossfit
from finescale.prior.backbone import bf16_is_fast, build_denoiser, build_schedule
from finescale.prior.card import FORMAT, grid_of, period_of
from finescale.prior.checkpoint import digest
from finescale.prior.denoiser import Preconditioned, WienerDenoiser
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.loader import Batch, WindowLoader, check_window, even_windows
from finescale.prior.objective import Noised, NoiseLaw, add_noise, loss
from finescale.prior.processes import share
from finescale.prior.schedule import Schedule
from finescale.prior.spec import PriorSpec, TrainingSpec
from finescale.prior.tiling import Tiles
from finescale.prior.validation import Validation, score


@dataclass(frozen=True)
class Training:
    """A training that is ready to start.

    Attributes:
        spec: what is asked for.
        denoiser: untrained.
        schedule: its noise levels.
        law: how training draws them.
        loader: batches of windows.
        validation: the fixed noisy windows.
        gaussian: the fitted climate, for comparison, if one was given.
        climates: what the network corrects on each part of the period; empty for the one climate.
        facts: what the card will say about data and scaling.
        identity: digest that a checkpoint must carry.
    """

    spec: PriorSpec
    denoiser: Preconditioned
    schedule: Schedule
    law: NoiseLaw
    loader: WindowLoader
    validation: Validation
    gaussian: GaussianClimate | None
    climates: list[GaussianClimate]
    facts: dict[str, Any]
    identity: str

    @property
    def module(self) -> Preconditioned:
        """What is trained."""
        return self.denoiser

    @property
    def recipe(self) -> TrainingSpec:
        """How it is trained."""
        return self.spec.training

    def parts(self, batch: Batch, step: int) -> list[Noised]:
        """A batch with noise on it, in equal parts."""
        noised = add_noise(
            batch,
            self.law,
            seed=self.recipe.seed,
            step=step,
            drop=self.recipe.drop_context,
            device=self.validation.x.device,
        )
        return noised.split(self.recipe.accumulate)

    def example(self, count: int) -> Noised:
        """Copies of one window at the noise of the data's own spread."""
        x = self.validation.x[:1].expand(count, -1, -1, -1, -1)
        sigma = self.validation.spread.mean().expand(count)
        keep = torch.ones(count, dtype=torch.bool, device=x.device)
        place = self.validation.place
        there = None if place is None else place[:1].expand(count, -1)
        context = Context(self.validation.clock[:1].expand(count, -1, -1), keep, None, there)
        return Noised(x, x + sigma[0], sigma, context)

    def loss(self, module: torch.nn.Module, part: Noised) -> Tensor:
        """The weighted squared error of the denoiser."""
        if not isinstance(self.denoiser, WienerDenoiser) or not self.climates:
            return loss(module, self.denoiser, part)
        with self.denoiser.over(self.climates[part.fold]):
            return loss(module, self.denoiser, part)

    def validate(self) -> tuple[float, dict[str, float]]:
        """The mean logarithmic error over noise bands, and the error of each."""
        bands = self.validation.bands(self.denoiser)
        return score(bands), {f"mse_{level}": error for level, error in bands.items()}


def prepare(
    ds: xr.Dataset,
    static: xr.Dataset | None,
    spec: PriorSpec,
    *,
    validation: xr.Dataset,
    gaussian: GaussianClimate | None,
    device: torch.device,
) -> Training:
    """Check the data in one pass, learn the scaling, build the network and the loader."""
    check_names(spec.context)
    check_window(ds, spec.window)
    fields = static_fields(ds, static, spec.context)
    moments = Scaling.fit(ds, spec.variables)
    scaling = _scaling(ds, spec, moments, gaussian)
    first = pack(ds.isel(time=slice(0, 1)), spec.variables)
    mask = valid_cells(first)
    scale = np.asarray(scaling.scale)
    centre = (np.asarray(moments.centre) - np.asarray(scaling.centre)) / scale
    spread = np.asarray(moments.scale) / scale
    training = spec.training
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        denoiser = build_denoiser(
            spec,
            mask=torch.from_numpy(mask),
            static=torch.from_numpy(fields),
            position=torch.from_numpy(np.stack(position(ds)).astype(np.float32)),
            centre=torch.from_numpy(centre).float(),
            spread=torch.from_numpy(spread).float(),
            gaussian=gaussian,
        ).to(device)
    denoiser.bf16 = training.precision == "bf16" or (training.precision == "auto" and bf16_is_fast(device))
    folds = _folds(ds, denoiser, spec, gaussian)
    part = crossfit.parts(ds.sizes["time"], folds)
    facts = _facts(ds, scaling, centre, spread) | {"folds": folds}
    schedule = build_schedule(spec, float(spread.mean()), mask[0].size)
    return Training(
        spec=spec,
        denoiser=denoiser,
        schedule=schedule,
        law=NoiseLaw(
            schedule,
            training.noise_mean + float(np.log(spread.mean())),
            training.noise_std,
            training.noise_tail,
        ),
        loader=_loader(ds, scaling, mask, spec, part, denoiser.tiles),
        validation=_validation(validation, spec, scaling, denoiser, spread, device),
        gaussian=None if gaussian is None else gaussian.to(device),
        climates=[c.to(device) for c in _climates(ds, gaussian, folds, spec.window)],
        facts=facts | {"schedule": schedule.to_dict(), "bf16": denoiser.bf16},
        identity=_identity(spec, facts, validation, denoiser, fields),
    )


def _folds(
    ds: xr.Dataset, denoiser: Preconditioned, spec: PriorSpec, gaussian: GaussianClimate | None
) -> int:
    """Parts of the period that are learned from with climates of their own."""
    if not isinstance(denoiser, WienerDenoiser) or gaussian is None:
        return 1
    order = gaussian.phi.shape[1]
    return spec.training.folds or crossfit.usual(ds.sizes["time"], spec.window, order)


def _loader(
    ds: xr.Dataset,
    scaling: Scaling,
    mask: NDArray[np.bool_],
    spec: PriorSpec,
    part: NDArray[np.int64],
    tiles: Tiles | None,
) -> WindowLoader:
    training = spec.training
    return WindowLoader(
        ds,
        scaling,
        mask,
        window=spec.window,
        batch=training.batch,
        seed=training.seed,
        pool_frames=training.pool_frames,
        pool_steps=training.pool_steps,
        share=share(),
        part=part,
        tiles=tiles,
    )


def _climates(
    ds: xr.Dataset, gaussian: GaussianClimate | None, folds: int, window: int
) -> list[GaussianClimate]:
    return [] if gaussian is None or folds == 1 else crossfit.climates(ds, gaussian, folds, window)


def _scaling(ds: xr.Dataset, spec: PriorSpec, moments: Scaling, gaussian: GaussianClimate | None) -> Scaling:
    if gaussian is None or spec.preconditioning != "wiener" or spec.objective != "denoise":
        return moments if spec.scaling == "mean-std" else Scaling.fit(ds, spec.variables, spec.scaling)
    theirs = gaussian.scaling
    if theirs.variables != spec.variables or theirs.kind != spec.scaling:
        raise FinescaleError(
            f"a prior and the Gaussian climate that it corrects share variables and scaling: "
            f"{list(spec.variables)}, {spec.scaling} against {list(theirs.variables)}, {theirs.kind}; "
            "fit the Gaussian climate again with those of the prior"
        )
    if abs(gaussian.step - step_hours(ds["time"])) > 1e-3:
        raise FinescaleError(
            f"a prior and its Gaussian climate share the time step: {step_hours(ds['time']):g} h against "
            f"{gaussian.step:g} h; fit the Gaussian climate on the training data"
        )
    return theirs


def _validation(
    ds: xr.Dataset,
    spec: PriorSpec,
    scaling: Scaling,
    denoiser: Preconditioned,
    spread: NDArray[np.float64],
    device: torch.device,
) -> Validation:
    seed, mask = spec.training.seed, denoiser.mask.cpu().numpy()
    x, clock = even_windows(ds, scaling, mask, spec.window, spec.training.validation_windows)
    batch = Batch(x, clock, np.arange(len(x))).cropped(denoiser.tiles, seed)
    context, shown = batch.context(device), batch.x.to(device)
    mask_there = denoiser.valid(shown, context)
    return Validation(
        shown,
        context.clock,
        mask_there if context.place is None else mask_there[:, 0],
        torch.from_numpy(spread).float().to(device),
        seed,
        place=context.place,
    )


def _facts(
    ds: xr.Dataset, scaling: Scaling, centre: NDArray[np.float64], spread: NDArray[np.float64]
) -> dict[str, Any]:
    return {
        "codec": "pixel",
        "scaling": scaling.to_dict(),
        "centre": centre.tolist(),
        "spread": spread.tolist(),
        "grid": grid_of(ds),
        "units": {name: str(ds[name].attrs.get("units", "")) for name in scaling.variables},
        "step_hours": step_hours(ds["time"]),
    } | period_of(ds)


def _identity(
    spec: PriorSpec,
    facts: dict[str, Any],
    validation: xr.Dataset,
    denoiser: Preconditioned,
    static: NDArray[np.float32],
) -> str:
    """Of what is asked for and of all data; the climate counts where the network corrects it."""
    what = [FORMAT, spec.to_dict(), facts, period_of(validation)]
    tensors = {"static": torch.from_numpy(static)}
    if isinstance(denoiser, WienerDenoiser):
        what.append(denoiser.gaussian.metadata())
        tensors |= denoiser.gaussian.state_dict()
    text = json.dumps([*what, digest(tensors)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()

"""Train a prior on scaled fields and write its folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import xarray as xr

from finescale.prior import processes
from finescale.prior.card import write_prior
from finescale.prior.denoiser import Linear
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.loop import Log, Loop, Progress
from finescale.prior.plan import Plan, plan
from finescale.prior.preparation import Training, prepare
from finescale.prior.spec import PriorSpec
from finescale.prior.validation import score


def train(
    ds: xr.Dataset,
    static: xr.Dataset | None,
    spec: PriorSpec,
    folder: Path,
    *,
    validation: xr.Dataset,
    scratch: Path,
    gaussian: GaussianClimate | None = None,
    device: torch.device | str = "cpu",
    provenance: dict[str, Any] | None = None,
    on_plan: Callable[[Plan], None] | None = None,
    on_progress: Progress | None = None,
    on_log: Log | None = None,
) -> None:
    """Train a prior and write its folder; continues from a checkpoint of this training in ``scratch``.

    Args:
        ds: training period, lazy; ``[time, lat, lon]``.
        static: ``orog`` and ``sftlf`` on the same grid, if the context needs them.
        spec: what to train.
        folder: where the prior goes, written at the end.
        validation: another period.
        scratch: checkpoints; may be deleted once the folder is there.
        gaussian: the climate that ``preconditioning: wiener`` corrects; without it, a yardstick only.
        device: where to compute.
        provenance: JSON-ready entries for the card (digests of the data, code version).
        on_plan: called once before the first step with what the training will cost.
        on_progress: called with steps done and steps in all.
        on_log: called with the step and figures: losses, learning rate, windows per second.
    """
    run = prepare(ds, static, spec, validation=validation, gaussian=gaussian, device=torch.device(device))
    if on_plan is not None:
        on_plan(plan(run))
    state = Loop(run, scratch, on_progress, on_log).run()
    if processes.share()[0] == 0:
        card = run.facts | {"spec": spec.to_dict(), "scores": _scores(run, state), "steps": state["step"]}
        write_prior(folder, run.denoiser, card | (provenance or {}))


def _scores(run: Training, state: dict[str, Any]) -> dict[str, Any]:
    """Validation errors per noise band, beside those of the linear denoiser where one was given."""
    named = {name.removeprefix("mse_"): error for name, error in state["figures"].items()}
    scores = {"validation": named, "validation_score": state["best"], "kept_step": state["kept"]}
    # The climate is of the whole domain, and of its own scale.
    if run.gaussian is None or run.spec.crop is not None or run.gaussian.scaling != run.loader.scaling:
        return scores
    bands = run.validation.bands(Linear(run.gaussian))
    named = {str(level): error for level, error in bands.items()}
    return scores | {"gaussian": named, "gaussian_score": score(bands)}

"""The training loop: what a run killed at any step and started again does not notice.

Windows, noise and dropped context are functions of (seed, step); weights, their average and the optimiser's
moments are in the checkpoint. Reports go through callbacks, so no tracking library is known here.
"""

import time as wall
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import xarray as xr

from finescale.prior import checkpoint, processes
from finescale.prior.card import write_prior
from finescale.prior.denoiser import Linear
from finescale.prior.ema import Average
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.loader import Batch
from finescale.prior.objective import add_noise, loss
from finescale.prior.plan import Plan, plan
from finescale.prior.preparation import Training, prepare
from finescale.prior.spec import PriorSpec, TrainingSpec
from finescale.prior.validation import score

Progress = Callable[[int, int], None]
Log = Callable[[int, dict[str, float]], None]


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


class Loop:
    """One training from its first or its last saved step to its end."""

    def __init__(
        self, run: Training, scratch: Path, on_progress: Progress | None, on_log: Log | None
    ) -> None:
        self.run_, self.scratch = run, scratch
        self.on_progress, self.on_log = on_progress, on_log
        self.recipe: TrainingSpec = run.spec.training
        self.device = next(run.denoiser.parameters()).device
        self.main = processes.share()[0] == 0
        self.optimizer = torch.optim.AdamW(
            run.denoiser.parameters(),
            lr=self.recipe.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=self.recipe.weight_decay,
            fused=True,
        )
        self.average = Average(run.denoiser, self.recipe.ema, self.recipe.ema_warmup)
        self.module = processes.spread(run.denoiser)
        self.state: dict[str, Any] = {
            "identity": run.identity,
            "step": 0,
            "best": None,
            "stale": 0,
            "bands": {},
        }

    def run(self) -> dict[str, Any]:
        """Train; leaves the averaged weights in the denoiser and returns the final state."""
        found = checkpoint.load(
            self.scratch, self.run_.denoiser, self.average, self.optimizer, self.run_.identity
        )
        self.state = found or self.state
        with processes.interruptible() as asked:
            began, first = wall.perf_counter(), self.state["step"]
            last = first if self._stale() else self.recipe.steps
            for batch in self.run_.loader.batches(first, last):
                figures = self._step(batch)
                self.state["step"] += 1
                self._report(figures, began, first)
                asked.signal = int(processes.agree(float(asked.signal), self.device))
                if asked.signal:
                    self._save()
                    asked.end()
                if self._due(self.recipe.validate_every):
                    self._validate()
                    if self._stale():
                        break
                if self._due(self.recipe.checkpoint_every):
                    self._save()
        self._validate()
        self._save()
        for parameter, mean in zip(self.average.parameters, self.average.values, strict=True):
            parameter.data.copy_(mean)
        return self.state

    def _step(self, batch: Batch) -> dict[str, float]:
        recipe, step = self.recipe, self.state["step"]
        rate = learning_rate(recipe, step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        noised = add_noise(
            batch,
            self.run_.law,
            seed=recipe.seed,
            step=step,
            drop=recipe.drop_context,
            device=self.device,
        )
        total = 0.0
        parts = noised.split(recipe.accumulate)
        for part in parts:
            value = loss(self.module, self.run_.denoiser, part) / len(parts)
            value.backward()  # type: ignore[no-untyped-call]
            total += float(value.detach())
        norm = torch.nn.utils.clip_grad_norm_(self.run_.denoiser.parameters(), recipe.clip, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update(step)
        return {"loss": total, "gradient_norm": float(norm), "learning_rate": rate}

    def _report(self, figures: dict[str, float], began: float, first: int) -> None:
        step = self.state["step"]
        if self.main and self.on_progress is not None:
            self.on_progress(step, self.recipe.steps)
        if self.main and self.on_log is not None and (step % 50 == 0 or step == self.recipe.steps):
            elapsed = wall.perf_counter() - began
            speed = {
                "windows_per_second": (step - first) * self.recipe.batch / elapsed,
                "loader_wait_share": self.run_.loader.waited / elapsed,
            }
            self.on_log(step, figures | speed)

    def _due(self, every: int) -> bool:
        step = self.state["step"]
        return every > 0 and step % every == 0 and step < self.recipe.steps

    def _stale(self) -> bool:
        return self.recipe.patience > 0 and self.state["stale"] >= self.recipe.patience

    def _validate(self) -> None:
        with self.average.swapped():
            bands = self.run_.validation.bands(self.run_.denoiser)
        value = score(bands)
        better = self.state["best"] is None or value < self.state["best"]
        self.state |= {
            "best": value if better else self.state["best"],
            "stale": 0 if better else self.state["stale"] + 1,
            "bands": {str(level): error for level, error in bands.items()},
            "score": value,
        }
        if self.main and self.on_log is not None:
            named = {f"validation_mse_{level}": error for level, error in bands.items()}
            self.on_log(self.state["step"], named | {"validation_score": value})

    def _save(self) -> None:
        if self.main:
            checkpoint.save(self.scratch, self.run_.denoiser, self.average, self.optimizer, self.state)


def learning_rate(recipe: TrainingSpec, step: int) -> float:
    """Linear warm-up times decay."""
    rise = min(1.0, (step + 1) / recipe.warmup) if recipe.warmup else 1.0
    left = 1 - step / recipe.steps
    fall = {"power": left**0.75, "linear": left, "constant": 1.0}[recipe.decay]
    return float(recipe.learning_rate * rise * fall)


def _scores(run: Training, state: dict[str, Any]) -> dict[str, Any]:
    """Validation errors per noise band, beside those of the linear denoiser where one was given."""
    scores = {"validation": state["bands"], "validation_score": state["score"]}
    if run.gaussian is None or run.gaussian.scaling != run.loader.scaling:
        return scores
    bands = run.validation.bands(Linear(run.gaussian))
    named = {str(level): error for level, error in bands.items()}
    return scores | {"gaussian": named, "gaussian_score": score(bands)}

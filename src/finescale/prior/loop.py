"""The training loop: what a run killed at any step and started again does not notice.

Windows, noise and dropped context are functions of (seed, step); weights, their average and the optimiser's
moments are in the checkpoint. What is trained, and on what loss, is the `Task`'s: denoisers, regressions and
autoencoders share this loop. Reports go through callbacks, so no tracking library is known here.
"""

import time as wall
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from finescale.prior import checkpoint, processes
from finescale.prior.ema import Average
from finescale.prior.loader import Batch, WindowLoader
from finescale.prior.spec import TrainingSpec

Progress = Callable[[int, int], None]
Log = Callable[[int, dict[str, float]], None]


class Task(Protocol):
    """Something to be trained, ready to start."""

    @property
    def module(self) -> nn.Module:
        """What is trained: all of its parameters that ask for gradients."""
        ...

    @property
    def recipe(self) -> TrainingSpec:
        """How."""
        ...

    @property
    def loader(self) -> WindowLoader:
        """On what."""
        ...

    @property
    def identity(self) -> str:
        """Digest of specification and data that a checkpoint must carry."""
        ...

    def parts(self, batch: Batch, step: int) -> list[Any]:
        """Equal parts of a batch, ready for `loss`; all that is random in them is keyed by (seed, step, place)."""
        ...

    def example(self, count: int) -> Any:  # noqa: ANN401 - what `loss` takes is the task's own
        """A part of ``count`` windows, for measuring what a step costs."""
        ...

    def loss(self, module: nn.Module, part: Any) -> Tensor:  # noqa: ANN401
        """Loss of a part; `module` is the trained one, perhaps wrapped for several processes."""
        ...

    def validate(self) -> tuple[float, dict[str, float]]:
        """The score that decides, smaller is better, and the figures behind it, on data never trained on."""
        ...


class Loop:
    """One training from its first or its last saved step to its end."""

    def __init__(
        self, task: Task, scratch: Path, on_progress: Progress | None = None, on_log: Log | None = None
    ) -> None:
        self.task, self.scratch = task, scratch
        self.on_progress, self.on_log = on_progress, on_log
        self.recipe = task.recipe
        self.parameters = [p for p in task.module.parameters() if p.requires_grad]
        self.device = self.parameters[0].device
        self.main = processes.share()[0] == 0
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=self.recipe.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=self.recipe.weight_decay,
            fused=True,
        )
        self.average = Average(task.module, self.recipe.ema, self.recipe.ema_warmup)
        self.module = processes.spread(task.module)
        self.state: dict[str, Any] = {
            "identity": task.identity,
            "step": 0,
            "best": None,
            "stale": 0,
            "kept": 0,
            "figures": {},
        }

    def run(self) -> dict[str, Any]:
        """Train; leaves the averaged weights that did best on the validation data in the module, returns the state."""
        found = checkpoint.load(
            self.scratch, self.task.module, self.average, self.optimizer, self.task.identity
        )
        self.state = found or self.state
        with processes.interruptible() as asked:
            began, first = wall.perf_counter(), self.state["step"]
            if first == 0 and self.recipe.validate_every:
                self._validate()
            last = first if self._stale() else self.recipe.steps
            for batch in self.task.loader.batches(first, last):
                figures = self._step(batch)
                self.state["step"] += 1
                self._report(figures, began, first)
                asked.signal = int(processes.agree(float(asked.signal), self.device))
                if self._due(self.recipe.validate_every):
                    self._validate()
                # After the validation of this step, which a resumed run would pass over.
                if asked.signal:
                    self._save()
                    asked.end()
                if self._stale():
                    break
                if self._due(self.recipe.checkpoint_every):
                    self._save()
        self._validate()
        self._save()
        for parameter, mean in zip(self.average.parameters, self.average.best, strict=True):
            parameter.data.copy_(mean)
        return self.state

    def _step(self, batch: Batch) -> dict[str, float]:
        recipe, step = self.recipe, self.state["step"]
        rate = learning_rate(recipe, step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        total = 0.0
        parts = self.task.parts(batch, step)
        for part in parts:
            value = self.task.loss(self.module, part) / len(parts)
            value.backward()  # type: ignore[no-untyped-call]
            total += float(value.detach())
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, recipe.clip, foreach=True)
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
                "loader_wait_share": self.task.loader.waited / elapsed,
            }
            self.on_log(step, figures | speed)

    def _due(self, every: int) -> bool:
        step = self.state["step"]
        return every > 0 and step % every == 0 and step < self.recipe.steps

    def _stale(self) -> bool:
        return self.recipe.patience > 0 and self.state["stale"] >= self.recipe.patience

    def _validate(self) -> None:
        with self.average.swapped():
            value, figures = self.task.validate()
        better = self.state["best"] is None or value < self.state["best"]
        if better:
            self.average.keep()
            self.state |= {"best": value, "kept": self.state["step"], "stale": 0, "figures": figures}
        else:
            self.state["stale"] += 1
        if self.main and self.on_log is not None:
            named = {f"validation_{name}": figure for name, figure in figures.items()}
            self.on_log(self.state["step"], named | {"validation_score": value})

    def _save(self) -> None:
        if self.main:
            checkpoint.save(self.scratch, self.task.module, self.average, self.optimizer, self.state)


def learning_rate(recipe: TrainingSpec, step: int) -> float:
    """Linear warm-up times decay."""
    rise = min(1.0, (step + 1) / recipe.warmup) if recipe.warmup else 1.0
    left = 1 - step / recipe.steps
    fall = {"power": left**0.75, "linear": left, "constant": 1.0}[recipe.decay]
    return float(recipe.learning_rate * rise * fall)

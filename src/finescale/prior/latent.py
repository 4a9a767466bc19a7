"""Train a latent prior in three stages, each with a folder of its own that the next one reads.

The last folder is the whole prior. Every stage goes on from its own checkpoint; the parts of earlier stages are
frozen, so nothing that a later loss asks for can bend them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.prior import assembly, processes
from finescale.prior.autoencoder import Autoencoder
from finescale.prior.backbone import bf16_is_fast
from finescale.prior.card import read_folder, write_folder, write_prior
from finescale.prior.checkpoint import digest
from finescale.prior.codec import Chain, Latent, Residual
from finescale.prior.denoiser import KarrasDenoiser
from finescale.prior.latentspec import LatentSpec
from finescale.prior.loader import Batch
from finescale.prior.loop import Log, Loop, Progress, Task
from finescale.prior.objective import NoiseLaw
from finescale.prior.pairs import Pairs
from finescale.prior.physics import TEMPERATURE, WINDS, Physics
from finescale.prior.plan import Plan, plan
from finescale.prior.regression import Regression
from finescale.prior.spec import TrainingSpec
from finescale.prior.tasks import AutoencoderTask, DiffusionTask, MeanTask
from finescale.prior.validation import Validation

M = TypeVar("M", bound=torch.nn.Module)

# Windows of the training period behind spreads and the fitted source.
SAMPLE = 256


@dataclass(frozen=True)
class Run:
    """Where a stage works and whom it tells.

    Attributes:
        folder: written at the end.
        scratch: checkpoints.
        device: where to compute.
        provenance: JSON-ready entries for the card.
        on_plan: called once before the first step with what the training will cost.
        on_progress: called with steps done and steps in all.
        on_log: called with the step and figures.
    """

    folder: Path
    scratch: Path
    device: torch.device | str = "cpu"
    provenance: dict[str, Any] | None = None
    on_plan: Callable[[Plan], None] | None = None
    on_progress: Progress | None = None
    on_log: Log | None = None

    def train(self, task: Task) -> dict[str, Any]:
        """Train; returns what the card says of it."""
        if self.on_plan is not None:
            self.on_plan(plan(task))
        state = Loop(task, self.scratch, self.on_progress, self.on_log).run()
        return {"validation": state["figures"], "validation_score": state["best"], "steps": state["step"]}

    def card(self, pairs: Pairs, spec: LatentSpec, **entries: Any) -> dict[str, Any]:  # noqa: ANN401
        """The card of a stage."""
        return pairs.facts | {"spec": spec.to_dict()} | entries | (self.provenance or {})


def train_mean(pairs: Pairs, spec: LatentSpec, run: Run) -> None:
    """Stage 1: the reference network; its folder also holds the spread of what it leaves.

    Args:
        pairs: the data.
        spec: the whole prior.
        run: where.
    """
    device, recipe = torch.device(run.device), spec.mean.training
    module = _seeded(
        recipe.seed,
        lambda: Regression(
            spec.mean.network, spec.context, pairs.places, pairs.scaling, pairs.predictors, spec.crop
        ),
    ).to(device)
    module.bf16 = _bf16(recipe, device)
    held_out = pairs.held_out(1, recipe)
    parts = ("mean", spec.variables, spec.context, spec.to_dict()["mean"], spec.crop)
    task = MeanTask(module, recipe, pairs.loader(1, recipe), held_out, pairs.identity(*parts), device)
    scores = run.train(task)
    module.eval().requires_grad_(False)
    if processes.share()[0] == 0:
        spread = _residual_spread(module, pairs, device)
        tensors = module.state_dict(prefix="mean.") | {"spread": spread.cpu()}
        card = run.card(pairs, spec, scores={"mean": scores}, bf16=module.bf16)
        write_folder(run.folder, dict(tensors), card)


def train_autoencoder(pairs: Pairs, spec: LatentSpec, run: Run, *, mean: Path) -> None:
    """Stage 2: the autoencoder of the residual.

    Args:
        pairs: the data.
        spec: the whole prior.
        run: where.
        mean: folder of stage 1.
    """
    device, recipe = torch.device(run.device), spec.autoencoder.training
    tensors, known = read_folder(mean)
    codec = _frozen(assembly.residual(tensors, known), device)
    module = _seeded(recipe.seed, lambda: Autoencoder(len(spec.variables), spec.autoencoder)).to(device)
    factor = spec.autoencoder.factor
    held_out, loader = pairs.held_out(1, recipe, factor), pairs.loader(1, recipe, factor)
    identity = pairs.identity("autoencoder", spec.to_dict()["autoencoder"], digest(tensors))
    task = AutoencoderTask(module, spec.autoencoder, loader, codec, held_out, identity, device)
    scores = run.train(task)
    if processes.share()[0] == 0:
        card = run.card(pairs, spec, scores={"autoencoder": scores})
        write_folder(run.folder, dict(module.state_dict(prefix="autoencoder.")), card)


def train_diffusion(pairs: Pairs, spec: LatentSpec, run: Run, *, mean: Path, autoencoder: Path) -> None:
    """Stage 3: the denoiser of the latents, with or without physics; its folder is the whole prior.

    Args:
        pairs: the data.
        spec: the whole prior.
        run: where.
        mean: folder of stage 1.
        autoencoder: folder of stage 2.
    """
    device, recipe = torch.device(run.device), spec.training
    tensors, first = read_folder(mean)
    codes, second = read_folder(autoencoder)
    coder = Autoencoder(len(spec.variables), spec.autoencoder)
    coder.load_state_dict(assembly.within(codes, "autoencoder."))
    shape = pairs.grid.shape
    codec = _frozen(Chain([assembly.residual(tensors, first), Latent(coder, shape)]), device)
    sample = pairs.windows(pairs.train, max(spec.window, 2), SAMPLE)
    z = _encode(codec, sample, device)
    centre, spread = z.mean((0, 1, 3, 4)), z.std((0, 1, 3, 4))
    factor = spec.autoencoder.factor
    places = assembly.latent_places(pairs.places, factor)
    module = _seeded(
        recipe.seed, lambda: assembly.latent_denoiser(spec, places, centre.cpu(), spread.cpu())
    ).to(device)
    module.bf16 = _bf16(recipe, device)
    typical = float(spread.mean())
    schedule = assembly.latent_schedule(spec, typical, module.mask[0].numel())
    mean_log = recipe.noise_mean + float(np.log(typical))
    body = {key: value for key, value in spec.to_dict().items() if key not in ("mean", "autoencoder")}
    held_out = pairs.held_out(spec.window, recipe, factor)
    physics = _physics(pairs, spec, sample)
    task = DiffusionTask(
        module,
        spec,
        pairs.loader(spec.window, recipe, factor),
        codec,
        NoiseLaw(schedule, mean_log, recipe.noise_std, recipe.noise_tail),
        _validation(held_out, codec, module, recipe.seed, factor, device),
        held_out,
        physics.to(device) if physics is not None and spec.physics.rho else None,
        pairs.identity("diffusion", body, digest(tensors), digest(codes)),
        device,
    )
    scores = run.train(task)
    if processes.share()[0] == 0:
        card = run.card(
            pairs,
            spec,
            scores=first["scores"] | second["scores"] | {"diffusion": scores},
            bf16=module.bf16,
            schedule=schedule.to_dict(),
            steps=scores["steps"],
            budget=None if physics is None or physics.budget is None else physics.budget.to_dict(),
        )
        write_prior(run.folder, module, card, codec)


def _physics(pairs: Pairs, spec: LatentSpec, sample: Batch) -> Physics | None:
    """The terms, fitted; where nothing asks for them, only as far as the variables allow."""
    wanted = spec.physics
    if wanted.rho and spec.crop is not None:
        cells = [a // b for a, b in zip(pairs.grid.shape, pairs.coarsening.coarse.shape, strict=True)]
        wanted.check_crop(spec.crop, max(cells))
    if wanted.rho and wanted.transport and spec.window < 2:
        raise FinescaleError(
            "the transport term is of two hours: windows have one frame; lengthen them or set physics.transport to 0"
        )
    if not wanted.rho:
        if TEMPERATURE not in spec.variables:
            return None
        windy = set(WINDS) <= set(spec.predictors)
        wanted = replace(wanted, transport=wanted.transport if windy else 0.0)
    found = Physics.of(
        wanted,
        pairs.scaling,
        pairs.predictors,
        pairs.coarsening,
        (pairs.places.rows, pairs.places.columns),
    )
    return found.fit(sample)


def _validation(
    batch: Batch,
    codec: Chain,
    module: KarrasDenoiser,
    seed: int,
    factor: int,
    device: torch.device,
) -> Validation:
    z = _encode(codec, batch, device)
    told = batch.context(device).shrunk(factor)
    # Latents have no missing cells, so the mask of one place is that of all.
    mask = module.mask[:, : z.shape[-2], : z.shape[-1]]
    return Validation(z, told.clock, mask, module.sigma_data, seed, told.coarse, told.place)


@torch.no_grad()
def _encode(codec: Chain, batch: Batch, device: torch.device) -> Tensor:
    """States of a batch, a few windows at a time."""
    context = batch.context(device)
    parts = [
        codec.encode(batch.x[a : a + 16].to(device), context.rows(a, a + 16))
        for a in range(0, len(batch.x), 16)
    ]
    return torch.cat(parts)


@torch.no_grad()
def _residual_spread(module: Regression, pairs: Pairs, device: torch.device) -> Tensor:
    """Root mean square of what the mean leaves of the training period, by variable."""
    codec = Chain([Residual(module, torch.ones(len(pairs.scaling.variables), device=device))])
    left = _encode(codec, pairs.windows(pairs.train, 1, SAMPLE), device)
    return left.square().mean((0, 1, 3, 4)).sqrt()


def _seeded(seed: int, build: Callable[[], M]) -> M:
    """A module whose first weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def _frozen(module: M, device: torch.device) -> M:
    return module.eval().requires_grad_(False).to(device)


def _bf16(recipe: TrainingSpec, device: torch.device) -> bool:
    return recipe.precision == "bf16" or (recipe.precision == "auto" and bf16_is_fast(device))

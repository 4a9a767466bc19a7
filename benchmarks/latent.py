"""Latent priors as a preset has them: reference network, autoencoder, diffusions with several amounts of physics.

    python benchmarks/latent.py PROJECT OUT [--preset demo-all] [--rho 0 0.03 0.1] [--seeds 0 1] [--block validation]

PROJECT is the folder of a finished run (`data/` holds reference, coarse reference and static fields), OUT is where
the weights go; what OUT already holds is not trained again. The recipe is that of the preset's prior `--prior`, the
split is the preset's, and every rho has the same reference network and autoencoder. Windows of the block are drawn one
by one, and every hour of them counts. Each row stands beside bilinear and quadratic interpolation (linear in time),
the reference network and the truth. Of the residuals the table gives the root mean square over the truth's: the aim is
one. `means` is the error of the coarse means in kelvin.
"""

import argparse
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from finescale.fields.context import Context
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.pipeline import store
from finescale.prior.budget import Budget
from finescale.prior.card import Prior, load_prior
from finescale.prior.check import draw
from finescale.prior.latent import Run, train_autoencoder, train_diffusion, train_mean
from finescale.prior.latentspec import LatentSpec
from finescale.prior.pairs import Pairs
from finescale.prior.physics import Physics
from finescale.settings import Settings
from finescale.settings.latent import LatentPrior
from finescale.settings.reading import check, compose, merge

MEMBERS, WINDOWS, STEPS = 16, 96, 6
COLUMNS = ("rmse", "mae", "crps", "spread/skill", "flux", "transport", "means")
Row = tuple[float, int]


def settings_of(params: Path, presets: list[str]) -> Settings:
    """The settings with presets laid over them, one over another."""
    merged = compose(params.name, params.read_text(encoding="utf-8"))
    for name in presets:
        text = Path("presets", f"{name}.yaml").read_text(encoding="utf-8")
        merged = merge(merged, compose(name, text))
    return check(merged)


def specification(settings: Settings, name: str) -> LatentSpec:
    """The specification of a latent prior and of the one whose parts it takes."""
    own = settings.priors[name]
    assert isinstance(own, LatentPrior), f"priors.{name} is no latent prior"
    parts = settings.priors[own.parts or name]
    assert isinstance(parts, LatentPrior)
    body = own.model_dump(exclude={"kind", "parts"}) | parts.model_dump(include={"mean", "autoencoder"})
    return LatentSpec.from_dict(body | {"predictors": own.predictors or settings.data.variables})


def load(project: Path, settings: Settings, spec: LatentSpec, block: str) -> tuple[Pairs, xr.Dataset]:
    """The training pairs, and the hours to judge on."""
    fine, coarse, static = (
        store.open_dataset(project, n) for n in ("reference", "coarse-reference", "static")
    )
    grid = Grid.from_dataset(fine)
    h = Coarsening(grid, grid.coarsen(settings.coarse.factor), settings.coarse.every)
    train, validation, judged = (
        fine.sel(time=slice(*map(str, getattr(settings.split, name))))
        for name in ("train", "validation", block)
    )
    return Pairs.of(train, coarse.compute(), static.compute(), spec, h, validation), judged


def stage(folder: Path, name: str) -> Run:
    """Where a stage works; it says what it costs and how its validation goes."""

    def log(step: int, figures: dict[str, float]) -> None:
        if "validation_score" in figures:
            say(f"{name}: step {step}, validation {figures['validation_score']:.4f}")

    return Run(
        folder / name, folder / f"scratch-{name}", on_plan=lambda plan: say(f"{name}: {plan}"), on_log=log
    )


def train(pairs: Pairs, spec: LatentSpec, folder: Path, rows: list[Row]) -> list[tuple[Row, Prior]]:
    """Train what is not there yet; give the prior of each rho and seed."""
    mean, autoencoder = folder / "mean", folder / "autoencoder"
    steps = {
        "mean": lambda: train_mean(pairs, spec, stage(folder, "mean")),
        "autoencoder": lambda: train_autoencoder(pairs, spec, stage(folder, "autoencoder"), mean=mean),
    }
    for rho, seed in rows:
        name = named(rho, seed)
        steps[name] = lambda rho=rho, seed=seed, name=name: train_diffusion(
            pairs,
            replace(spec, physics=replace(spec.physics, rho=rho), training=replace(spec.training, seed=seed)),
            stage(folder, name),
            mean=mean,
            autoencoder=autoencoder,
        )
    for name, step in steps.items():
        began = time.process_time()
        if not (folder / name).is_dir():
            step()
            say(f"{name}: {time.process_time() - began:.0f} CPU s")
    return [(row, load_prior(folder / named(*row))) for row in rows]


def named(rho: float, seed: int) -> str:
    return f"rho-{rho:g}" + (f"-seed-{seed}" if seed else "")


def figures(fields: NDArray[np.float64], truth: NDArray[np.float64]) -> dict[str, float]:
    """Scores of members ``[M, N, T, H, W]`` against ``[N, T, H, W]``, both in kelvin."""
    m = len(fields)
    error = np.abs(fields - truth).mean()
    ordered = np.sort(fields, axis=0)
    weight = (2 * np.arange(1, m + 1) - m - 1).reshape(-1, 1, 1, 1, 1)
    apart = (weight * ordered).sum(0).mean() / (m * (m - 1)) if m > 1 else 0.0
    mean = fields.mean(0)
    rmse = float(np.sqrt(np.square(mean - truth).mean()))
    spread = np.sqrt(fields.var(0, ddof=1).mean() * (m + 1) / m) if m > 1 else np.nan
    return {
        "rmse": rmse,
        "mae": float(np.abs(mean - truth).mean()),
        "crps": float(error - apart),
        "spread/skill": spread / rmse if rmse else np.nan,
    }


def interpolated(pairs: Pairs, context: Context, prior: Prior, order: int) -> NDArray[np.float64]:
    """Splines of the coarse field at the hour, ``[N, T, H, W]`` in kelvin."""
    mean = prior.codec.parts[0].mean  # type: ignore[union-attr]
    cells = mean.told(context)[:, :, 0].numpy() * pairs.scaling.scale[0] + pairs.scaling.centre[0]
    at = [(np.arange(n) + 0.5) * m / n - 0.5 for n, m in zip(pairs.grid.shape, cells.shape[2:], strict=True)]
    grid = np.meshgrid(*at, indexing="ij")
    flat = cells.reshape(-1, *cells.shape[2:]).astype(np.float64)
    fields = [map_coordinates(c, grid, order=order, mode="nearest") for c in flat]
    return np.stack(fields).reshape(*cells.shape[:2], *pairs.grid.shape)


def terms(pairs: Pairs, spec: LatentSpec, prior: Prior) -> Physics:
    """The physics, with what the prior's card calls usual."""
    bare = replace(spec.physics, transport=0.0)
    places = (pairs.places.rows, pairs.places.columns)
    physics = Physics.of(bare, pairs.scaling, pairs.predictors, pairs.coarsening, places)
    return replace(physics, budget=Budget.from_dict(prior.card["budget"]))


def residuals(physics: Physics, kelvin: NDArray[np.float64], told: Context) -> dict[str, float]:
    """Root mean square flux gap, and transport residual, NaN without winds."""
    t = torch.from_numpy(kelvin).float()
    x = ((t - physics.scaling.centre[0]) / physics.scaling.scale[0])[:, :, None]
    gap = physics.gap(physics.kelvin(x), physics.kelvin(physics.means(x)))
    assert physics.budget is not None
    windy = physics.budget.coefficients is not None
    moved = physics.residual(t, told).square().mean().sqrt() if windy else float("nan")
    return {"flux": float(gap.square().mean().sqrt()), "transport": float(moved)}


@torch.no_grad()
def judge(pairs: Pairs, judged: xr.Dataset, spec: LatentSpec, priors: list[tuple[Row, Prior]]) -> None:
    """Print the table."""
    count = min(WINDOWS, judged.sizes["time"] // spec.window)
    batch = pairs.windows(judged, spec.window, count)
    told = batch.context(torch.device("cpu"))
    first = priors[0][1]
    physics = terms(pairs, spec, first)
    mean = first.codec.parts[0].mean(told)  # type: ignore[union-attr]
    again = first.codec.decode(first.codec.encode(batch.x, told), told)
    ratio = float((again - batch.x).square().mean().sqrt() / (batch.x - mean).square().mean().sqrt())
    say(f"autoencoder on {count} windows: error {ratio:.3f} of the residual's standard deviation")

    def kelvin(x: torch.Tensor) -> NDArray[np.float64]:
        return physics.kelvin(x).double().numpy()

    truth = kelvin(batch.x)
    own, cells = residuals(physics, truth, told), coarsened(physics, truth)

    def row(name: str, fields: NDArray[np.float64]) -> dict[str, float]:
        some = [residuals(physics, f, told) for f in fields[:4]]
        found = figures(fields, truth) | {k: float(np.mean([s[k] for s in some])) / own[k] for k in own}
        found["means"] = float(np.sqrt(np.mean([np.square(coarsened(physics, f) - cells) for f in fields])))
        say(f"{name:24s}" + "".join(f"{found[k]:13.3f}" for k in COLUMNS))
        return found

    say(f"{'':24s}" + "".join(f"{k:>13s}" for k in COLUMNS))
    for name, order in (("bilinear", 1), ("quadratic", 2)):
        row(name, interpolated(pairs, told, first, order)[None])
    row("unet", kelvin(mean)[None])
    row("truth", truth[None])
    together = defaultdict(list)
    for (rho, seed), prior in priors:
        members = [
            kelvin(prior.codec.decode(draw(prior, told, seed=m, steps=STEPS, batch=64), told))
            for m in range(MEMBERS)
        ]
        together[rho].append(row(f"rho {rho:g}, seed {seed}", np.stack(members)))
    for rho, found in together.items():
        if len(found) > 1:
            means = {k: np.mean([f[k] for f in found]) for k in COLUMNS}
            say(f"{f'rho {rho:g}, mean':24s}" + "".join(f"{means[k]:13.3f}" for k in COLUMNS))


def coarsened(physics: Physics, kelvin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coarse means ``[N, T, h, w]`` in kelvin of fields ``[N, T, H, W]``."""
    return physics.means(torch.from_numpy(kelvin).float()[:, :, None])[:, :, 0].double().numpy()


def say(line: str) -> None:
    """Print at once."""
    print(line, flush=True)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("project", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--preset", nargs="*", default=["demo-all"], help="laid over one another")
    parser.add_argument("--prior", default="latent-pde")
    parser.add_argument("--rho", type=float, nargs="+", default=[0.0, 0.01, 0.03, 0.1, 0.3])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the diffusion's training")
    parser.add_argument("--block", choices=("validation", "test"), default="test", help="to judge on")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    settings = settings_of(wanted.params, wanted.preset)
    spec = specification(settings, wanted.prior)
    pairs, judged = load(wanted.project, settings, spec, wanted.block)
    rows = [(rho, seed) for seed in wanted.seeds for rho in wanted.rho]
    judge(pairs, judged, spec, train(pairs, spec, wanted.out, rows))


if __name__ == "__main__":
    sys.exit(main())

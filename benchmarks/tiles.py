"""Seams and variance where a prior trained on crops draws a larger domain by tiles.

    python benchmarks/tiles.py FOLDER
    python benchmarks/tiles.py exact
    python benchmarks/tiles.py latent FOLDER PROJECT

The world is Gaussian and the same everywhere, so differences between neighbouring cells have one variance, and what
they have more at the borders of tiles is a seam. The prior is trained once, in FOLDER, and then draws without any
guidance, where nothing but the overlap ties tiles together. `exact` does the same with the exact denoised mean of each
tile, against draws of the exact denoised mean of the whole. `latent` trains latent priors on the whole of a finished
demo's domain and on crops of a quarter of it, and holds both against its test days.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from gaussian_world import GaussianWorld
from torch import Tensor

from finescale.fields.context import Context
from finescale.fields.noise import Noise
from finescale.guidance.guidance import Guidance
from finescale.guidance.none import Unguided
from finescale.guidance.solver import SamplerSpec, levels
from finescale.guidance.wave import Denoise, Wave
from finescale.prior.card import Prior, load_prior
from finescale.prior.check import draw, radial_spectrum
from finescale.prior.latent import Run, train_autoencoder, train_diffusion, train_mean
from finescale.prior.spec import NetworkSpec, PriorSpec, TrainingSpec
from finescale.prior.tiling import Tiles
from finescale.prior.training import train
from finescale.prior.window import Windows

DOMAIN, CROP, DRAWS, STEPS = 64, 32, 64, 24
# Overlap and power of the triangle.
TAPERS = ((0, 3), (4, 3), (8, 1), (8, 3), (16, 1), (16, 3))
SPEC = PriorSpec(
    ("a", "b"),
    window=1,
    preconditioning="edm",
    crop=CROP,
    network=NetworkSpec(channels=(32, 48), blocks=(2, 2), attention=0, patch=2, embedding=64),
    training=TrainingSpec(
        steps=2500, batch=16, learning_rate=3e-3, drop_context=0.0, validate_every=500, seed=0, ema=0.995
    ),
)


def dataset(world: GaussianWorld, frames: int, seed: int, start: str) -> xr.Dataset:
    """Independent fields, one an hour."""
    x = world.draw(frames, seed, 1)[:, 0].numpy().astype(np.float32)
    time = np.datetime64(start, "ns") + np.arange(frames) * np.timedelta64(1, "h")
    axis = 0.1 * np.arange(DOMAIN)
    coords = {"time": time, "lat": 45 + axis, "lon": axis}
    fields = {
        name: (("time", "lat", "lon"), x[:, c], {"units": "K"}) for c, name in enumerate(world.variables)
    }
    return xr.Dataset(fields, coords=coords)


def seam_ratio(x: Tensor, edges: set[int]) -> float:
    """Variance of first differences across the lines that begin at some rows and columns, over that elsewhere.

    Args:
        x: fields ``[N, ..., H, W]``.
        edges: numbers of those rows and columns.
    """
    at = torch.tensor([k in edges for k in range(1, x.shape[-1])])
    across = [x.diff(dim=-1).movedim(-1, 0), x.diff(dim=-2).movedim(-2, 0)]
    inside, outside = (torch.cat([d[which].flatten() for d in across]).square().mean() for which in (at, ~at))
    return float(inside / outside)


def edges(tiles: Tiles) -> set[int]:
    """Rows at which a tile begins or ends, without those of the domain."""
    starts = set(tiles.places[:, 0].tolist())
    return (starts | {s + tiles.size for s in starts}) - {0, tiles.shape[0]}


def exact_tile(world: GaussianWorld, size: int) -> Callable[[Tensor, Tensor, Context | None], Tensor]:
    """E[x_0 | x_t] of a tile of one hour by itself: it knows nothing of what lies beyond."""
    shared = torch.fft.ifft2(world.covariance(1).permute(2, 3, 0, 1)).real  # [C, C, n, n]
    cell = torch.arange(size)
    gap = (cell[:, None] - cell) % world.n
    full = shared[:, :, gap[:, None, :, None], gap[None, :, None, :]]  # [C, C, y, x, y', x']
    values, axes = torch.linalg.eigh(full.permute(0, 2, 3, 1, 4, 5).reshape(2 * size**2, -1))
    values, axes = values.clamp_min(0).float(), axes.float()

    def answer(x: Tensor, log_sigma: Tensor, context: Context | None) -> Tensor:
        noise = (2 * log_sigma[:, None]).exp()
        return ((x.flatten(1) @ axes) * (values / (values + noise)) @ axes.T).view_as(x)

    return answer


def by_tiles(network: Callable[..., Tensor], tiles: Tiles) -> Denoise:
    """Denoised means of the domain as a wave calls them."""
    return lambda x, sigma, _: tiles.compose(network, x, torch.full((len(x),), math.log(sigma)), None)


def drawn(world: GaussianWorld, denoise: Denoise, guidance: Guidance, members: int) -> Tensor:
    """Draws of one hour ``[M, 1, C, n, n]``, of the same noise whatever the denoiser."""
    y = world.observe(world.segment.apply(world.draw(1, 7)).view(-1, 2, world.space.size))
    noise = Noise(0, world.variables, (world.n, world.n))
    wave = Wave(
        denoise, Windows(1, 1), guidance, y, levels(SamplerSpec("2m", 10)), noise, tuple(range(members)), 0, 1, 1, 128
    )  # fmt: skip
    return torch.cat([x for _, x in wave.run()], 1)


def exact() -> None:
    """Print seams and variance that tiles of exact denoised means leave."""
    print("| length | overlap | weights | seam ratio over that of the whole | variance over it |")
    print("|---|---|---|---|---|")
    for length in (1.0, 2.5):
        world = GaussianWorld(frames=1, n=DOMAIN // 2, factor=4, length=length)
        network, whole = exact_tile(world, CROP // 2), drawn(world, world.denoise, Unguided(), 64)
        for overlap, power in ((8, 1), (8, 2), (8, 3)):
            tiles = Tiles(CROP // 2, (world.n, world.n), overlap=overlap, batch=512, power=power)
            x, lines = drawn(world, by_tiles(network, tiles), Unguided(), 64), edges(tiles)
            seam, variance = seam_ratio(x, lines) / seam_ratio(whole, lines), float(x.var() / whole.var())
            print(f"| {length} | {overlap} | d^{power} | {seam:.3f} | {variance:.3f} |", flush=True)


@torch.no_grad()
def latent(folder: Path, project: Path) -> None:
    """Print scores and seams of latent priors trained on the whole domain and on crops."""
    import latent as demo

    pairs, test, spec = demo.demo(project)
    batch = pairs.windows(test, spec.window, 48)
    told = batch.context(torch.device("cpu"))
    scale, centre = pairs.scaling.scale[0], pairs.scaling.centre[0]
    truth = (batch.x[:, :, 0] * scale + centre).double()
    print("| crop | overlap | rmse | crps | spread-skill | seam ratio, of truth's | of the whole's |")
    print("|---|---|---|---|---|---|---|")
    whole = None
    for crop, overlaps in ((None, (None,)), (24, (0, 8, 16))):
        place, wanted = folder / f"crop-{crop}", replace(demo.shortened(spec, 0.3), crop=crop)
        data, stages = replace(pairs, crop=crop), [place / name for name in ("mean", "autoencoder", "prior")]
        if not stages[-1].is_dir():
            with torch.enable_grad():
                train_mean(data, wanted, Run(stages[0], place / "1"))
                train_autoencoder(data, wanted, Run(stages[1], place / "2"), mean=stages[0])
                train_diffusion(
                    data, wanted, Run(stages[2], place / "3"), mean=stages[0], autoencoder=stages[1]
                )
        prior = load_prior(stages[-1])
        for overlap in overlaps:
            prior.lay(overlap, 64)
            members = [
                prior.codec.decode(draw(prior, told, seed=m, steps=6), told)[:, :, 0] for m in range(8)
            ]
            x = (torch.stack(members) * scale + centre).double()
            found, lines = demo.figures(x.numpy(), truth.numpy()), edges(Tiles(24, (48, 48), overlap=overlap))
            # The autoencoder's own cells meet at these lines too, so the prior of the whole has something there.
            whole = x if whole is None else whole
            seams = " | ".join(f"{seam_ratio(x, lines) / seam_ratio(v, lines):.3f}" for v in (truth, whole))
            values = " | ".join(f"{found[k]:.3f}" for k in ("rmse", "crps", "spread/skill"))
            print(f"| {crop} | {overlap} | {values} | {seams} |", flush=True)


def main() -> None:
    """Train, draw with some overlaps, print a table."""
    folder = Path(sys.argv[1])
    world = GaussianWorld(frames=1, n=DOMAIN)
    if not (folder / "prior").exists():
        train(
            dataset(world, 3000, 1, "2001-01-01"), None, SPEC, folder / "prior",
            validation=dataset(world, 64, 2, "2003-01-01"), scratch=folder / "scratch",
            on_progress=lambda done, total: print(f"\r{done}/{total}", end="", file=sys.stderr),
        )  # fmt: skip
    truth = (world.draw(DRAWS, 3, 1)).float()
    prior = load_prior(folder / "prior")
    print("| overlap | weights | tiles | seam ratio | of truth | variance | of differences | MELR |")
    print("|---|---|---|---|---|---|---|---|")
    for overlap, power in TAPERS:
        prior.lay(overlap, 32)
        network = prior.denoiser.network
        network.tiles = replace(network.tiles, power=power)
        row(f"{overlap} | d^{power} | {network.tiles.count}", fields(prior), truth, edges(network.tiles))
    prior.denoiser.network.tiles = Tiles(CROP, (CROP, CROP))
    for name in ("static", "position"):
        buffer = getattr(prior.denoiser.network, name)
        setattr(prior.denoiser.network, name, buffer[:, :CROP, :CROP])
    prior.denoiser.mask = prior.denoiser.mask[:, :CROP, :CROP]
    row("a crop alone | | 1", fields(prior), truth[..., :CROP, :CROP], set())


def fields(prior: Prior) -> Tensor:
    """Unguided draws in physical units ``[N, T, C, H, W]``."""
    x = draw(prior, Context(torch.zeros(DRAWS, 1, 2)), seed=0, steps=STEPS)
    scale, centre = (torch.tensor(v).view(-1, 1, 1) for v in (prior.scaling.scale, prior.scaling.centre))
    return x * scale + centre


def row(name: str, x: Tensor, truth: Tensor, lines: set[int]) -> None:
    """Print figures of draws, as shares of those of the truth but for the seam ratios."""
    seams = [f"{seam_ratio(v, lines):.3f}" if lines else "" for v in (x, truth)]
    variance = float(x.var() / truth.var())
    steps = float(x.diff(dim=-1).square().mean() / truth.diff(dim=-1).square().mean())
    power, known = (radial_spectrum(v.numpy().astype(np.float64)) for v in (x, truth))
    melr = np.abs(np.log(power / known)).mean()
    print(f"| {name} | {seams[0]} | {seams[1]} | {variance:.3f} | {steps:.3f} | {melr:.3f} |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "exact":
        exact()
    elif sys.argv[1] == "latent":
        latent(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()

"""An ensemble by the default against the scheme of Schmidt et al. (2025), same size of network, one run.

    python benchmarks/sampling.py [--cells 48] [--hours 49] [--members 8] [--channels 32 64 64] [--blocks 2]

The peer: eager float32, contiguous tensors, layer normalisation written with var_mean, windows at stride 1 (centre
frame), 256 steps, detached guidance with the published constants. It is timed over `--peer-steps` of its 256 steps and
scaled up, for its steps all cost the same. Ours: everything that a call of `GenerativeDownscaler` does. Ratios and
shares are of processor time. The default is that of params.yaml.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from torch.nn import functional as F

from finescale.fields.allocator import keep_freed_memory
from finescale.fields.noise import Noise
from finescale.fields.scaling import Scaling
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.guidance.conditions import conditions
from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.sda import published
from finescale.guidance.solver import SamplerSpec, levels
from finescale.guidance.wave import Wave
from finescale.methods.generative import GenerativeDownscaler
from finescale.prior.backbone import bf16_is_fast, build_denoiser, build_schedule, parameters
from finescale.prior.card import Prior, grid_of
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.network import ChannelNorm, UNet
from finescale.prior.spec import NetworkSpec, PriorSpec
from finescale.prior.window import Windows, WindowSpec
from finescale.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
UNITS = {"psl": "Pa", "tas": "K", "uas": "m s-1", "vas": "m s-1"}


def weather(cells: int, hours: int) -> xr.Dataset:
    """Red noise in space and time."""
    rng = np.random.default_rng(0)
    wave = np.hypot(*np.meshgrid(np.fft.fftfreq(cells), np.fft.fftfreq(cells))) * cells
    keep, x, out = np.exp(-(1 + wave) / 24), 0, np.empty((hours, 4, cells, cells), np.float32)
    for t in range(hours):
        x = keep * x + np.sqrt(1 - keep**2) * np.fft.fft2(rng.standard_normal((4, cells, cells))) / (
            1 + wave**2
        )
        out[t] = np.fft.ifft2(x).real
    grid = Grid(tuple(46 + 0.08 * np.arange(cells)), tuple(-8 + 0.12 * np.arange(cells)))
    time_ = np.datetime64("2001-01-01", "ns") + np.arange(hours) * np.timedelta64(1, "h")
    dims = ("time", "lat", "lon")
    fields = {n: (dims, out[:, c] / out[:, c].std(), {"units": u}) for c, (n, u) in enumerate(UNITS.items())}
    return xr.Dataset(fields, coords={"time": time_, **grid.coords()})


def plain_norm(self: ChannelNorm, x: Tensor, emb: Tensor) -> Tensor:
    """Layer normalisation over channels as reductions."""
    scale, shift = self.modulate(emb)[:, :, None, None].chunk(2, dim=1)
    var, mean = torch.var_mean(x, dim=1, keepdim=True, unbiased=False)
    return (x - mean) / torch.sqrt(var + 1e-5) * (1 + scale) + shift


class PlainUNet(UNet):
    """The same layers without the choices made for speed."""

    def forward(self, x: Tensor, emb: Tensor, tokens: Tensor | None = None) -> Tensor:
        x, skips = self.stem(x), []
        for level, layers in enumerate(self.down):
            if level:
                skips.append(x)
                x = self.shrink[level - 1](x)
            for layer in layers:
                x = layer(x, emb)
        for level in reversed(range(len(self.up))):
            for layer in self.up[level]:
                x = layer(x, emb)
            if level:
                x = self.grow[level - 1](F.interpolate(x, scale_factor=2.0, mode="nearest")) + skips.pop()
        return self.head(F.silu(self.norm(x, emb)))


def denoiser(spec: PriorSpec, cells: int, gaussian: GaussianClimate | None):
    """An untrained denoiser: its arithmetic is that of a trained one."""
    zeros = torch.zeros(4)
    built = build_denoiser(
        spec, mask=torch.ones(4, cells, cells, dtype=torch.bool), static=torch.zeros(0, cells, cells),
        position=torch.zeros(2, cells, cells), centre=zeros, spread=zeros + 1, gaussian=gaussian,
    )  # fmt: skip
    return built.eval().requires_grad_(False)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def peer(
    spec: PriorSpec, coarsening: Coarsening, coarse: xr.Dataset, scaling: Scaling, members: int, steps: int
):
    """Seconds of the published scheme, and its evaluations."""
    cells = coarsening.fine.shape[0]
    model = denoiser(replace(spec, objective="epsilon"), cells, None)
    model.network.backbone.__class__ = PlainUNet
    model.network.backbone.to(memory_format=torch.contiguous_format)
    given = conditions(coarse, coarsening, scaling)
    walk = levels(SamplerSpec("euler", 256, "cosine", 1000.0, 1e-3))
    fast, ChannelNorm.forward = ChannelNorm.forward, plain_norm
    wave = Wave(
        lambda x, s, _: model(x, torch.full((len(x),), s)), Windows(spec.window, 1, "centre"), published(scaling),
        given.observation, walk[:steps], Noise(0, scaling.variables, coarsening.fine.shape), tuple(range(members)),
        given.first, given.stop, given.stop - given.first, 32,
    )  # fmt: skip
    wall, cpu = timed(lambda: list(wave.run()))
    ChannelNorm.forward = fast
    return wall * 256 / steps, cpu * 256 / steps, wave.evaluations[0] * 256 // steps


def contenders() -> list[tuple[str, GuidanceSpec, SamplerSpec, WindowSpec]]:
    """Ours: the method of params.yaml, and two others."""
    wanted = load_settings(ROOT / "params.yaml").downscale.finescale
    default = SamplerSpec(**wanted.sampler.model_dump()), WindowSpec(**wanted.windows.model_dump())
    usual = SamplerSpec(steps=8), WindowSpec()
    cov, handover = GuidanceSpec("gaussian-cov"), GuidanceSpec("mmps", iterations=0, above=3.0)
    return [
        ("the default", cov, *default),
        ("gaussian-cov, 2m 8", cov, *usual),
        ("hand-over at 3, 2m 8", handover, *usual),
    ]


class Watch:
    """Counts the processor seconds of a network."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.spent, forward = 0.0, network.forward

        def watched(*inputs: object) -> Tensor:
            begin = time.process_time()
            out = forward(*inputs)
            self.spent += time.process_time() - begin
            return out

        network.forward = watched


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=48)
    parser.add_argument("--factor", type=int, default=8)
    parser.add_argument("--hours", type=int, default=49)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--window", type=int, default=9)
    parser.add_argument("--modes", type=int, default=384)
    parser.add_argument("--channels", type=int, nargs="+", default=[32, 64, 64])
    parser.add_argument("--blocks", type=int, default=2, help="of each level")
    parser.add_argument("--peer-steps", type=int, default=4, help="0 goes without the peer")
    parser.add_argument("--contenders", type=int, default=3, help="of ours, the default first")
    return parser.parse_args()


def main() -> None:
    args = options()
    keep_freed_memory()  # as a stage does
    ds = weather(args.cells, 1500)
    scaling = Scaling("mean-std", tuple(UNITS), (0.0,) * 4, (1.0,) * 4)
    gaussian = GaussianClimate.fit(ds, scaling, modes=args.modes)
    grid = Grid.from_dataset(ds)
    coarsening = Coarsening(grid, grid.coarsen(args.factor))
    coarse = coarsening.apply(ds.isel(time=slice(0, args.hours)))
    for name, unit in UNITS.items():
        coarse[name].attrs["units"] = unit
    blocks = (args.blocks,) * len(args.channels)
    spec = PriorSpec(
        tuple(UNITS),
        args.window,
        network=NetworkSpec(channels=tuple(args.channels), blocks=blocks, attention=0),
    )
    ours = denoiser(spec, args.cells, gaussian)
    prior = Prior(
        ours, build_schedule(spec, 1.0, args.cells**2), scaling, spec, {"units": UNITS, "grid": grid_of(ds)}
    )
    watch = Watch(ours.network)
    print(f"{args.cells}x{args.cells}x4, {args.hours} h, {args.members} members, window {args.window}, "
          f"{parameters(ours) / 1e6:.2f} M parameters, {torch.get_num_threads()} threads")  # fmt: skip
    print(f"{'scheme':<40}{'evaluations':>12}{'wall s':>9}{'cpu s':>9}{'ratio':>8}{'outside network':>17}")
    with torch.no_grad():
        cpu = float("nan")
        if args.peer_steps:
            wall, cpu, count = peer(spec, coarsening, coarse, scaling, args.members, args.peer_steps)
            print(
                f"{'peer: 256 steps, stride 1, eager fp32':<40}{count:>12}{wall:>9.1f}{cpu:>9.1f}{1:>8.1f}",
                flush=True,
            )
        for label, guidance, sampler, cover in contenders()[: args.contenders]:
            for bf16 in (False, True):
                if bf16 and not bf16_is_fast(torch.device("cpu")):
                    continue
                ours.bf16 = bf16
                method = GenerativeDownscaler(
                    prior, coarsening, UNITS, sampler, guidance, cover, group=args.members
                )
                count = method.plan(coarse, members=args.members).evaluations
                watch.spent = 0.0
                mine, took = timed(lambda m=method: m(coarse, members=args.members, seed=0))
                name = f"{label}, {'bf16' if bf16 else 'fp32'}"
                print(f"{name:<40}{count:>12}{mine:>9.1f}{took:>9.1f}{cpu / took:>8.1f}{1 - watch.spent / took:>16.0%}",
                      flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

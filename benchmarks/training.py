"""Training speed of our network against a plain implementation of the same size, in one run.

The peer is the residual block of Schmidt et al. (2025) as a careful author would first write it: float32, contiguous
memory, layer normalisation over channels as mean and variance on the moved axis, eager. Both are whole UNets of equal
widths (parameter counts within 5 %), trained on the same windows with AdamW (ours fused, as in `prior/loop.py`),
alternately, so that a busy machine slows both. Processor seconds are compared, not wall-clock time.

    python benchmarks/training.py [--size 64] [--window 5] [--batch 8] [--rounds 3] [--device cuda]
"""

import argparse
import sys
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from finescale.prior.backbone import bf16_is_fast, build_backbone, parameters
from finescale.prior.spec import SCHMIDT_NETWORK, NetworkSpec


class PlainNorm(nn.Module):
    """Layer normalisation over channels through permuted copies."""

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]``."""
        y = x.permute(0, 2, 3, 1)
        variance, mean = torch.var_mean(y, dim=-1, keepdim=True, unbiased=False)
        return ((y - mean) / torch.sqrt(variance + 1e-5)).permute(0, 3, 1, 2).contiguous()


class PlainBlock(nn.Module):
    """``x + f(x + Linear(emb))``, f = norm, conv, SiLU, conv."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        # Twice the width of the published embedding layer, to hold as many numbers as our modulation.
        self.project = nn.Sequential(nn.Linear(embedding, channels), nn.Linear(channels, channels))
        self.norm = PlainNorm()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """``x [B, C, H, W]``, ``emb [B, E]``."""
        y = x + self.project(emb)[:, :, None, None]
        return x + self.last(nn.functional.silu(self.first(self.norm(y))))


class PlainUNet(nn.Module):
    """The same levels, blocks and added skips as ours."""

    def __init__(self, inputs: int, outputs: int, spec: NetworkSpec) -> None:
        super().__init__()
        c, levels = spec.channels, range(len(spec.channels))
        stages = [
            nn.ModuleList(PlainBlock(c[i], spec.embedding) for _ in range(spec.blocks[i])) for i in levels
        ]
        self.down = nn.ModuleList(stages)
        self.up = nn.ModuleList(
            nn.ModuleList(PlainBlock(c[i], spec.embedding) for _ in range(spec.blocks[i])) for i in levels
        )
        self.stem = nn.Conv2d(inputs, c[0], 3, padding=1)
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(c))
        self.grow = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in pairwise(c))
        self.norm = PlainNorm()
        self.head = nn.Conv2d(c[0], outputs, 3, padding=1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """``x [B, inputs, H, W]``, ``emb [B, E]``."""
        x, skips = self.stem(x), []
        for level, blocks in enumerate(self.down):
            if level:
                skips.append(x)
                x = self.shrink[level - 1](x)
            for block in blocks:
                x = block(x, emb)
        for level in reversed(range(len(self.up))):
            for block in self.up[level]:
                x = block(x, emb)
            if level:
                x = self.grow[level - 1](nn.functional.interpolate(x, scale_factor=2.0)) + skips.pop()
        return self.head(nn.functional.silu(self.norm(x)))


def stepper(call: Callable[[], Tensor], module: nn.Module, fused: bool = True) -> Callable[[], None]:
    """One optimiser step: forward, backward, clipping, update."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4, fused=fused)

    def step() -> None:
        call().square().mean().backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def seconds(step: Callable[[], None], device: torch.device) -> float:
    """Of one step: processor time on a CPU, wall-clock time on a GPU."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    begin = clock()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - begin


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--window", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--published", action="store_true", help="the 72 M network of Schmidt et al. (2025)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    device = torch.device(options.device)
    spec = NetworkSpec(
        channels=(32, 32, 64, 96, 128), blocks=(3,) * 5, attention=0, embedding=128
    )  # a quarter of it
    spec = SCHMIDT_NETWORK if options.published else spec
    channels = options.window * 4
    plain = PlainUNet(channels, channels, spec).to(device)
    ours = build_backbone(spec, channels, channels)[0].to(device)
    x = torch.randn(options.batch, channels, options.size, options.size, device=device)
    emb = torch.randn(options.batch, spec.embedding, device=device)

    def half() -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return ours(x, emb, None)

    steps = {
        "plain, float32, contiguous": (stepper(lambda: plain(x, emb), plain, fused=False), parameters(plain)),
        "ours, float32": (stepper(lambda: ours(x, emb, None), ours), parameters(ours)),
    }
    if bf16_is_fast(device):
        steps["ours, bfloat16 (default here)"] = (stepper(half, ours), parameters(ours))
    best = dict.fromkeys(steps, float("inf"))
    for _ in range(options.rounds + 1):  # the first round warms up
        for name, (step, _) in steps.items():
            best[name] = min(best[name], seconds(step, device))
    first = next(iter(best.values()))
    print(
        f"{options.size}x{options.size}, window {options.window}, 4 variables, batch {options.batch}, {device}"
    )
    for name, (_, count) in steps.items():
        rate = options.batch / best[name]
        print(f"{name:32s} {count:>11,} parameters {rate:8.1f} windows/s {first / best[name]:6.2f}x")


if __name__ == "__main__":
    main(sys.argv[1:])

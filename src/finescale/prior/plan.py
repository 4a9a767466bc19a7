"""What a training will cost, measured on one window before it starts."""

import time as wall
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from finescale.prior.backbone import parameters
from finescale.prior.loop import Task


@dataclass(frozen=True)
class Plan:
    """The cost of a training on this machine.

    Attributes:
        parameters: trainable numbers.
        steps: optimiser steps.
        windows: windows seen in all.
        flops: floating-point operations of one step, forward and backward, all processes together.
        seconds: of the whole training, from two timed windows.
        memory: bytes: weights, gradients, moments, average, kept activations, and the loader's pools.
    """

    parameters: int
    steps: int
    windows: int
    flops: int
    seconds: float
    memory: int

    def __str__(self) -> str:
        """One line for a person."""
        return (
            f"{self.parameters:,} parameters, {self.steps:,} steps of {self.flops / 1e9:.1f} GFLOP, "
            f"{self.windows:,} windows, about {self.seconds / 60:.1f} minutes and {self.memory / 2**30:.1f} GiB"
        )


def plan(task: Task) -> Plan:
    """Measure one window's forward and backward pass and multiply; leaves no trace in the training."""
    recipe, module = task.recipe, task.module
    share = task.loader.share[1]
    kept = _Kept()
    one = task.example(1)
    with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(kept, _same):
        task.loss(module, one).backward()  # type: ignore[no-untyped-call]
    pair = task.example(2)
    began = wall.perf_counter()
    task.loss(module, pair).backward()  # type: ignore[no-untyped-call]
    if next(module.parameters()).device.type == "cuda":
        torch.cuda.synchronize()
    seconds = (wall.perf_counter() - began) / 2
    module.zero_grad()
    numbers = parameters(module)
    frame = task.loader.mask.size * 4
    memory = (
        20 * numbers
        + kept.bytes * recipe.batch // (recipe.accumulate * share)
        + 3 * task.loader.pool_frames * frame
    )
    return Plan(
        parameters=numbers,
        steps=recipe.steps,
        windows=recipe.steps * recipe.batch,
        flops=int(counter.get_total_flops()) * recipe.batch,
        seconds=seconds * recipe.steps * recipe.batch / share,
        memory=memory,
    )


class _Kept:
    """Sums the bytes that the backward pass keeps; weights are counted elsewhere and once."""

    def __init__(self) -> None:
        self.bytes = 0
        self.seen: set[int] = set()

    def __call__(self, tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in self.seen and not isinstance(tensor, torch.nn.Parameter):
            self.seen.add(place)
            self.bytes += tensor.untyped_storage().nbytes()
        return tensor


def _same(value: Any) -> Any:  # noqa: ANN401
    return value

"""One process or many: the same training code under ``torchrun``."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def join() -> None:
    """Enter the process group that ``torchrun`` describes in the environment; does nothing outside it."""
    if "TORCHELASTIC_RUN_ID" in os.environ and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def share() -> tuple[int, int]:
    """This process and the number of processes."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def spread(module: nn.Module) -> nn.Module:
    """The module, with gradients averaged over all processes if there are several."""
    if share()[1] == 1:
        return module
    return DistributedDataParallel(module, broadcast_buffers=False)


def agree(value: float, device: torch.device) -> float:
    """The largest value over all processes: one that wants to stop stops all."""
    if share()[1] == 1:
        return value
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(shared, op=dist.ReduceOp.MAX)
    return float(shared)


class Interruption:
    """Whether a signal has asked to stop: 0, or its number."""

    signal: int = 0

    def end(self) -> None:
        """Leave as the signal wanted, once the state is safe."""
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + self.signal)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Note SIGTERM and Ctrl-C instead of dying between two steps; only in a main thread."""
    asked = Interruption()

    def note(number: int, frame: FrameType | None) -> None:
        asked.signal = number

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:  # not the main thread: signals go elsewhere
        yield asked
        return
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

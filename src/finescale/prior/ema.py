"""The averaged weights, and of these the ones that did best: what is kept of a training."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Exponential moving average of a module's parameters.

    Args:
        module: whose parameters.
        decay: largest decay.
        warmup: begin with a short memory, ``(1 + n) / (10 + n)`` after n steps.
    """

    def __init__(self, module: nn.Module, decay: float, warmup: bool) -> None:
        self.decay, self.warmup = decay, warmup
        self.parameters: list[Tensor] = list(module.parameters())
        self.values: list[Tensor] = [p.detach().clone() for p in self.parameters]
        self.best: list[Tensor] = [value.clone() for value in self.values]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after ``step`` steps."""
        decay = min(self.decay, (1 + step) / (10 + step)) if self.warmup else self.decay
        torch._foreach_lerp_(self.values, self.parameters, 1 - decay)

    @torch.no_grad()
    def keep(self) -> None:
        """Remember the averaged weights as the best so far."""
        torch._foreach_copy_(self.best, self.values)

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Within the block the module holds the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for parameter, mean in zip(self.parameters, self.values, strict=True):
            kept = parameter.clone()
            parameter.copy_(mean)
            mean.copy_(kept)

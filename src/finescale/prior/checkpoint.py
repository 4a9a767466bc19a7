"""A training that can be killed: one file with everything, replaced atomically, no pickle."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from finescale.prior.ema import Average

_FILE = "checkpoint.safetensors"


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Of tensors by name, for the identity of a training that depends on them."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode() + tensors[name].cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def save(
    scratch: Path,
    network: nn.Module,
    average: Average,
    optimizer: torch.optim.Optimizer,
    state: dict[str, Any],
) -> None:
    """Write weights, their average, the optimiser's moments and ``state`` (JSON) to a scratch folder."""
    tensors: dict[str, Tensor] = {}
    averages = zip(network.named_parameters(), average.values, average.best, strict=True)
    for (name, parameter), mean, best in averages:
        tensors[f"weight.{name}"] = parameter.detach()
        tensors[f"average.{name}"], tensors[f"best.{name}"] = mean, best
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{key}.{name}"] = value
    scratch.mkdir(parents=True, exist_ok=True)
    fresh = scratch / f"{_FILE}.part"
    plain = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    save_file(plain, fresh, metadata={"state": json.dumps(state)})
    fresh.replace(scratch / _FILE)


def load(
    scratch: Path, network: nn.Module, average: Average, optimizer: torch.optim.Optimizer, identity: str
) -> dict[str, Any] | None:
    """Restore everything in place and return the state; None without a checkpoint of this very training.

    Args:
        scratch: the folder given to ``save``.
        network: restored.
        average: restored.
        optimizer: restored.
        identity: digest of specification and data; a checkpoint of another training is left aside.
    """
    path = scratch / _FILE
    if not path.is_file():
        return None
    with safe_open(path, framework="pt") as file:
        state: dict[str, Any] = json.loads((file.metadata() or {})["state"])
        if state["identity"] != identity:
            return None
        names = set(file.keys())
        for i, (name, parameter) in enumerate(network.named_parameters()):
            with torch.no_grad():
                parameter.copy_(file.get_tensor(f"weight.{name}"))
                average.values[i].copy_(file.get_tensor(f"average.{name}"))
                average.best[i].copy_(file.get_tensor(f"best.{name}"))
            for key in ("step", "exp_avg", "exp_avg_sq"):
                if f"{key}.{name}" in names:
                    value = file.get_tensor(f"{key}.{name}")
                    like = parameter if value.ndim else value
                    optimizer.state[parameter][key] = torch.empty_like(like).copy_(value)
    return state

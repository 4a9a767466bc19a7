"""A generative method as a folder: its card, its prior and the settings that it is run with."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
from safetensors.numpy import load_file, save_file

from finescale.grid.coarsening import Coarsening
from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.methods import card
from finescale.prior.card import load_prior, save_prior
from finescale.prior.codec import Chain
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.window import WindowSpec

if TYPE_CHECKING:
    from finescale.methods.generative import GenerativeDownscaler

METHOD = "generative"
FILE = "generative.json"
CLIMATE = "climate.safetensors"


def save(folder: Path, method: "GenerativeDownscaler") -> None:
    """Write everything that the method needs."""
    card.save(folder, METHOD, method.fine, method.coarse, method.variables)
    save_prior(folder / "prior", method.prior)
    if method.climate is not None:
        save_file(method.climate.tensors(), folder / CLIMATE)
    text = json.dumps(_settings(method), indent=1, sort_keys=True)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def _settings(method: "GenerativeDownscaler") -> dict[str, Any]:
    """What its tensors, its prior and its grids do not say, ready for JSON."""
    return {
        "every": method.coarsening.every,
        "how": method.coarsening.how,
        "sampler": asdict(method.sampler),
        "guidance": asdict(method.guidance),
        "windows": asdict(method.windows),
        "pace": method.pace,
        "context_weight": method.context_weight,
        "group": method.group,
        "batch": method.batch,
        "overlap": method.overlap,
        "spread": method.spread,
        "follow": method.follow,
        "swing": method.swing,
    } | ({} if method.climate is None else {"climate": method.climate.metadata()})


def load(folder: Path) -> dict[str, Any]:
    """The parts of a method that `save` wrote, by the names of its attributes."""
    found = card.load(folder, METHOD)
    body = json.loads((folder / FILE).read_text(encoding="utf-8"))
    climate = None
    if "climate" in body:
        climate = GaussianClimate.from_parts(body["climate"], load_file(folder / CLIMATE))
    std = tuple((name, value) for name, value in body["guidance"]["std"])
    scales = tuple(body["guidance"]["scales"])
    return {
        "prior": load_prior(folder / "prior"),
        "coarsening": Coarsening(found.fine, found.coarse, body["every"], body["how"]),
        "variables": found.variables,
        "sampler": SamplerSpec(**body["sampler"]),
        "guidance": GuidanceSpec(**body["guidance"] | {"std": std, "scales": scales}),
        "windows": WindowSpec(**body["windows"]),
        "climate": climate,
        "pace": body["pace"],
        "context_weight": body["context_weight"],
        "group": body["group"],
        "batch": body["batch"],
        "overlap": body.get("overlap"),
        "spread": tuple(body.get("spread", ())),
        "follow": tuple(map(tuple, body.get("follow", ()))),
        "swing": tuple(body.get("swing", ())),
    }


def digest(
    method: "GenerativeDownscaler", given: Sequence[xr.Dataset], members: tuple[int, int], seed: int
) -> str:
    """Of everything that a request's result depends on."""
    what = [
        _settings(method),
        asdict(method.coarsening),
        method.variables,
        members,
        seed,
        method.prior.card,
        [ds.to_dict(data=False) for ds in given],
    ]
    digest = hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode())
    for ds in given:
        for values in (ds[name].values for name in sorted(map(str, ds.variables))):
            digest.update(str(values.tolist() if values.dtype == object else values.tobytes()).encode())
    codec = method.prior.codec
    learned = codec.state_dict() if isinstance(codec, Chain) else {}
    for tensor in (*method.prior.denoiser.state_dict().values(), *learned.values()):
        digest.update(tensor.detach().cpu().numpy().tobytes())
    for array in () if method.climate is None else method.climate.tensors().values():
        digest.update(array.tobytes())
    return digest.hexdigest()

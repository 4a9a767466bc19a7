"""A trained prior as a folder: ``weights.safetensors`` and ``card.json``; nothing in it can run code."""

import json
import shutil
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from finescale.errors import FinescaleError
from finescale.fields.axis import step_hours
from finescale.fields.pack import spatial_dims
from finescale.fields.scaling import Scaling
from finescale.grid.coarsening import Coarsening
from finescale.prior import assembly
from finescale.prior.arrays import TENSORS
from finescale.prior.backbone import build_denoiser
from finescale.prior.codec import Chain, Codec, Pixel, Residual
from finescale.prior.conditioning import WindowNetwork
from finescale.prior.denoiser import Preconditioned
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.latentspec import LatentSpec
from finescale.prior.schedule import Schedule, schedule_from
from finescale.prior.spec import PriorSpec

FORMAT = 2


@dataclass(frozen=True)
class Prior:
    """What fine weather looks like, ready to sample from.

    Attributes:
        denoiser: in evaluation mode, averaged weights.
        schedule: noise levels.
        scaling: physical units to the denoiser's.
        spec: how it was built and trained.
        card: everything else that is known about it, as in ``card.json``.
        codec: how the denoiser's states relate to scaled fields.
    """

    denoiser: Preconditioned
    schedule: Schedule
    scaling: Scaling
    spec: PriorSpec | LatentSpec
    card: dict[str, Any]
    codec: Codec = Pixel()  # noqa: RUF009 - it has no state

    @property
    def variables(self) -> tuple[str, ...]:
        """In channel order."""
        return self.spec.variables

    @property
    def window(self) -> int:
        """Frames modelled jointly."""
        return self.spec.window

    @property
    def context(self) -> tuple[str, ...]:
        """Names of what the network is told."""
        return self.spec.context

    def on(self, device: torch.device | str) -> "Prior":
        """The prior on a device: a copy if it is not there, so that its climate goes on to guide where it is."""
        if self.denoiser.mask.device == torch.device(device):
            return self
        codec = deepcopy(self.codec).to(device) if isinstance(self.codec, Chain) else self.codec
        return replace(self, denoiser=deepcopy(self.denoiser).to(device), codec=codec)

    def lay(self, overlap: int | None, batch: int) -> None:
        """Set how tiles cover the domain.

        Args:
            overlap: fine cells that neighbouring tiles share; None for half a tile.
            batch: tiles in one call of a network.
        """
        if self.spec.crop is None:
            if overlap is not None:
                raise FinescaleError(
                    f"overlap is of tiles: it is {overlap}, and the prior was trained on its whole domain; leave "
                    "overlap out or train a prior with crop"
                )
            return
        factor = self.spec.autoencoder.factor if isinstance(self.spec, LatentSpec) else 1
        if overlap is not None and overlap % factor:
            raise FinescaleError(
                f"tiles of latents share whole latent cells, {factor} fine cells a side: overlap is {overlap}; choose "
                f"a multiple of {factor}"
            )
        parts = self.codec.parts if isinstance(self.codec, Chain) else ()
        networks = [(part.mean.network, 1) for part in parts if isinstance(part, Residual)]
        networks.append((cast(WindowNetwork, self.denoiser.network), factor))
        for network, cells in networks:
            assert network.tiles is not None
            shared = None if overlap is None else overlap // cells
            network.tiles = replace(network.tiles, overlap=shared, batch=batch)

    def windows(self, batch: int) -> int:
        """Windows of the whole domain that make one call of the network, `batch` tiles or a few more."""
        found = self.denoiser.tiles
        return batch if found is None else max(1, batch // found.count)

    @property
    def predictors(self) -> Scaling | None:
        """Scaling of the coarse variables that a paired prior is told; None for one that is not paired."""
        found = self.card.get("predictors")
        return None if found is None else Scaling.from_dict(found)

    @property
    def reads(self) -> tuple[str, ...]:
        """Variables of the coarse data that sampling needs."""
        told = self.predictors
        return tuple(dict.fromkeys((*self.variables, *(told.variables if told else ()))))

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels of a state, to which its noise belongs."""
        if self.codec.linear:
            return self.variables
        return tuple(f"latent-{i}" for i in range(len(self.denoiser.mask)))

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Cells of the fields that have values ``[C, H, W]``."""
        if self.codec.linear:
            return self.denoiser.mask.numpy(force=True)
        return np.ones((len(self.variables), *map(len, self.card["grid"].values())), bool)

    @property
    def step(self) -> float:
        """Hours between two frames."""
        return float(self.card["step_hours"])

    @property
    def gaussian(self) -> GaussianClimate | None:
        """The Gaussian climate that the network corrects, if it does."""
        found = getattr(self.denoiser, "gaussian", None)
        return found if isinstance(found, GaussianClimate) else None

    def check(self, ds: xr.Dataset) -> None:
        """Refuse a dataset on another grid, with other variables, units or time step."""
        for name in self.reads:
            if name not in ds:
                raise FinescaleError(
                    f"the prior models {list(self.variables)} and reads {list(self.reads)}: {name} is missing "
                    "from the data; add it"
                )
            unit, wanted = ds[name].attrs.get("units", ""), self.card["units"][name]
            if unit != wanted:
                raise FinescaleError(f"{name} must be in {wanted!r}: it is in {unit!r}; convert it")
        check_grid(ds, self.card["grid"])
        if "time" in ds.dims and ds.sizes["time"] > 1 and abs(step_hours(ds["time"]) - self.step) > 1e-3:
            raise FinescaleError(
                f"the prior has a step of {self.step:g} h: the data have {step_hours(ds['time']):g} h; "
                "choose data of that step or train another prior"
            )

    def check_pairing(self, coarsening: Coarsening, variables: Mapping[str, str]) -> None:
        """Refuse grids, clock or variables that the prior was not made for."""
        if set(variables) != set(self.reads):
            raise FinescaleError(
                f"prior and coarse data hold the same variables: {sorted(self.reads)} and {sorted(variables)}; "
                "train a prior for these"
            )
        empty = xr.Dataset(coords=coarsening.fine.coords())
        self.check(empty.assign({n: ((), 0.0, {"units": u}) for n, u in variables.items()}))
        learned = self.card.get("coarse")
        if learned is None:
            return
        here = {"every": coarsening.every, "how": coarsening.how}
        there = {name: learned[name] for name in here}
        axes = {dim: values for dim, values in learned.items() if dim not in here}
        check_grid(xr.Dataset(coords=coarsening.coarse.coords()), axes)
        if here != there:
            raise FinescaleError(
                f"a prior of pairs knows one clock: {there}, the coarse data have {here}; train a prior for these"
            )


def grid_of(ds: xr.Dataset) -> dict[str, list[float]]:
    """The axes of a dataset, for the card."""
    return {dim: [float(v) for v in ds[dim].values] for dim in spatial_dims(ds)}


def period_of(ds: xr.Dataset) -> dict[str, Any]:
    """The ends of a dataset's time and the number of its frames, for the card."""
    ends = ds["time"].isel(time=[0, -1]).dt.strftime("%Y-%m-%dT%H:%M:%S").values
    return {"period": [str(end) for end in ends], "frames": int(ds.sizes["time"])}


def check_grid(ds: xr.Dataset, grid: dict[str, list[float]]) -> None:
    """Refuse a dataset whose axes are not those of the card."""
    here = grid_of(ds)
    for dim, wanted in grid.items():
        got = here.get(dim, [])
        if len(got) != len(wanted) or not np.allclose(got, wanted, rtol=0, atol=1e-4):
            raise FinescaleError(
                f"the prior's grid has {len(wanted)} {dim} from {wanted[0]:g} to {wanted[-1]:g}: the data have "
                f"{len(got)}{f' from {got[0]:g} to {got[-1]:g}' if got else ''}; regrid them or train for this grid"
            )


def write_prior(
    folder: Path, denoiser: Preconditioned, card: dict[str, Any], codec: nn.Module | None = None
) -> None:
    """Write a prior; a codec that has learned goes into the same file."""
    gaussian = getattr(denoiser, "gaussian", None)
    extra = {"gaussian": gaussian.metadata()} if isinstance(gaussian, GaussianClimate) else {}
    learned = {} if codec is None else codec.state_dict(prefix="codec.")
    write_folder(folder, dict(denoiser.state_dict()) | dict(learned), extra | card)


def save_prior(folder: Path, prior: Prior) -> None:
    """Write a loaded prior again, as a part of a method's folder."""
    codec = prior.codec if isinstance(prior.codec, nn.Module) else None
    write_prior(folder, prior.denoiser, prior.card, codec)


def write_folder(folder: Path, tensors: dict[str, Tensor], card: dict[str, Any]) -> None:
    """Write weights and card beside their place and move them there, so that a folder is whole or absent."""
    fresh = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    plain = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    save_file(plain, fresh / "weights.safetensors")
    text = json.dumps({"format": FORMAT} | card, indent=1, sort_keys=True)
    (fresh / "card.json").write_text(text + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.replace(folder)


def update_card(folder: Path, entries: dict[str, Any]) -> None:
    """Add entries to the card of a written prior."""
    card = json.loads((folder / "card.json").read_text()) | entries
    fresh = folder / "card.json.part"
    fresh.write_text(json.dumps(card, indent=1, sort_keys=True) + "\n")
    fresh.replace(folder / "card.json")


def read_folder(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and card of a folder that `write_folder` wrote."""
    for name in ("card.json", "weights.safetensors"):
        if not (folder / name).is_file():
            raise FinescaleError(
                f"a prior is a folder with {name}: {folder.name} has none; train the prior first"
            )
    card: dict[str, Any] = json.loads((folder / "card.json").read_text())
    if card.get("format") != FORMAT:
        raise FinescaleError(
            f"a card has format {FORMAT}: {folder.name} has {card.get('format')}; train it again with this version"
        )
    return load_file(folder / "weights.safetensors"), card


def load_prior(folder: Path, device: torch.device | str = "cpu") -> Prior:
    """Load a prior folder of any kind."""
    tensors, card = read_folder(folder)
    scaling, schedule = Scaling.from_dict(card["scaling"]), schedule_from(card["schedule"])
    if card["codec"] == "latent":
        latent, codec = assembly.latent_prior(tensors, card)
        latent.eval().requires_grad_(False).to(device)
        codec.eval().requires_grad_(False).to(device)
        return Prior(latent, schedule, scaling, LatentSpec.from_dict(card["spec"]), card, codec)
    spec = PriorSpec.from_dict(card["spec"])
    gaussian = None
    if "gaussian" in card:
        held = [name for name in TENSORS if f"gaussian.{name}" in tensors]
        arrays = {name: tensors[f"gaussian.{name}"].numpy() for name in held}
        gaussian = GaussianClimate.from_parts(card["gaussian"], arrays)
        # With what an older climate did not know yet.
        tensors = {f"gaussian.{name}": value for name, value in gaussian.state_dict().items()} | tensors
    denoiser = build_denoiser(
        spec,
        mask=tensors["mask"],
        static=tensors["network.static"],
        position=tensors["network.position"],
        centre=torch.tensor(card["centre"]),
        spread=torch.tensor(card["spread"]),
        gaussian=gaussian,
    )
    denoiser.load_state_dict(tensors)
    denoiser.eval().requires_grad_(False).to(device)
    denoiser.bf16 = bool(card["bf16"])
    return Prior(denoiser, schedule, scaling, spec, card)

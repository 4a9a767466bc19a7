"""What a prior is and how it is trained, as plain frozen data: the names are those of the settings."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeVar, get_type_hints

from finescale.fields.scaling import Kind

S = TypeVar("S")


@dataclass(frozen=True)
class NetworkSpec:
    """Size and kind of the network.

    Attributes:
        architecture: ``unet``, or a backbone of azula (``azula-unet``, ``azula-vit``; needs azula installed).
        channels: width of each level, fine to coarse; each level halves the grid.
        blocks: residual blocks of each level, on the way down and again on the way up.
        attention: number of deepest levels with self-attention.
        heads: attention heads.
        patch: cells along each side of the patches that become one cell of the first level.
        embedding: width of the noise and context embedding.
        tokens: width of the context tokens for cross-attention; 0 for none.
        harmonics: of the year and of the day that the network is told.
        compile: let torch compile the network (a minute or two at the start).
    """

    architecture: Literal["unet", "azula-unet", "azula-vit"] = "unet"
    channels: tuple[int, ...] = (32, 64, 64)
    blocks: tuple[int, ...] = (2, 2, 2)
    attention: int = 1
    heads: int = 2
    patch: int = 1
    embedding: int = 128
    tokens: int = 0
    harmonics: int = 2
    compile: bool = False


@dataclass(frozen=True)
class TrainingSpec:
    """The recipe.

    Attributes:
        steps: optimiser steps.
        batch: windows a step, over all processes.
        accumulate: parts that a batch is cut into, to save memory.
        learning_rate: peak.
        warmup: steps of linear rise.
        decay: ``power`` falls as (1 - t)^0.75, ``linear`` to zero, ``constant`` not at all.
        weight_decay: of AdamW.
        clip: largest norm of the gradient.
        ema: decay of the averaged weights.
        ema_warmup: let the average be short at first (decay (1 + n) / (10 + n) until it reaches ``ema``).
        precision: ``auto`` takes bf16 where the machine multiplies in it.
        drop_context: share of windows trained without context.
        noise_mean: of ln(sigma / spread of the data).
        noise_std: of ln sigma.
        noise_tail: share of noise levels drawn uniformly in ln sigma over the whole schedule.
        validate_every: steps between two validations; 0 for the end only.
        validation_windows: windows of the fixed validation set.
        patience: validations without gain before stopping; 0 never stops early.
        checkpoint_every: steps between two checkpoints.
        pool_frames: frames that the loader holds at once.
        pool_steps: steps served by one pool.
        folds: parts of the period; each is learned from with a climate fitted without it. 1 for the one climate, None
            for as many as the period allows, four at most.
        seed: of initial weights, windows, noise and dropped context.
    """

    steps: int = 1500
    batch: int = 32
    accumulate: int = 1
    learning_rate: float = 2e-3
    warmup: int = 100
    decay: Literal["power", "linear", "constant"] = "power"
    weight_decay: float = 1e-4
    clip: float = 1.0
    ema: float = 0.99
    ema_warmup: bool = True
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    drop_context: float = 0.1
    noise_mean: float = -0.3
    noise_std: float = 1.5
    noise_tail: float = 0.1
    validate_every: int = 500
    validation_windows: int = 64
    patience: int = 0
    checkpoint_every: int = 500
    pool_frames: int = 4096
    pool_steps: int = 100
    folds: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class PriorSpec:
    """A prior, before it is trained.

    Attributes:
        variables: in channel order.
        window: consecutive frames that are modelled jointly.
        context: names of what the network is told; see ``fields.context.NAMES``.
        scaling: how variables are scaled.
        objective: ``denoise``, or ``epsilon`` on a cosine schedule (Schmidt et al. 2025).
        preconditioning: of ``denoise``: ``wiener`` corrects a Gaussian climate, ``edm`` starts from nothing.
        crop: cells along each side of the crops that the network is trained on, and of the tiles by which it answers
            for the whole domain; None trains on the whole domain.
        sigma_min: smallest noise, in units of the spread of the data.
        sigma_max: largest noise, likewise; None for four times the root of the numbers of a variable in a window,
            because a pattern that all of them share stands out of the noise by that root (Hoogeboom et al. 2023,
            arXiv 2301.11093): less noise would never hide it, and samples would lack its variance.
        network: its size.
        training: the recipe.
    """

    variables: tuple[str, ...]
    window: int = 9
    context: tuple[str, ...] = ()
    scaling: Kind = "mean-std"
    objective: Literal["denoise", "epsilon"] = "denoise"
    preconditioning: Literal["wiener", "edm"] = "wiener"
    crop: int | None = None
    sigma_min: float = 0.002
    sigma_max: float | None = None
    network: NetworkSpec = field(default_factory=NetworkSpec)
    training: TrainingSpec = field(default_factory=TrainingSpec)

    def to_dict(self) -> dict[str, Any]:
        """For the card."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "PriorSpec":
        """From the card."""
        return revived(cls, values)


def revived(kind: type[S], values: Mapping[str, Any]) -> S:
    """A specification from what JSON made of it: dictionaries back to their classes, lists to tuples."""
    kinds = get_type_hints(kind)

    def one(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
        if isinstance(value, dict):
            return revived(kinds[name], value)
        return tuple(value) if isinstance(value, list) else value

    return kind(**{name: one(name, value) for name, value in values.items()})


# 72 M parameters: the network of Schmidt et al. (2025), npj Clim. Atmos. Sci. 8:270.
SCHMIDT_NETWORK = NetworkSpec(
    channels=(128, 128, 256, 384, 512), blocks=(3, 3, 3, 3, 3), attention=1, heads=1, embedding=512
)
SCHMIDT = PriorSpec(
    variables=("psl", "tas", "uas", "vas"),
    window=13,
    scaling="quant95",
    objective="epsilon",
    preconditioning="edm",
    network=SCHMIDT_NETWORK,
    training=replace(
        TrainingSpec(),
        steps=368_640,
        batch=512,
        learning_rate=1e-4,
        warmup=0,
        decay="linear",
        weight_decay=1e-3,
        clip=1e9,
        ema=0.9999,
        drop_context=0.0,
        checkpoint_every=2000,
        validate_every=5000,
        seed=42,
    ),
)

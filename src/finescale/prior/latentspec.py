"""What a latent prior is and how its three parts are trained, as plain frozen data.

A reference network gives the mean of the fine field, an autoencoder compresses what the mean leaves, and a diffusion
in the latent space draws it: Jiang, Bahng, Rosu, Zhu & Tarokh (2025), "PDE-informed latent diffusion for 2-m
temperature", arXiv 2510.23866, after Tomasi, Franch & Cristoforetti (2025), Geosci. Model Dev. 18, 2051.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from finescale.errors import FinescaleError
from finescale.fields.scaling import Kind
from finescale.prior.spec import NetworkSpec, TrainingSpec, revived


@dataclass(frozen=True)
class RegressionSpec:
    """The reference network.

    Attributes:
        network: its size.
        training: its recipe; the settings of noise are not used.
    """

    network: NetworkSpec = field(default_factory=NetworkSpec)
    training: TrainingSpec = field(default_factory=TrainingSpec)


@dataclass(frozen=True)
class AutoencoderSpec:
    """The autoencoder of the residual.

    Attributes:
        factor: cells along each side of what becomes one latent cell.
        latent: numbers of a latent cell; compression is ``variables * factor^2 / latent``.
        width: channels inside.
        blocks: residual blocks of encoder and decoder.
        kl: weight of the Kullback-Leibler divergence from a standard normal; 0 is deterministic.
        training: its recipe; the settings of noise are not used.
    """

    factor: int = 4
    latent: int = 8
    width: int = 48
    blocks: int = 2
    kl: float = 0.0
    training: TrainingSpec = field(default_factory=TrainingSpec)


@dataclass(frozen=True)
class PhysicsSpec:
    """The part of the loss that asks decoded fields to obey physics; see `prior.physics`.

    Attributes:
        rho: length of its gradient over that of the denoising loss, at the last layer; 0 leaves it out.
        flux: weight of the flux balance.
        transport: weight of the advection-diffusion residual; needs winds and windows of two frames or more.
        consistency: weight of the coarse means.
        block: coarse cells along each side of a block of the flux balance.
        below: largest noise, in units of the latent's spread, at which an estimate counts as a field.
    """

    rho: float = 0.0
    flux: float = 1.0
    transport: float = 1.0
    consistency: float = 1.0
    block: int = 2
    below: float = 1.0

    def check_crop(self, crop: int, cells: int) -> None:
        """Refuse crops without a single block of the flux balance.

        Args:
            crop: fine cells along each side.
            cells: fine cells along a side of a coarse one.
        """
        least = cells * (self.block + 2)
        if self.flux and crop < least:
            raise FinescaleError(
                f"the flux balance needs a block of {self.block} coarse cells with one more all around: crop is {crop} "
                f"fine cells a side; choose {least} or more, a smaller physics.block, or set physics.flux to 0"
            )


@dataclass(frozen=True)
class LatentSpec:
    """A latent prior, before it is trained.

    Attributes:
        variables: that it draws, in channel order.
        predictors: variables of the coarse data that it is told.
        window: consecutive frames that are drawn jointly; 1 as published.
        context: names of what the networks are told besides the coarse data.
        scaling: how variables are scaled.
        noise: ``lognormal`` levels (Karras et al. 2022), or ``v``: uniform steps of the published schedule. With
            standardised latents the network's target is the velocity v in both, and so is the weight of the loss.
        crop: fine cells along each side of the crops that all three parts are trained on, and of the tiles by which
            they answer for the whole domain; None trains on the whole domain.
        sigma_min: smallest noise, in units of the latent's spread.
        sigma_max: largest noise; None for four times the root of the latent cells of a window.
        mean: the reference network.
        autoencoder: of the residual.
        network: the denoiser's size.
        training: the denoiser's recipe.
        physics: of the denoiser's loss.
    """

    variables: tuple[str, ...]
    predictors: tuple[str, ...]
    window: int = 1
    context: tuple[str, ...] = ()
    scaling: Kind = "mean-std"
    noise: Literal["lognormal", "v"] = "lognormal"
    crop: int | None = None
    sigma_min: float = 0.01
    sigma_max: float | None = None
    mean: RegressionSpec = field(default_factory=RegressionSpec)
    autoencoder: AutoencoderSpec = field(default_factory=AutoencoderSpec)
    network: NetworkSpec = field(default_factory=NetworkSpec)
    training: TrainingSpec = field(default_factory=TrainingSpec)
    physics: PhysicsSpec = field(default_factory=PhysicsSpec)

    def to_dict(self) -> dict[str, Any]:
        """For the card."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LatentSpec":
        """From the card."""
        return revived(cls, values)

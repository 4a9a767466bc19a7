"""Sections of a latent prior: reference network, autoencoder, diffusion, physics."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from finescale.settings.learning import Network, Prior, Training
from finescale.settings.section import Name, Section

# Regression and compression have no noise to learn, and nothing to do without their context.
PLAIN = Training(drop_context=0.0)


class Mean(Section):
    """The reference network; see `finescale.prior.latentspec.RegressionSpec`."""

    network: Network = Network(patch=2)
    training: Training = PLAIN


class Autoencoder(Section):
    """The autoencoder of what the mean leaves; see `finescale.prior.latentspec.AutoencoderSpec`."""

    factor: int = Field(4, ge=1, description="Cells along each side of what becomes one latent cell.")
    latent: int = Field(8, ge=1, description="Numbers of a latent cell.")
    width: int = Field(48, ge=1)
    blocks: int = Field(2, ge=0)
    kl: float = Field(0.0, ge=0, description="Weight of the Kullback-Leibler term; 0 is deterministic.")
    training: Training = PLAIN


class Physics(Section):
    """What the loss asks of decoded fields; see `finescale.prior.latentspec.PhysicsSpec`."""

    rho: float = Field(
        0.0, ge=0, description="Its gradient over that of the denoising loss; 0 leaves it out."
    )
    flux: float = Field(1.0, ge=0)
    transport: float = Field(1.0, ge=0)
    consistency: float = Field(1.0, ge=0)
    block: int = Field(2, ge=1, description="Coarse cells along each side of a block of the flux balance.")
    below: float = Field(1.0, gt=0, description="Largest noise at which an estimate counts as a field.")


class LatentPrior(Section):
    """A prior of pairs in the latent space of an autoencoder; see `finescale.prior.latentspec.LatentSpec`."""

    kind: Literal["latent"]
    parts: Name | None = Field(
        None,
        description="The latent prior whose reference network and autoencoder are taken; its own if none.",
    )
    variables: tuple[Name, ...] = Field(("tas",), min_length=1, description="What it draws.")
    predictors: tuple[Name, ...] | None = Field(
        None, description="Coarse variables that it is told; all of them if left out."
    )
    window: int = Field(1, ge=1, description="Consecutive frames drawn jointly.")
    context: tuple[str, ...] = ()
    scaling: Literal["mean-std", "quant95"] = "mean-std"
    noise: Literal["lognormal", "v"] = "lognormal"
    crop: int | None = Field(
        None,
        ge=1,
        description="Fine cells along each side of random crops to train on, in whole coarse and latent cells; all of "
        "the domain if left out.",
    )
    mean: Mean = Mean()
    autoencoder: Autoencoder = Autoencoder()
    network: Network = Network()
    training: Training = PLAIN
    physics: Physics = Physics()


def _kind(value: object) -> str:
    """A section without a kind is that of a prior of scaled fields."""
    found = value.get("kind", "pixel") if isinstance(value, dict) else getattr(value, "kind", "pixel")
    return str(found)


KINDS = ("pixel", "latent")
AnyPrior = Annotated[
    Annotated[Prior, Tag("pixel")] | Annotated[LatentPrior, Tag("latent")], Discriminator(_kind)
]

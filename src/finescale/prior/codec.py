"""Codecs: from scaled fields to the state of a diffusion, and back.

`Pixel` leaves a field as it is, `Residual` takes a mean away, `Latent` compresses; `Chain` does one after the other.
A guidance meets the decoder as part of its operator, H o decode.
"""

from collections.abc import Sequence
from typing import Protocol, cast

from torch import Tensor, nn

from finescale.fields.context import Context
from finescale.prior.autoencoder import Autoencoder
from finescale.prior.regression import Regression


class Codec(Protocol):
    """Both ways between fields ``[B, T, C, H, W]`` and states ``[B, T, c, h, w]``."""

    @property
    def linear(self) -> bool:
        """Whether the decoder is the identity, so that what is linear in the field is linear in the state."""
        ...

    def encode(self, x: Tensor, context: Context | None) -> Tensor:
        """Fields to states."""
        ...

    def decode(self, z: Tensor, context: Context | None) -> Tensor:
        """States to fields; the context may have one row for all of a batch."""
        ...


class Pixel:
    """The state is the field."""

    linear = True

    def encode(self, x: Tensor, context: Context | None) -> Tensor:
        """The field."""
        return x

    def decode(self, z: Tensor, context: Context | None) -> Tensor:
        """The state."""
        return z


class Residual(nn.Module):
    """The state is what the mean leaves, in units of its own spread.

    Args:
        mean: the reference network.
        spread: standard deviation of the residual of each variable, ``[C]``, scaled units.
    """

    linear = False
    spread: Tensor

    def __init__(self, mean: Regression, spread: Tensor) -> None:
        super().__init__()
        self.mean = mean
        self.register_buffer("spread", spread.reshape(-1, 1, 1))

    def encode(self, x: Tensor, context: Context | None) -> Tensor:
        """The residual."""
        assert context is not None
        return cast(Tensor, (x - self.mean(context)) / self.spread)

    def decode(self, z: Tensor, context: Context | None) -> Tensor:
        """The mean added back."""
        assert context is not None
        return cast(Tensor, self.mean(context) + self.spread * z)


class Latent(nn.Module):
    """The state is the code of an autoencoder.

    Args:
        autoencoder: of single frames.
        shape: rows and columns of the fields.
    """

    linear = False

    def __init__(self, autoencoder: Autoencoder, shape: tuple[int, int]) -> None:
        super().__init__()
        self.autoencoder, self.shape = autoencoder, shape

    def encode(self, x: Tensor, context: Context | None) -> Tensor:
        """Frame by frame."""
        z = self.autoencoder.encode(x.flatten(0, 1))
        return z.reshape(*x.shape[:2], *z.shape[1:])

    def decode(self, z: Tensor, context: Context | None) -> Tensor:
        """Frame by frame."""
        x = self.autoencoder.decode(z.flatten(0, 1), *self.shape)
        return x.reshape(*z.shape[:2], *x.shape[1:])


class Chain(nn.Module):
    """Codecs one after the other."""

    def __init__(self, parts: Sequence[Residual | Latent]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    @property
    def linear(self) -> bool:
        """An empty chain is the identity."""
        return not len(self.parts)

    def encode(self, x: Tensor, context: Context | None) -> Tensor:
        """The first part first."""
        for part in self.parts:
            x = cast(Residual, part).encode(x, context)
        return x

    def decode(self, z: Tensor, context: Context | None) -> Tensor:
        """The last part first."""
        for part in reversed(self.parts):
            z = cast(Residual, part).decode(z, context)
        return z

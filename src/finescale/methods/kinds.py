"""Kinds of methods: those with one answer, and those built on the operator H."""

from collections.abc import Sequence
from typing import Protocol

import xarray as xr

from finescale.errors import FinescaleError
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.methods.downscaler import How, check_coarse, member_axis


class Answering(Protocol):
    """What a method with one answer knows."""

    @property
    def coarse(self) -> Grid: ...  # noqa: D102

    @property
    def variables(self) -> dict[str, str]: ...  # noqa: D102

    def answer(self, coarse: xr.Dataset) -> xr.Dataset:
        """Fine fields ``[time, lat, lon]``, hourly, of coarse data that were checked."""
        ...


class OneMember:
    """Makes a `Downscaler` of a method with one answer: one member, whatever is asked."""

    @property
    def margin(self) -> int:
        """Hours beyond a period that it depends on: the next coarse times are enough."""
        return 0

    def __call__(
        self: Answering,
        coarse: xr.Dataset,
        *,
        members: int = 1,
        seed: int = 0,
        first: int = 0,
        beside: Sequence[xr.Dataset] = (),
    ) -> xr.Dataset:
        """Downscale; see `Downscaler`."""
        if beside:
            raise FinescaleError(
                f"{type(self).__name__} reads one coarse product: {len(beside)} more were given; use gaussian or a "
                "generative method"
            )
        check_coarse(coarse, self.coarse, self.variables)
        # Attributes of a coordinate that is named while the dimension is made would be lost.
        return self.answer(coarse).expand_dims("member").assign_coords(member=member_axis(1, first))


class Timed(Answering, Protocol):
    """What a method that interpolates in time knows."""

    @property
    def how(self) -> How: ...  # noqa: D102


class Interpolating(OneMember):
    """Makes a `Downscaler` of a method whose one answer goes from each coarse time to the next."""

    @property
    def margin(self: Timed) -> int:
        """Hours beyond a period that it depends on: the middle of the next mean may lie before the period's end."""
        return 12 if self.how == "mean" else 0


class Operating(Protocol):
    """What a method built on the operator H knows."""

    @property
    def coarsening(self) -> Coarsening: ...  # noqa: D102


class OnOperator:
    """Gives a method the two grids of its operator."""

    @property
    def fine(self: Operating) -> Grid:
        """Grid of the result."""
        return self.coarsening.fine

    @property
    def coarse(self: Operating) -> Grid:
        """Grid that it reads."""
        return self.coarsening.coarse

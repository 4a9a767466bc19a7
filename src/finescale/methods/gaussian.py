"""Conditional simulation of the linear-Gaussian climate: the strong baseline, without any network.

Joint EOFs of all variables, each with its own autoregression in time, fitted to the training data; exact draws from
their posterior given the coarse data by Matheron's rule. A generative method that does not beat this one has no
reason to exist.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr
from safetensors.numpy import load_file, save_file

from finescale.errors import FinescaleError
from finescale.fields.lanes import side_by_side
from finescale.fields.noise import Noise
from finescale.grid.coarsening import Coarsening
from finescale.guidance.conditions import conditions
from finescale.guidance.covariance import covariance_of
from finescale.guidance.doubt import believed
from finescale.guidance.matheron import GaussianPosterior
from finescale.methods import card
from finescale.methods.downscaler import check_coarse
from finescale.methods.ensemble import Layout, physical
from finescale.methods.kinds import OnOperator
from finescale.methods.stream import Held
from finescale.prior.gaussian import GaussianClimate

# Members drawn together.
GROUP = 4


@dataclass(frozen=True)
class Gaussian(OnOperator):
    """Exact posterior draws of a fitted climate.

    Attributes:
        coarsening: the operator H between the two grids.
        variables: names of the fields, with their units.
        climate: the fitted model.
        error_scale: factor on the standard error that the coarse data carry.
    """

    coarsening: Coarsening
    variables: dict[str, str]
    climate: GaussianClimate
    error_scale: float = 1.0

    @property
    def margin(self) -> int:
        """Hours beyond a period that it depends on: the outermost block, which may be longer than the others."""
        return 2 * max(GaussianPosterior.block, GaussianPosterior.reach)

    def __call__(
        self,
        coarse: xr.Dataset,
        *,
        members: int,
        seed: int,
        first: int = 0,
        beside: Sequence[xr.Dataset] = (),
    ) -> xr.Dataset:
        """Downscale; see `Downscaler`."""
        if members < 1:
            raise FinescaleError(f"an ensemble has one member or more: {members}; ask for at least 1")
        check_coarse(coarse, self.coarse, self.variables, gaps_allowed=True)
        scaling, valid = self.climate.scaling, self.climate.mask.numpy()
        noise = Noise(seed, scaling.variables, self.fine.shape)
        given = conditions(coarse, self.coarsening, scaling, self.error_scale, others=beside)
        given = believed(given, self.climate, noise)
        covariance = covariance_of(self.climate)
        posterior = GaussianPosterior(
            covariance, given.observation, given.clock(), noise, given.first, given.stop
        )
        attrs = {name: coarse[name].attrs for name in self.variables}
        every = range(first, first + members)
        ensemble = Held(Layout(every, given.stamps(), self.fine, scaling.variables, attrs))

        def drawn(group: tuple[int, ...]) -> Iterator[None]:
            begin, end = given.wanted
            for (start, stop), x in posterior.run(group):
                kept = x[:, max(start, begin) - start : min(stop, end) - start]
                ensemble.write(group, max(start, begin) - begin, physical(kept.numpy(), scaling, valid))
                yield

        side_by_side([drawn(tuple(every[low : low + GROUP])) for low in range(0, members, GROUP)], "cpu")
        return ensemble.open()

    def save(self, folder: Path) -> None:
        """Write the card, the climate and what links it to the coarse data."""
        card.save(folder, "gaussian", self.fine, self.coarse, self.variables)
        save_file(self.climate.tensors(), folder / "climate.safetensors")
        body = {
            "climate": self.climate.metadata(),
            "every": self.coarsening.every,
            "how": self.coarsening.how,
            "error_scale": self.error_scale,
        }
        (folder / "gaussian.json").write_text(json.dumps(body, indent=1, sort_keys=True) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "Gaussian":
        """Read back what `save` wrote."""
        found = card.load(folder, "gaussian")
        body = json.loads((folder / "gaussian.json").read_text())
        climate = GaussianClimate.from_parts(body["climate"], load_file(folder / "climate.safetensors"))
        coarsening = Coarsening(found.fine, found.coarse, body["every"], body["how"])
        return cls(coarsening, found.variables, climate, body["error_scale"])

"""The reference network of a latent prior as a method: the mean of the fine field given the coarse one.

One member, whatever is asked: the deterministic yardstick of Jiang et al. (2025), arXiv 2510.23866.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from finescale.grid.coarsening import Coarsening
from finescale.guidance.conditions import conditions
from finescale.guidance.scene import Scene
from finescale.methods import card
from finescale.methods.ensemble import Layout, physical
from finescale.methods.kinds import OneMember, OnOperator
from finescale.prior.card import Prior, load_prior, save_prior

METHOD = "regression"
BLOCK = 240  # hours in one call of the network


@dataclass(frozen=True)
class RegressionDownscaler(OnOperator, OneMember):
    """See the module, and `Downscaler`.

    Attributes:
        prior: whose reference network answers.
        coarsening: the operator H between the two grids.
        variables: names of the coarse fields that are read, with their units.
    """

    prior: Prior
    coarsening: Coarsening
    variables: dict[str, str]

    def __post_init__(self) -> None:
        self.prior.check_pairing(self.coarsening, self.variables)

    def answer(self, coarse: xr.Dataset) -> xr.Dataset:
        """Ask the network, block by block; see `Answering`."""
        given = conditions(coarse, self.coarsening, self.prior.scaling)
        scene, (begin, end) = Scene(self.prior, given, coarse), given.wanted
        blocks = [scene.mean(a, min(a + BLOCK, end)) for a in range(begin, end, BLOCK)]
        values = physical(np.concatenate(blocks)[None], self.prior.scaling)
        attrs = {name: coarse[name].attrs for name in self.prior.variables}
        layout = Layout(range(1), given.stamps(), self.fine, self.prior.variables, attrs)
        return layout.dataset(values).isel(member=0, drop=True)

    def save(self, folder: Path) -> None:
        """Write the card and the prior."""
        card.save(folder, METHOD, self.fine, self.coarse, self.variables)
        save_prior(folder / "prior", self.prior)

    @classmethod
    def load(cls, folder: Path) -> "RegressionDownscaler":
        """Read back what `save` wrote."""
        found, prior = card.load(folder, METHOD), load_prior(folder / "prior")
        clock = prior.card["coarse"]
        return cls(prior, Coarsening(found.fine, found.coarse, clock["every"], clock["how"]), found.variables)

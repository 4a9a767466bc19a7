"""Common coarse scales: where a model's field and a sample are compared, and how far each scale is to be trusted.

A raw field on the model's cells is averaged to cells of a common scale and re-projected to the fine grid by bilinear
interpolation. On a ladder of scales each rung compares only what the next coarser one does not show (its cell means
less those of the cells around it), so that a scale at which a model is wrong can be followed less than the others.

How wrong is read from spectra, for a climate model is not in phase with the reanalysis: the least error variance that
explains the difference between the two variances of a rung is R = (sd_model - sd_reanalysis)^2, and the rung is
weighted by sd_reanalysis^2 / (sd_reanalysis^2 + R).
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.operator import AreaMean, bilinear
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid


@dataclass(frozen=True)
class Rung:
    """One common scale above the cells of a source.

    Attributes:
        rows: shares of the source's rows in each common row ``[h', h]``.
        columns: likewise ``[w', w]``.
        up: fine rows from common rows ``[H, h']``, bilinear.
        across: likewise ``[W, w']``.
    """

    rows: Tensor
    columns: Tensor
    up: Tensor
    across: Tensor

    @classmethod
    def of(cls, source: AreaMean, common: AreaMean) -> "Rung":
        """The scale of a common grid; its cells must be whole blocks of the source's."""
        shares = []
        for mine, theirs in ((common.rows, source.rows), (common.columns, source.columns)):
            share = mine.double() @ (theirs > 0).double().T
            if not torch.allclose(share @ theirs.double(), mine.double(), atol=1e-9):
                raise FinescaleError(
                    f"a common scale takes whole coarse cells: {mine.shape[1] // mine.shape[0]} fine cells are no "
                    f"multiple of {theirs.shape[1] // theirs.shape[0]}; choose a multiple"
                )
            shares.append(share)
        return cls(shares[0], shares[1], bilinear(common.rows), bilinear(common.columns))

    def mean(self, r: Tensor) -> Tensor:
        """Values on the source's cells ``[..., h, w]`` to the common cells ``[..., h', w']``."""
        return self.rows.to(r) @ r @ self.columns.to(r).T

    def mean_adjoint(self, v: Tensor) -> Tensor:
        """The transpose of `mean`."""
        return self.rows.to(v).T @ v @ self.columns.to(v)

    def spread(self, v: Tensor) -> Tensor:
        """Common cells ``[..., h', w']`` to fine fields ``[..., H, W]``."""
        return self.up.to(v) @ v @ self.across.to(v).T

    def spread_adjoint(self, x: Tensor) -> Tensor:
        """The transpose of `spread`."""
        return self.up.to(x).T @ x @ self.across.to(x)

    def flat(self, v: Tensor) -> Tensor:
        """Common cells back on the source's, each value over its block ``[..., h, w]``."""
        return (self.rows > 0).to(v).T @ v @ (self.columns > 0).to(v)

    def flat_adjoint(self, r: Tensor) -> Tensor:
        """The transpose of `flat`."""
        return (self.rows > 0).to(r) @ r @ (self.columns > 0).to(r).T


@dataclass(frozen=True)
class Ladder:
    """Scales of one source, fine to coarse.

    Attributes:
        rungs: at least one.
        trust: weight of each rung for each channel ``[K, C]``, 0 to 1; None for one everywhere.
    """

    rungs: tuple[Rung, ...]
    trust: Tensor | None = None

    @classmethod
    def of(cls, source: AreaMean, fine: Grid, scales: tuple[int, ...]) -> "Ladder":
        """The rungs of scales in fine cells; none for the source's own cells."""
        found = [AreaMean.of(Coarsening(fine, fine.coarsen(s)), torch.float64) for s in sorted(scales)]
        return cls(tuple(Rung.of(source, common) for common in found or [source]))

    def details(self, r: Tensor) -> list[Tensor]:
        """What each rung shows of cell values ``[..., h, w]`` that the next does not, on its own cells."""
        out = [rung.mean(r) for rung in self.rungs]
        for k, coarser in enumerate(self.rungs[1:]):
            out[k] = self.rungs[k].mean(r - coarser.flat(coarser.mean(r)))
        return out

    def details_adjoint(self, details: list[Tensor]) -> Tensor:
        """The transpose of `details`: back to ``[..., h, w]``."""
        total = self.rungs[-1].mean_adjoint(details[-1])
        for k, coarser in enumerate(self.rungs[1:]):
            back = self.rungs[k].mean_adjoint(details[k])
            total = total + back - coarser.mean_adjoint(coarser.flat_adjoint(back))
        return total

    def powers(self, r: Tensor) -> list[Tensor]:
        """Mean square of what each rung shows of cell values ``[..., h, w]``, each ``[...]``; NaN is left out.

        A missing cell is as what is observed of its block of the widest scale, so that it shows no detail.
        """
        seen, wide = torch.isfinite(r).to(r), self.rungs[-1]
        around = wide.mean(r.nan_to_num()) / wide.mean(seen).clamp_min(1e-9)
        details = self.details(torch.where(seen > 0, r, wide.flat(around)))
        shares = [(rung.mean(seen) > 0).to(r).mean((-1, -2)) for rung in self.rungs]
        return [d.square().mean((-1, -2)) / share for d, share in zip(details, shares, strict=True)]

    def trusting(self, variance: Tensor, reference: Tensor) -> "Ladder":
        """The same rungs, weighted by the variances ``[K, C]`` that a model and the reanalysis have there."""
        error = (variance.sqrt() - reference.sqrt()).square()
        return replace(self, trust=reference / (reference + error).clamp_min(1e-30))

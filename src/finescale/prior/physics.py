"""Physics as part of a loss: what a decoded temperature field owes to the heat equation and to the coarse data.

After Jiang, Bahng, Rosu, Zhu & Tarokh (2025), arXiv 2510.23866, with three terms on physical fields (kelvin, metres,
seconds), the mean added back:

1. flux balance: blocks of the fine field have the ratio of fluxes of the same blocks of the coarse field;
2. transport: the residual of advection and diffusion with the coarse winds, a diffusivity and a source fitted for each
   coarse cell on training data;
3. consistency: the means over coarse cells.

The first two are penalised only beyond what is usual: the 95th percentile of the training data, or what the truth
itself has where it is known. Asked for no residual at all, a field is best off flat: blurred truth has a smaller flux
gap and a smaller transport residual than truth.

On crops (`prior.tiling`) the terms are those of the whole domain, restricted: coefficients and whatever else is held
for a cell or a row are cut at the crop's place, and what would need a neighbour beyond the crop is left out. Transport
loses a rim of one fine cell, as it does on the whole domain; blocks keep one coarse cell away from the border.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.context import Context
from finescale.fields.crop import cut, lines
from finescale.fields.operator import AreaMean
from finescale.fields.scaling import Scaling
from finescale.grid.balance import flux_balance, transport
from finescale.grid.calculus import Calculus
from finescale.grid.coarsening import Coarsening
from finescale.prior.budget import BEYOND, Budget, excess, fit_transport, spread, waves
from finescale.prior.latentspec import PhysicsSpec
from finescale.prior.loader import Batch

TEMPERATURE, WINDS = "tas", ("uas", "vas")
_CHUNK = 16


@dataclass(frozen=True)
class Physics:
    """The terms on one grid, or on crops of it: tensors then lead with ``[B, 1]`` (``[B, 1, 1]`` in `area`).

    Attributes:
        spec: weights and sizes.
        scaling: of the fine variables.
        predictors: of the coarse variables.
        fine: derivatives on the fine grid.
        coarse: on the coarse grid.
        area: weights of the coarse means, rows ``[h, H]`` and columns ``[w, W]``.
        rise: interpolation from the coarse grid, rows ``[H, h]`` and columns ``[W, w]``.
        owner: coarse row of each fine row, coarse column of each fine column.
        budget: what is usual, once it is fitted.
        rim: coarse cells around that belong to no block.
    """

    spec: PhysicsSpec
    scaling: Scaling
    predictors: Scaling
    fine: Calculus
    coarse: Calculus
    area: tuple[Tensor, Tensor]
    rise: tuple[Tensor, Tensor]
    owner: tuple[Tensor, Tensor]
    budget: Budget | None = None
    rim: int = 0

    @classmethod
    def of(
        cls,
        spec: PhysicsSpec,
        scaling: Scaling,
        predictors: Scaling,
        coarsening: Coarsening,
        rise: tuple[Tensor, Tensor],
    ) -> "Physics":
        """Build the terms; those of temperature must be fitted before use."""
        if (spec.flux or spec.transport) and TEMPERATURE not in scaling.variables:
            raise FinescaleError(
                f"flux and transport are of temperature: the prior draws {list(scaling.variables)}; add "
                f"{TEMPERATURE} or set physics.flux and physics.transport to 0"
            )
        area = AreaMean.of(coarsening)
        fine, coarse = (Calculus.of(g).convert(_tensor) for g in (coarsening.fine, coarsening.coarse))
        owner = area.rows.argmax(0), area.columns.argmax(0)
        return cls(spec, scaling, predictors, fine, coarse, (area.rows, area.columns), rise, owner)

    def at(self, place: Tensor | None, shape: tuple[int, int]) -> "Physics":
        """The terms on crops of whole coarse cells.

        Args:
            place: first row and column of each ``[B, 2]``, in fine cells; None for the whole domain.
            shape: rows and columns of a crop, in fine cells.
        """
        if place is None:
            return self
        corner = torch.stack([own[place[:, i]] for i, own in enumerate(self.owner)], 1)
        high, wide = (side // n for side, n in zip(shape, self._factor, strict=True))
        fine, coarse = lines(place, shape), lines(corner, (high, wide))
        area = [
            m[cells[:, None, None, :, None], own[:, None, None, None, :]]
            for m, cells, own in zip(self.area, coarse, fine, strict=True)
        ]
        budget, lost = self.budget, self.spec.block + 1
        if budget is not None:
            offset, gap = (
                cut(values, corner + 1, (max(0, high - lost), max(0, wide - lost)))[:, None]
                for values in (budget.offset, budget.gap)
            )
            budget = replace(budget, offset=offset, gap=gap)
        return replace(
            self,
            fine=self.fine.crops(*fine),
            coarse=self.coarse.crops(*coarse),
            area=(area[0], area[1]),
            rise=(self.rise[0][fine[0]][:, None], self.rise[1][fine[1]][:, None]),
            owner=(self.owner[0][fine[0]][:, None], self.owner[1][fine[1]][:, None]),
            budget=budget,
            rim=1,
        )

    def to(self, device: torch.device) -> "Physics":
        """The same on another device."""

        def move(values: Tensor) -> Tensor:
            return values.to(device)

        return replace(
            self,
            fine=self.fine.convert(move),
            coarse=self.coarse.convert(move),
            area=(move(self.area[0]), move(self.area[1])),
            rise=(move(self.rise[0]), move(self.rise[1])),
            owner=(move(self.owner[0]), move(self.owner[1])),
            budget=None if self.budget is None else self.budget.map(move),
        )

    def __call__(
        self, x: Tensor, means: Tensor, context: Context, weight: Tensor, truth: Tensor | None = None
    ) -> Tensor:
        """The loss of decoded fields.

        Args:
            x: decoded fields ``[B, T, C, H, W]``, scaled units.
            means: the coarse means that belong to them ``[B, T, C, h, w]``, scaled units.
            context: of the windows, with the coarse frames.
            weight: of each window ``[B]``.
            truth: the fields ``[B, T, C, H, W]`` themselves, where they are known.
        """
        terms = self.terms(x, means, context, truth)
        each = sum(getattr(self.spec, name) * value for name, value in terms.items())
        return torch.as_tensor((weight * each).mean())

    def terms(
        self, x: Tensor, means: Tensor, context: Context, truth: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Each term by window ``[B]``, for those that have a weight."""
        found: dict[str, Tensor] = {}
        if self.spec.flux or self.spec.transport:
            usual, t = self._usual(), self.kelvin(x)
            known = None if truth is None else self.kelvin(truth)
            if self.spec.flux:
                cells = self.kelvin(means)
                own = None if known is None else self.gap(known, cells)
                found["flux"] = excess(self.gap(t, cells), self._side_by_side(usual.gap), own)
            if self.spec.transport and x.shape[1] > 1 and usual.usual is not None:
                allowed = spread(usual.usual, self.owner)[..., 1:-1, 1:-1]
                own = None if known is None else self.residual(known, context)
                found["transport"] = excess(self.residual(t, context), allowed, own)
        if self.spec.consistency:
            found["consistency"] = (self.means(x) - means).square().mean((1, 2, 3, 4))
        return found

    def means(self, x: Tensor) -> Tensor:
        """Coarse means ``[B, T, C, h, w]`` of fields ``[B, T, C, H, W]``."""
        rows, columns = (m.to(x) for m in self.area)
        return rows @ (x @ columns.mT)

    def kelvin(self, x: Tensor) -> Tensor:
        """Temperature ``[B, T, H, W]`` in kelvin of scaled fields ``[B, T, C, H, W]``."""
        c = self.scaling.variables.index(TEMPERATURE)
        return x[:, :, c] * self.scaling.scale[c] + self.scaling.centre[c]

    def gap(self, t: Tensor, cells: Tensor) -> Tensor:
        """Flux balance of fine temperatures less that of coarse ones, less the usual, by block; in kelvin both."""
        high, wide = cells.shape[-2:]
        gap = self._gap(t, cells, (self.rim, self.rim), (high - self.rim, wide - self.rim))
        return gap - self._side_by_side(self._usual().offset)

    @property
    def starts(self) -> tuple[int, int]:
        """Rows and columns of coarse cells of the whole domain that a block can begin at."""
        high, wide = (max(0, len(m) - self.spec.block + 1) for m in self.area)
        return high, wide

    @property
    def _factor(self) -> tuple[int, int]:
        """Fine cells along the sides of a coarse one."""
        high, wide = (m.shape[-1] // m.shape[-2] for m in self.area)
        return high, wide

    def _gap(self, t: Tensor, cells: Tensor, begin: tuple[int, int], end: tuple[int, int]) -> Tensor:
        """As `gap`, the usual included, for the blocks between two coarse cells."""
        block, (high, wide) = self.spec.block, self._factor
        coarse = [slice(a, b) for a, b in zip(begin, end, strict=True)]
        fine = [slice(s.start * n, s.stop * n) for s, n in zip(coarse, (high, wide), strict=True)]
        own = flux_balance(t, self.fine, (block * high, block * wide), (fine[0], fine[1]))
        seen = flux_balance(cells, self.coarse, (block, block), (coarse[0], coarse[1]))
        return torch.as_tensor(own - seen)

    def _gaps(self, t: Tensor, cells: Tensor) -> Tensor:
        """As `_gap` for a block at each of `starts`, ``[B, T, *starts]``."""
        block = self.spec.block
        gaps = t.new_empty(*t.shape[:2], *self.starts)
        for i, j in itertools.product(range(block), repeat=2):
            gaps[..., i::block, j::block] = self._gap(t, cells, (i, j), (cells.shape[-2], cells.shape[-1]))
        return gaps

    def _side_by_side(self, values: Tensor) -> Tensor:
        """Of the blocks that begin at every coarse cell, those that do not overlap."""
        return values[..., :: self.spec.block, :: self.spec.block]

    def residual(self, t: Tensor, context: Context) -> Tensor:
        """``dT/dt + u.grad T - kappa lap T - Q`` between the frames, without the rim, ``[B, T - 1, H - 2, W - 2]``."""
        coefficients = self._usual().coefficients
        assert coefficients is not None
        left, curvature = self._sides(t, context)
        fitted = spread(coefficients.movedim(-1, 0), self.owner)[..., 1:-1, 1:-1]
        fitted = fitted.reshape(len(fitted), -1, *fitted.shape[-2:])
        source = torch.einsum("btf,fbhw->bthw", waves(context), fitted[1:].expand(-1, len(t), -1, -1))
        return left - fitted[0][:, None] * curvature - source

    def fit(self, pairs: Batch) -> "Physics":
        """Learn what is usual from windows of two hours or more of the training period, on the whole domain."""
        if self.spec.transport and not set(WINDS) <= set(self.predictors.variables):
            raise FinescaleError(
                f"the transport term needs winds: predictors are {list(self.predictors.variables)}; add "
                f"{' and '.join(WINDS)} or set physics.transport to 0"
            )
        if not (self.spec.flux or self.spec.transport):
            return self
        t, cells = self.kelvin(pairs.x), self.kelvin(self.means(pairs.x))
        parts = [self._gaps(t[a : a + _CHUNK], cells[a : a + _CHUNK]) for a in range(0, len(t), _CHUNK)]
        gaps = torch.cat(parts).flatten(0, 1)
        offset = gaps.mean(0)
        budget = Budget(offset, torch.quantile((gaps - offset).abs(), BEYOND, dim=0))
        if self.spec.transport:
            sides = [self._pair(pairs, a) for a in range(0, len(pairs.x), _CHUNK)]
            left, known = (torch.cat([side[i] for side in sides]) for i in (0, 1))
            inner = self.owner[0][1:-1], self.owner[1][1:-1]
            budget = Budget(budget.offset, budget.gap, *fit_transport(left, known, inner))
        return replace(self, budget=budget)

    def _usual(self) -> Budget:
        if self.budget is None:
            raise FinescaleError("flux and transport are held against what is usual: fit the terms first")
        return self.budget

    def _pair(self, pairs: Batch, start: int) -> tuple[Tensor, Tensor]:
        """Left-hand side ``[N, H - 2, W - 2]`` and what explains it ``[N, H - 2, W - 2, F]`` of some pairs."""
        context = pairs.context(pairs.x.device).rows(start, start + _CHUNK)
        left, curvature = self._sides(self.kelvin(pairs.x[start : start + _CHUNK]), context)
        source = waves(context)[..., None, None, :].expand(*curvature.shape, -1)
        return left.flatten(0, 1), torch.cat([curvature[..., None], source], -1).flatten(0, 1)

    def _sides(self, t: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        assert context.coarse is not None
        u, v = (self._wind(context.coarse, name) for name in WINDS)
        left, curvature = transport(t[:, :-1], t[:, 1:], (u, v), self.fine)
        return left[..., 1:-1, 1:-1], curvature[..., 1:-1, 1:-1]

    def _wind(self, frames: Tensor, name: str) -> Tensor:
        """A wind component between the frames on the fine grid ``[B, T - 1, H, W]``, m s-1."""
        c = self.predictors.variables.index(name)
        values = frames[:, :, c] * self.predictors.scale[c] + self.predictors.centre[c]
        rows, columns = self.rise
        wind: Tensor = rows @ ((values[:, :-1] + values[:, 1:]) / 2) @ columns.mT
        return wind


def balance(denoising: Tensor, physical: Tensor, head: Tensor, rho: float) -> Tensor:
    """Sum of two losses, the second weighted so that its gradient by ``head`` has rho of the first one's length."""
    one, two = (
        torch.autograd.grad(value, head, retain_graph=True)[0].norm() for value in (denoising, physical)
    )
    share = torch.where(two > 0, rho * one / two.clamp_min(1e-30), torch.zeros_like(one))
    return denoising + share.detach() * physical


def _tensor(matrix: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(matrix).float()

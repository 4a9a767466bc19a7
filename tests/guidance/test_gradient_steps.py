"""DPS and UCG on single frames with a linear denoiser: gradients by hand, batches, and the vanishing gradient."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.operator import AreaMean, Clock, Stations, bilinear
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.guidance.dps import Dps
from finescale.guidance.guidance import Moment
from finescale.guidance.ladder import Ladder
from finescale.guidance.observation import Observation, Segment, Source
from finescale.guidance.solver import Level, advance
from finescale.guidance.ucg import Ucg, by_latitude

LEVEL = Level(0.8, 0.5, 0.0, "ancestral")
SHRINK = 0.7


GRID = Grid(tuple(40.0 + k for k in range(12)), tuple(float(k) for k in range(12)))


def segment(factor: int) -> Segment:
    space = AreaMean.of(Coarsening(GRID, GRID.coarsen(factor)))
    y = torch.randn(2, 1, space.size, generator=torch.Generator().manual_seed(2))
    found = Observation((Source(space, Clock(1), (0,), 0, y, torch.zeros(1)),)).segment(0, 2)
    assert found is not None
    return found


def moment(seg: Segment, x: Tensor, level: Level = LEVEL) -> Moment:
    return Moment(x, SHRINK * x, level, seg, slice(None), lambda v: SHRINK * v)


def states(members: int = 3) -> Tensor:
    return torch.randn(members, 2, 1, 12, 12, generator=torch.Generator().manual_seed(1))


def ucg(residual: str = "fine", *scales: int, lat: bool = False, trust=None, factor: int = 2) -> Ucg:
    ladder = Ladder.of(segment(factor).parts[0][0].space, GRID, scales)
    return Ucg(replace(ladder, trust=trust), 0.4, by_latitude(GRID) if lat else None, residual)


GUIDANCES = {
    "dps": Dps(0.4),
    "ucg": ucg(),
    "ucg by latitude": ucg(lat=True),
    "ucg coarse": ucg("coarse"),
    "ucg common": ucg("fine", 4, lat=True),
    "ucg ladder": ucg("fine", 2, 4, 6, trust=torch.tensor([[0.3], [0.9], [1.0]])),
}


def norm_of(guidance, r: Tensor) -> Tensor:
    """The norm whose gradient a guidance follows, written out, of cell residuals ``[..., h, w]``."""
    if isinstance(guidance, Dps):
        return r.flatten(2).norm(dim=2)
    ladder, total = guidance.ladder, 0.0
    for k, rung in enumerate(ladder.rungs):
        shown = rung.rows.float() @ r @ rung.columns.float().T
        if k + 1 < len(ladder.rungs):
            wider = ladder.rungs[k + 1]
            smooth = wider.rows.float() @ r @ wider.columns.float().T
            block = r.shape[-1] // smooth.shape[-1]
            smooth = smooth.repeat_interleave(block, -1).repeat_interleave(block, -2)
            shown = rung.rows.float() @ (r - smooth) @ rung.columns.float().T
        if guidance.residual == "fine":
            shown = rung.up.float() @ shown @ rung.across.float().T
            if guidance.weights is not None:
                shown = shown * guidance.weights.float().sqrt()[:, None]
        weight = 1.0 if ladder.trust is None else ladder.trust[k, 0]
        total = total + weight * shown.flatten(2).square().sum(2)
    return total.sqrt()


@pytest.mark.parametrize("name", GUIDANCES)
def test_the_next_state_moves_down_the_gradient_of_the_norm(name) -> None:
    guidance, seg, x = GUIDANCES[name], segment(2), states(1).requires_grad_()
    (r,) = seg.split(seg.residual(SHRINK * x))
    norm_of(guidance, r.reshape(*r.shape[:-1], 6, 6)).sum().backward()
    vp = ((1 + LEVEL.sigma**2) * (1 + LEVEL.target**2)) ** 0.5
    plain, _ = advance(LEVEL, x.detach(), SHRINK * x.detach(), ())
    found, _ = advance(LEVEL, x.detach(), guidance(moment(seg, x.detach())), ())
    torch.testing.assert_close(found, plain - 0.4 * vp * x.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", GUIDANCES)
def test_members_do_not_see_one_another(name) -> None:
    guidance, seg, x = GUIDANCES[name], segment(2), states(3)
    together = guidance(moment(seg, x))
    alone = torch.cat([guidance(moment(seg, x[m : m + 1])) for m in range(3)])
    torch.testing.assert_close(together, alone)


def test_the_gradient_of_dps_vanishes_with_the_factor_and_that_of_ucg_does_not() -> None:
    def size(guidance, factor: int) -> float:
        return float((guidance(moment(segment(factor), states())) - SHRINK * states()).norm())

    assert size(Dps(), 6) < 0.5 * size(Dps(), 2)
    assert 0.8 < size(ucg(factor=6), 6) / size(ucg(factor=2), 2) < 1.25


def test_bilinear_reproduces_a_line_between_the_centres() -> None:
    means = torch.eye(4).repeat_interleave(3, 1) / 3
    line = bilinear(means) @ torch.tensor([1.0, 4.0, 7.0, 10.0], dtype=torch.float64)
    torch.testing.assert_close(line, torch.arange(12.0, dtype=torch.float64).clamp(1, 10))


@pytest.mark.parametrize("name", GUIDANCES)
def test_a_limited_step_ends_at_the_nearest_point_or_before(name) -> None:
    seg, x = segment(2), states(2)
    seen = moment(seg, x)
    free, ample = (replace(GUIDANCES[name], zeta=z, limit=True)(seen) for z in (1e-3, 1e3))
    torch.testing.assert_close(free, replace(GUIDANCES[name], zeta=1e-3)(seen))
    direction = ample - SHRINK * x

    def norm(scale: float) -> Tensor:
        (r,) = seg.split(seg.residual(SHRINK * x + scale * direction))
        return norm_of(GUIDANCES[name], r.reshape(*r.shape[:-1], 6, 6))

    assert (norm(1.0) < norm(0.98)).all()
    assert (norm(1.0) < norm(1.02)).all()


def test_a_scale_is_trusted_as_far_as_its_variance_is_right() -> None:
    variance, true = torch.tensor([[1.0, 4.0], [0.0, 9.0]]), torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    found = ucg().ladder.trusting(variance, true).trust
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.5], [0.5, 0.2]]))


def test_a_common_scale_takes_whole_cells() -> None:
    with pytest.raises(FinescaleError, match="whole coarse cells"):
        ucg("fine", 6, factor=4)


def test_solvers_of_two_evaluations_are_refused() -> None:
    with pytest.raises(FinescaleError, match="one evaluation a step"):
        Dps()(moment(segment(4), states(), Level(0.8, 0.5, 0.0, "2m")))


def test_ucg_refuses_stations() -> None:
    space = Stations((12, 12), torch.zeros(2, 4, dtype=torch.long), torch.full((2, 4), 0.25))
    seen = Observation((Source(space, Clock(1), (0,), 0, torch.ones(2, 1, 2), torch.zeros(1)),)).segment(0, 2)
    with pytest.raises(FinescaleError, match="stations"):
        ucg()(moment(seen, states()))

"""DPS and UCG on single frames with a linear denoiser: gradients by hand, batches, and the vanishing gradient."""

import pytest
import torch
from torch import Tensor

from finescale.errors import FinescaleError
from finescale.fields.operator import AreaMean, Clock, Stations
from finescale.guidance.dps import Dps
from finescale.guidance.guidance import Moment
from finescale.guidance.observation import Observation, Segment, Source
from finescale.guidance.solver import Level, advance
from finescale.guidance.ucg import Ucg, bilinear

LEVEL = Level(0.8, 0.5, 0.0, "ancestral")
SHRINK = 0.7


def segment(factor: int, cells: int = 12) -> Segment:
    block = torch.eye(cells // factor).repeat_interleave(factor, 1) / factor
    y = torch.randn(2, 1, (cells // factor) ** 2, generator=torch.Generator().manual_seed(2))
    found = Observation((Source(AreaMean(block, block), Clock(1), (0,), 0, y, torch.zeros(1)),)).segment(0, 2)
    assert found is not None
    return found


def moment(seg: Segment, x: Tensor, level: Level = LEVEL) -> Moment:
    return Moment(x, SHRINK * x, level, seg, slice(None), lambda v: SHRINK * v)


def states(members: int = 3) -> Tensor:
    return torch.randn(members, 2, 1, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "guidance", [Dps(0.4), Ucg(0.4), Ucg(0.4, residual="coarse"), Ucg(0.4, tuple(range(40, 52)))]
)
def test_the_next_state_moves_down_the_gradient_of_the_norm(guidance) -> None:
    seg, x = segment(4), states(1).requires_grad_()
    (r,) = seg.split(seg.residual(SHRINK * x))
    fine = r if isinstance(guidance, Dps) else guidance._spread(seg.parts[0][0].space, r)
    fine.flatten(2).norm(dim=2).sum().backward()
    vp = ((1 + LEVEL.sigma**2) * (1 + LEVEL.target**2)) ** 0.5
    plain, _ = advance(LEVEL, x.detach(), SHRINK * x.detach(), ())
    found, _ = advance(LEVEL, x.detach(), guidance(moment(seg, x.detach())), ())
    torch.testing.assert_close(found, plain - 0.4 * vp * x.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("guidance", [Dps(), Ucg()])
def test_members_do_not_see_one_another(guidance) -> None:
    seg, x = segment(4), states(3)
    together = guidance(moment(seg, x))
    alone = torch.cat([guidance(moment(seg, x[m : m + 1])) for m in range(3)])
    torch.testing.assert_close(together, alone)


def test_the_gradient_of_dps_vanishes_with_the_factor_and_that_of_ucg_does_not() -> None:
    dps, ucg = (
        [float((g(moment(segment(f), states())) - SHRINK * states()).norm()) for f in (2, 6)]
        for g in (Dps(), Ucg())
    )
    assert dps[1] < 0.5 * dps[0]
    assert 0.8 < ucg[1] / ucg[0] < 1.25


def test_bilinear_reproduces_a_line_between_the_centres() -> None:
    means = torch.eye(4).repeat_interleave(3, 1) / 3
    line = bilinear(means) @ torch.tensor([1.0, 4.0, 7.0, 10.0], dtype=torch.float64)
    torch.testing.assert_close(line, torch.arange(12.0, dtype=torch.float64).clamp(1, 10))


def test_solvers_of_two_evaluations_are_refused() -> None:
    with pytest.raises(FinescaleError, match="one evaluation a step"):
        Dps()(moment(segment(4), states(), Level(0.8, 0.5, 0.0, "2m")))


def test_ucg_refuses_stations() -> None:
    space = Stations((12, 12), torch.zeros(2, 4, dtype=torch.long), torch.full((2, 4), 0.25))
    seen = Observation((Source(space, Clock(1), (0,), 0, torch.ones(2, 1, 2), torch.zeros(1)),)).segment(0, 2)
    with pytest.raises(FinescaleError, match="stations"):
        Ucg()(moment(seen, states()))

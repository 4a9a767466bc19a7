"""DDRM, DPS and UCG on single frames of a Gaussian world whose posterior is known: what each is known to do."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from finescale.fields.noise import Noise
from finescale.grid.grid import Grid
from finescale.guidance.ddrm import Ddrm
from finescale.guidance.dps import Dps
from finescale.guidance.guidance import Guidance, Moment
from finescale.guidance.ladder import Ladder
from finescale.guidance.solver import Level, SamplerSpec, levels
from finescale.guidance.ucg import Ucg
from finescale.guidance.wave import Wave
from finescale.prior.window import Windows

WALK = SamplerSpec("ancestral", 200, "log", 50.0, 0.005)
RESTORE = SamplerSpec("renoise", 20, "log", 50.0, 0.005)


def grid(cells: int) -> Grid:
    """At the equator, where all rows weigh the same."""
    axis = tuple(0.01 * (k - cells / 2 + 0.5) for k in range(cells))
    return Grid(axis, axis)


def ladder(world, *scales: int) -> Ladder:
    return Ladder.of(world.space, grid(world.n), scales)


def drawn(world, guidance: Guidance, sampler: SamplerSpec, y: Tensor, members, batch: int = 4096) -> Tensor:
    """Members ``[M, 1, C, n, n]`` given one observed vector."""
    wave = Wave(
        lambda x, s, _: world.denoise(x, s), Windows(1, 1), guidance, world.observe(y.view(1, 2, -1)),
        levels(sampler), Noise(3, world.variables, (world.n, world.n)), tuple(members), 0, 1, 1, batch,
    )  # fmt: skip
    return torch.cat([x for _, x in wave.run()], 1).double()


@pytest.fixture(scope="module")
def world(worlds):
    return worlds.GaussianWorld(frames=1, n=32, factor=8, every=1, error=4e-3)


@pytest.fixture(scope="module")
def seen(world) -> Tensor:
    """What is observed of one draw, with its error."""
    noise = torch.randn(world.segment.size, generator=torch.Generator().manual_seed(0)).double()
    return world.segment.apply(world.draw(1, 7))[0] + world.error**0.5 * noise


def misfit(world, x: Tensor, y: Tensor) -> float:
    """Root mean square of H x - y."""
    return float((world.segment.apply(x) - y).square().mean().sqrt())


@pytest.fixture(scope="module")
def exact(world, seen) -> Tensor:
    return world.posterior(seen, 64, 5)


def test_ddrm_keeps_to_an_exact_observation_exactly(worlds, seen) -> None:
    world = worlds.GaussianWorld(frames=1, n=32, factor=8, every=1, error=0.0)
    x = drawn(world, Ddrm(), RESTORE, seen, range(4))
    assert misfit(world, x, seen) < 1e-5


def test_ddrm_leaves_room_for_the_error_of_the_observation(world, seen, exact) -> None:
    """It is no exact posterior: its members lie nearer to y than they should, but not on it."""
    x = drawn(world, Ddrm(), RESTORE, seen, range(64))
    assert 0.4 < misfit(world, x, seen) / misfit(world, exact, seen) < 1.1


def test_ddrm_starts_with_its_own_law(world, seen) -> None:
    guidance, level = Ddrm(), levels(RESTORE)[0]
    white = torch.randn(1000, 1, 2, 32, 32, generator=torch.Generator().manual_seed(1)).double()
    segment = world.observe(seen.view(1, 2, -1)).segment(0, 1)
    size = segment.diagonal.sqrt()
    along = segment.apply(guidance.start(white, level, segment)) / size
    variance = level.sigma**2 - segment.error / segment.diagonal
    assert ((along.mean(0) - segment.y / size) / (variance / 1000).sqrt()).abs().max() < 5
    assert (along.var(0) / variance - 1).abs().max() < 5 * (2 / 1000) ** 0.5
    rest = white - segment.adjoint(segment.apply(white) / segment.diagonal, white)
    found = guidance.start(white, level, segment)
    found = found - segment.adjoint(segment.apply(found) / segment.diagonal, found)
    torch.testing.assert_close(found, level.sigma * rest)


def test_a_step_of_ddrm_is_the_published_one(world, seen) -> None:
    """Against the update written out in the singular vectors of the dense matrix H."""
    segment = world.observe(seen.view(1, 2, -1)).segment(0, 1)
    like = torch.zeros(segment.size, 1, 2, 32, 32, dtype=torch.float64)
    h = segment.adjoint(torch.eye(segment.size, dtype=torch.float64), like).flatten(1)
    u, s, vt = torch.linalg.svd(h, full_matrices=False)
    generator = torch.Generator().manual_seed(2)
    x, x0, z = (torch.randn(1, 1, 2, 32, 32, generator=generator).double() for _ in range(3))
    eta, eta_b = 0.85, 0.9
    for target in (0.6, 0.1):  # the error along a singular vector is 8 sqrt(4e-3) = 0.5
        level = Level(1.1, target, eta * target, "renoise", (1 - eta**2) ** 0.5)
        free = x0 + level.ratio * target * (x - x0) / level.sigma + eta * target * z
        a, y, w = vt @ x0.flatten(), (u.T @ segment.y) / s, vt @ z.flatten()
        e = (segment.error / s**2).sqrt()
        near = a + level.ratio * target * (y - a) / e + eta * target * w
        far = (1 - eta_b) * a + eta_b * y + (target**2 - (eta_b * e) ** 2).clamp_min(0).sqrt() * w
        along = torch.where(target < e, near, far)
        flat = free.flatten()
        expected = flat + vt.T @ (along - vt @ flat)
        guidance = Ddrm(eta_b)
        mean = guidance(Moment(x, x0, level, segment, slice(None)))
        share = level.ratio * level.target / level.sigma
        found = mean + share * (x - mean) + guidance.fresh(z, level, segment)
        torch.testing.assert_close(found.flatten(), expected, rtol=1e-6, atol=1e-6)


def test_dps_needs_a_long_step_and_ucg_a_short_one(worlds) -> None:
    """Misfits in units of the prior's own: DPS falls with zeta, UCG is there at once and then overshoots with zeta."""
    world = worlds.GaussianWorld(frames=1, n=64, factor=16, every=1, error=0.0)
    y = world.segment.apply(world.draw(1, 7))[0]
    free = misfit(world, world.draw(8, 11), y)
    error = {
        (name, zeta): misfit(world, drawn(world, guidance, WALK, y, range(4)), y) / free
        for zeta in (0.3, 1.0, 3.0)
        for name, guidance in (("dps", Dps(zeta)), ("ucg", Ucg(ladder(world), zeta)))
    }
    assert error["dps", 0.3] > 0.2
    assert error["dps", 0.3] > 2 * error["dps", 1.0] > 10 * error["dps", 3.0]
    assert error["ucg", 0.3] < 0.02
    assert 2 < error["ucg", 3.0] / error["ucg", 1.0] < 5


@pytest.mark.parametrize("name", ["ddrm", "dps", "ucg"])
def test_members_do_not_depend_on_the_batch(world, seen, name) -> None:
    guidance = {"ddrm": Ddrm(), "dps": Dps(1.0), "ucg": Ucg(ladder(world), 0.2)}[name]
    walk = RESTORE if name == "ddrm" else replace(WALK, steps=20)
    together = drawn(world, guidance, walk, seen, range(5))
    alone = torch.cat([drawn(world, guidance, walk, seen, (m,), 1) for m in range(5)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "low", "high"), [("ucg", 0.8, 1.25), ("dps", 0.0, 0.5)])
def test_the_gradient_against_the_factor(worlds, name, low, high) -> None:
    """Six against twenty fine cells along each side of a coarse one, along a whole unguided walk."""
    ratios = []
    for sigma in (3.0, 1.0, 0.3, 0.1):
        sizes = []
        for factor in (6, 20):
            world = worlds.GaussianWorld(frames=1, n=120, factor=factor, every=1, length=20.0)
            truth, other = world.draw(1, 1), world.draw(2, 2)
            x = other + sigma * torch.randn(other.shape, generator=torch.Generator().manual_seed(0)).double()
            level = Level(sigma, 0.8 * sigma, 0.0, "ancestral")
            segment = world.observe(world.segment.apply(truth).view(1, 2, -1)).segment(0, 1)
            mean, pull = world.denoise(x, sigma), lambda v, w=world, s=sigma: w.denoise(v, s)
            guidance = Ucg(ladder(world), 1.0) if name == "ucg" else Dps(1.0)
            moved = guidance(Moment(x, mean, level, segment, slice(None), pull)) - mean
            sizes.append(float(moved.norm()))
        ratios.append(sizes[1] / sizes[0])
    assert all(low < ratio < high for ratio in ratios), ratios

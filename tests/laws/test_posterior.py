"""Guidances, samplers and windows against a posterior that is known exactly (small version of `make oracle`)."""

from pathlib import Path

import pytest
import torch

from finescale.fields.noise import Noise
from finescale.guidance.draws import ClimateDraws
from finescale.guidance.gaussian_cov import GaussianCov
from finescale.guidance.mmps import Mmps
from finescale.guidance.none import Unguided
from finescale.guidance.sda import Sda
from finescale.guidance.solver import SamplerSpec, levels
from finescale.guidance.wave import Wave
from finescale.prior.window import Windows
from finescale.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
SAMPLER = SamplerSpec("2m", 16, sigma_max=120.0)


@pytest.fixture(scope="module")
def oracle(worlds, tables):
    return tables.Oracle(worlds.GaussianWorld(frames=37, n=8, factor=4), cases=3, members=64)


@pytest.fixture(scope="module")
def truth(worlds, oracle):
    return worlds.TrueCovariance(oracle.world)


def start(oracle):
    return lambda case: lambda members, first, stop: oracle.mean[case : case + 1, first:stop]


def test_exact_draws_are_the_noise_floor(oracle) -> None:
    row = oracle.exact()
    assert row.bias < 1e-6
    assert abs(row.var - 1) < 0.05
    assert abs(row.crps) < 0.003


def test_a_known_covariance_gives_the_posterior(oracle, truth) -> None:
    row = oracle.run("", GaussianCov(truth, 37), SAMPLER, block=37, origin=start(oracle))
    assert row.bias < 0.03
    assert 0.95 < row.var < 1.05
    assert row.crps < 0.005
    assert 0.9 < row.misfit < 1.1
    assert row.passes <= 100


def test_windows_cost_one_percent(oracle, truth) -> None:
    row = oracle.run("", GaussianCov(truth, 37), SAMPLER, Windows(9, 5), block=37, origin=start(oracle))
    assert row.crps < 0.012
    assert 0.95 < row.incr < 1.12


def test_gradients_mend_a_wrong_covariance(worlds, tables, oracle) -> None:
    cov = tables.ClimateCovariance(worlds.fitted(oracle.world, 60, joint=0))
    start = tables.climate_start(oracle, cov)
    wrong = oracle.run("", GaussianCov(cov, 37), SAMPLER, block=37, origin=start)
    mended = oracle.run("", Mmps(1, cov, 0.3, 37), SAMPLER, block=37, backward=2, origin=start)
    assert mended.crps < min(0.005, wrong.crps / 3)
    assert mended.bias < 0.1
    assert 0.95 < mended.var < 1.06
    assert mended.passes <= 100


def test_a_fitted_covariance_that_knows_movement_needs_no_gradients(worlds, tables, oracle) -> None:
    """Full length within 1 % of the exact CRPS; windows of nine within 2 %; four times closer than without movement."""
    moving, still = (tables.ClimateCovariance(worlds.fitted(oracle.world, 60, joint=n)) for n in (256, 0))
    rows = {}
    for name, cov, windows in (
        ("full", moving, None),
        ("nine", moving, Windows(9, 5)),
        ("still", still, None),
    ):
        begin = tables.climate_start(oracle, cov)
        rows[name] = oracle.run("", GaussianCov(cov, 37), SAMPLER, windows, block=37, origin=begin)
    assert rows["full"].crps < min(0.01, rows["still"].crps / 4)
    assert rows["nine"].crps < 0.02
    assert 0.95 < rows["nine"].incr < 1.12
    assert rows["full"].bias < 0.15


def test_the_default_meets_the_posterior(worlds, tables, oracle) -> None:
    """The method `finescale` as params.yaml has it, its climate fitted to two and a half years of hours."""
    method = load_settings(ROOT / "params.yaml").downscale.finescale
    sampler, reach = SamplerSpec(**method.sampler.model_dump()), method.guidance.reach
    cov = tables.ClimateCovariance(worlds.fitted(oracle.world, 600))
    still = tables.ClimateCovariance(cov.climate.apart())
    rows = {}
    for name, known, windows in (
        ("full", cov, None),
        ("nine", cov, Windows(9, method.windows.stride)),
        ("still", still, None),
    ):
        draws = lambda noise, c=known.climate: ClimateDraws(c, noise, levels(sampler)[-1].sigma, use=1)  # noqa: E731
        rows[name] = oracle.run(
            "", GaussianCov(known, reach), sampler, windows, block=37,
            origin=tables.climate_start(oracle, known, sampler.start),
            ending=lambda noise, draws=draws: tables.PairedFinish(draws(noise)),
        )  # fmt: skip
    full, nine = rows["full"], rows["nine"]
    assert full.bias < 0.1 and 0.95 < full.var < 1.05 and full.misfit < 1.1
    assert full.crps < min(0.005, rows["still"].crps / 4)
    assert full.passes <= 100
    assert nine.crps < 0.01 and 0.95 < nine.incr < 1.12


def test_detached_guidance_needs_a_gamma_below_that_of_white_noise(oracle) -> None:
    sampler = SamplerSpec("euler", 32, "cosine", 1000.0, 1e-3)
    white, tuned = (
        oracle.run("", Sda(g / oracle.world.factor**2), sampler, block=37).crps for g in (1.0, 0.06)
    )
    assert white > 0.05
    assert tuned < white / 3


def test_conjugate_gradients_converge_to_the_known_covariance(oracle, truth) -> None:
    rows = [oracle.run("", Mmps(n, reach=37), SAMPLER, block=37, backward=n) for n in (1, 4)]
    assert rows[1].crps < rows[0].crps
    assert rows[1].bias < rows[0].bias


def test_blocks_do_not_change_the_answer(oracle, worlds) -> None:
    world = oracle.world

    def draw(block: int, batch: int) -> torch.Tensor:
        noise = Noise(0, world.variables, (world.n, world.n))
        y = world.observe(oracle.y[0].view(-1, 2, world.space.size))
        wave = Wave(
            lambda x, s, _: world.denoise(x, s), Windows(9, 5), Unguided(), y, levels(SamplerSpec("2m", 6)), noise,
            (0, 1), 0, 37, block, batch,
        )  # fmt: skip
        return torch.cat([x for _, x in wave.run()], 1)

    whole = draw(37, 64)
    torch.testing.assert_close(draw(9, 64), whole, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(draw(12, 1), whole, rtol=1e-4, atol=1e-4)

"""The judge of samplers: cases of a Gaussian world whose posterior is known exactly, and what a draw is held against.

Columns: passes = calls of the denoiser on the whole series, forward and backward each one (windows: evaluations
times their share of the series); bias = error of the posterior mean in posterior standard deviations; var = mean
variance over the exact one; crps+ = expected CRPS above that of the exact posterior; misfit = RMS of H x - y over its
expected value; incr = mean square hourly increment over that of exact draws. `exact` is Matheron's rule with the same
number of draws: the noise floor of the table.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from gaussian_world import GaussianWorld
from torch import Tensor

from finescale.fields.noise import Noise
from finescale.guidance.covariance import ClimateCovariance
from finescale.guidance.draws import Finish
from finescale.guidance.guidance import Guidance
from finescale.guidance.matheron import GaussianPosterior
from finescale.guidance.solver import SamplerSpec, levels
from finescale.guidance.wave import Wave
from finescale.prior.window import Windows

Origin = Callable[[tuple[int, ...], int, int], Tensor]
Ending = Callable[[Noise], Finish]


class Antithetic(Noise):
    """Members 2k and 2k + 1 get opposite noise: means of linear methods are then exact."""

    def __call__(self, members, hours, stream=0) -> Tensor:
        pairs = sorted({m // 2 for m in members})
        drawn = dict(zip(pairs, super().__call__(pairs, hours, stream), strict=True))
        return torch.stack([drawn[m // 2] * (1 - 2 * (m % 2)) for m in members])


class PairedFinish(Finish):
    """A finish whose observation errors are opposite in each pair, as its fields are."""

    def errors(self, members, segment) -> Tensor:
        drawn = super().errors(tuple(m // 2 for m in members), segment)
        return drawn * torch.tensor([1.0 - 2 * (m % 2) for m in members])[:, None]


@dataclass(frozen=True)
class Row:
    name: str
    passes: float
    bias: float
    var: float
    crps: float
    misfit: float
    incr: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.name:<44}{self.passes:8.0f}{self.bias:8.3f}{self.var:8.3f}{100 * self.crps:9.2f} %"
            f"{self.misfit:8.2f}{self.incr:8.3f}{self.seconds:8.1f}"
        )


HEADER = f"{'method':<44}{'passes':>8}{'bias':>8}{'var':>8}{'crps+':>11}{'misfit':>8}{'incr':>8}{'sec':>8}"


class Oracle:
    """Cases of one Gaussian world: some truths, what is observed of them, and the exact answers."""

    def __init__(self, world: GaussianWorld, cases: int, members: int, seed: int = 0) -> None:
        self.world, self.cases, self.members, self.seed = world, cases, members, seed
        truth = world.draw(cases, seed + 1000)
        noise = torch.randn(cases, world.segment.size, generator=torch.Generator().manual_seed(seed)).double()
        self.y = world.segment.apply(truth) + noise * world.segment.error.sqrt()
        self.mean, self.variance = world.mean(self.y), world.variance
        exact = world.posterior(self.y[0], 256, seed + 2000)
        self.increment = [
            self._increments(world.mean(y[None]) + exact - world.mean(self.y[:1])) for y in self.y
        ]

    @staticmethod
    def _increments(x: Tensor) -> float:
        return float((x[:, 1:] - x[:, :-1]).square().mean())

    def score(self, name: str, passes: float, draw: Callable[[int], Tensor]) -> Row:
        """Score `draw(case) -> [M, T, C, n, n]`."""
        begin = time.perf_counter()
        means, spread, misfit, increments = [], 0.0, 0.0, 0.0
        for case in range(self.cases):
            x = draw(case).double()
            means.append(x.mean(0))
            spread = spread + x.var(0, correction=0) / self.cases  # pairs: the mean takes no freedom
            misfit += float((self.world.segment.apply(x) - self.y[case]).square().mean()) / self.cases
            increments += self._increments(x) / self.increment[case] / self.cases
        seconds = time.perf_counter() - begin
        error = torch.stack(means) - self.mean
        spread = torch.as_tensor(spread)
        excess = crps(error, spread, self.variance) / crps(torch.zeros(1), self.variance, self.variance) - 1
        # The estimated variance is noisy; what that alone adds to the CRPS of a Gaussian is known.
        excess -= 1 / (4 * self.cases * self.members)
        return Row(
            name,
            passes,
            float((error.square() / self.variance).mean().sqrt()),
            float(spread.mean() / self.variance.mean()),
            float(excess),
            (misfit / self.expected_misfit()) ** 0.5,
            increments,
            seconds,
        )

    def expected_misfit(self) -> float:
        """Mean square of H x - y over exact posterior draws."""
        world = self.world
        sandwich = world.segment.apply(world.cross)
        gain = torch.cholesky_solve(sandwich, world.factor_of(world.cross))
        left = (sandwich - sandwich @ gain).diagonal().mean()
        return float(left + (world.segment.apply(self.mean) - self.y).square().mean())

    def exact(self) -> Row:
        """Matheron draws."""
        return self.score("exact", 0, lambda c: self._pairs(c))

    def _pairs(self, case: int) -> Tensor:
        x = self.world.posterior(self.y[case], self.members // 2, self.seed + case)
        return torch.cat([x, 2 * self.mean[case] - x])

    def run(
        self,
        name: str,
        guidance: Guidance,
        sampler: SamplerSpec,
        windows: Windows | None = None,
        block: int = 24,
        backward: int = 0,
        origin: Callable[[int], Origin] | None = None,
        ending: Ending | None = None,
    ) -> Row:
        """Score a sampler; `backward` is the number of backward passes at a level that has any."""
        world = self.world
        windows = windows or Windows(world.frames, world.frames)
        walk = levels(sampler)
        share = windows.size / world.frames
        made: list[int] = []

        def denoise(x: Tensor, sigma: float, starts: list[int]) -> Tensor:
            return world.denoise(x, sigma)

        def draw(case: int) -> Tensor:
            y = self.y[case].view(-1, 2, world.space.size)
            noise = Antithetic(self.seed + 7 * case, world.variables, (world.n, world.n))
            members = tuple(range(self.members))
            wave = Wave(
                denoise, windows, guidance, world.observe(y), walk, noise, members, 0, world.frames, block, 4096,
                count=made.append, origin=origin and origin(case), finish=ending and ending(noise),
            )  # fmt: skip
            return torch.cat([x for _, x in wave.run()], 1)

        row = self.score(name, 0.0, draw)
        forward = sum(made) / self.cases / self.members * share
        return replace(row, passes=forward + backward * sum(guidance.backward(level) for level in walk))


def crps(error: Tensor, spread: Tensor, variance: Tensor) -> Tensor:
    """Expected CRPS of N(m + error, spread) when the truth is N(m, variance), mean over all cells."""
    total = spread + variance
    z = error / total.sqrt()
    first = total.sqrt() * ((2 / torch.pi) ** 0.5 * torch.exp(-(z**2) / 2) + z * torch.erf(z / 2**0.5))
    return (first - spread.sqrt() / torch.pi**0.5).mean()


def climate_start(oracle: Oracle, cov: ClimateCovariance, kind: str = "mean") -> Callable[[int], Origin]:
    """The posterior mean of a fitted climate, or draws from it, for every case."""
    world = oracle.world

    def start(case: int) -> Origin:
        y = world.observe(oracle.y[case].view(-1, 2, world.space.size))
        noise = Antithetic(oracle.seed + 7 * case, world.variables, (world.n, world.n))
        clock = torch.zeros(world.frames, 2)
        posterior = GaussianPosterior(cov, y, clock, noise, 0, world.frames, world.frames, world.frames)
        return posterior.mean if kind == "mean" else posterior.sample

    return start

"""How far each guidance, sampler and window scheme is from a posterior that is known exactly.

    python benchmarks/oracle.py [--quick] [--factor 8] [NAME ...]

Columns: passes = calls of the denoiser on the whole series, forward and backward each one (windows: evaluations
times their share of the series); bias = error of the posterior mean in posterior standard deviations; var = mean
variance over the exact one; crps+ = expected CRPS above that of the exact posterior; misfit = RMS of H x - y over its
expected value; incr = mean square hourly increment over that of exact draws. `exact` is Matheron's rule with the same
number of draws: the noise floor of the table.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from gaussian_world import GaussianWorld, TrueCovariance, fitted
from torch import Tensor

from finescale.fields.noise import Noise
from finescale.guidance.covariance import ClimateCovariance
from finescale.guidance.gaussian_cov import GaussianCov
from finescale.guidance.guidance import Guidance
from finescale.guidance.matheron import GaussianPosterior
from finescale.guidance.mmps import Mmps
from finescale.guidance.project import Project
from finescale.guidance.sda import QUANT95_STD, Sda
from finescale.guidance.solver import SamplerSpec, levels
from finescale.guidance.wave import Wave
from finescale.prior.window import Windows

Origin = Callable[[tuple[int, ...], int, int], Tensor]


class Antithetic(Noise):
    """Members 2k and 2k + 1 get opposite noise: means of linear methods are then exact."""

    def __call__(self, members, hours, stream=0) -> Tensor:
        pairs = sorted({m // 2 for m in members})
        drawn = dict(zip(pairs, super().__call__(pairs, hours, stream), strict=True))
        return torch.stack([drawn[m // 2] * (1 - 2 * (m % 2)) for m in members])


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
                count=made.append, origin=origin and origin(case),
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


def climate_start(oracle: Oracle, cov: ClimateCovariance) -> Callable[[int], Origin]:
    """The posterior mean of a fitted climate, for every case."""
    world = oracle.world

    def start(case: int) -> Origin:
        y = world.observe(oracle.y[case].view(-1, 2, world.space.size))
        noise = Noise(oracle.seed, world.variables, (world.n, world.n))
        clock = torch.zeros(world.frames, 2)
        return GaussianPosterior(cov, y, clock, noise, 0, world.frames, world.frames, world.frames).mean

    return start


DDIM = SamplerSpec("euler", 256, "cosine", sigma_max=1000.0, sigma_min=1e-3)


def table(oracle: Oracle) -> dict[str, Callable[[], Row]]:
    """Every row by name."""
    world, run = oracle.world, oracle.run
    true = TrueCovariance(world)
    square = world.factor**2
    dpm = lambda n, **k: SamplerSpec("2m", n, **{"sigma_max": 40.0} | k)  # noqa: E731
    climate = fitted(world, 100)
    cov = ClimateCovariance(climate)

    def exact_mean(case: int) -> Origin:
        return lambda members, first, stop: oracle.mean[case : case + 1, first:stop]

    climate_mean = climate_start(oracle, cov)
    rows: dict[str, Callable[[], Row]] = {"exact": oracle.exact}

    def add(name: str, *args, **kwargs) -> None:
        rows[name] = lambda: run(name, *args, **kwargs)

    std = (0.0425178630 / QUANT95_STD,) * 2
    add("sda published (tas constants), ddim 256", Sda(7.196856730e-4, std), DDIM)
    for g in (1.0, 0.25, 0.06, 0.016, 0.004):
        add(f"sda detached gamma {g}/s^2, ddim 256", Sda(g / square), DDIM)
    for g in (0.15, 0.01):
        add(
            f"sda exact gamma {g}/s^2, ddim 256",
            Sda(g / square, gradient="exact"),
            DDIM,
            block=48,
            backward=1,
        )
    add("project, ddim 256", Project(), DDIM)
    for n in (1, 2, 4):
        add(f"mmps cg {n}, 2m 16", Mmps(n), dpm(16), block=48, backward=n)
    for n in (8, 16, 32):
        add(f"true covariance, 2m {n}", GaussianCov(true), dpm(n), block=48)
    for n in (8, 16, 32):
        add(f"true covariance, start mean, 2m {n}", GaussianCov(true), dpm(n), block=48, origin=exact_mean)
    for n in (8, 16, 32):
        add(
            f"fitted covariance, start mean, 2m {n}",
            GaussianCov(cov, 48),
            dpm(n),
            block=48,
            origin=climate_mean,
        )
    add(
        "fitted covariance, start mean, 2m 16, smax 200",
        GaussianCov(cov, 48),
        dpm(16, sigma_max=200.0),
        block=48,
        origin=climate_mean,
    )
    for n, steps, high, above in (
        (0, 8, 20.0, 3.0),
        (0, 8, 200.0, 1.0),
        (0, 16, 200.0, 1.0),
        (0, 16, 200.0, 0.3),
        (1, 16, 200.0, 1.0),
        (1, 16, 200.0, 0.3),
        (2, 16, 200.0, 0.3),
        (1, 24, 200.0, 0.0),
    ):
        add(
            f"fitted, mmps {n} above {above}, 2m {steps}, smax {high:g}",
            Mmps(n, cov, above, reach=48),
            dpm(steps, sigma_max=high),
            block=48,
            backward=n + 1,
            origin=climate_mean,
        )
    add(
        "fitted, mmps 0 above 1, 2m 16, window 9 stride 5",
        Mmps(0, cov, 1.0, reach=48),
        dpm(16, sigma_max=200.0),
        Windows(9, 5),
        block=48,
        backward=1,
        origin=climate_mean,
    )
    add(
        "true covariance, start mean, 2m 16, window 9 stride 5",
        GaussianCov(true),
        dpm(16),
        Windows(9, 5),
        block=48,
        origin=exact_mean,
    )
    add("true covariance, heun 8", GaussianCov(true), SamplerSpec("heun", 8, "karras"), block=48)
    for size, stride in ((9, 3), (9, 5), (9, 7), (13, 6)):
        add(f"true covariance, 2m 16, window {size} stride {stride}", GaussianCov(true), dpm(16),
            Windows(size, stride), block=48)  # fmt: skip
    for size in (9, 13):
        add(f"true covariance, 2m 16, window {size} shifted", GaussianCov(true), dpm(16),
            Windows(size, size, shift=True), block=48)  # fmt: skip
    add("sda published, ddim 256, window 13 centre", Sda(7.196856730e-4, std), DDIM, Windows(13, 1, "centre"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="only rows whose name begins with one of these")
    parser.add_argument("--factor", type=int, default=8)
    parser.add_argument("--cases", type=int, default=4)
    parser.add_argument("--members", type=int, default=32)
    args = parser.parse_args()
    oracle = Oracle(GaussianWorld(factor=args.factor), args.cases, args.members)
    print(f"48 h x 16 x 16 x 2, area mean {args.factor}x{args.factor} every 6 h; {args.cases} cases, "
          f"{args.members} members")  # fmt: skip
    print(HEADER)
    for name, row in table(oracle).items():
        if not args.names or any(name.startswith(part) for part in args.names):
            print(row(), flush=True)


if __name__ == "__main__":
    main()

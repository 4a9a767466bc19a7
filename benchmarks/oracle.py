"""How far each guidance, sampler and window scheme is from a posterior that is known exactly.

    python benchmarks/oracle.py [--factor 8] [NAME ...]

What the columns mean is said in `known_posterior.py`. The first rows are the method `finescale` as params.yaml has it.
The climate of the fitted rows has seen `SERIES` series of 48 hours, five and a half years.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from gaussian_world import GaussianWorld, TrueCovariance, fitted
from known_posterior import HEADER, Ending, Oracle, Origin, PairedFinish, Row, climate_start

from finescale.guidance.covariance import ClimateCovariance
from finescale.guidance.draws import ClimateDraws
from finescale.guidance.gaussian_cov import GaussianCov
from finescale.guidance.guidance import Guidance
from finescale.guidance.mmps import Mmps
from finescale.guidance.project import Project
from finescale.guidance.sda import PUBLISHED_GAMMA, PUBLISHED_STD, QUANT95_STD, Sda
from finescale.guidance.solver import SamplerSpec, levels
from finescale.prior.window import Windows
from finescale.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
SERIES = 1000
DDIM = SamplerSpec("euler", 256, "cosine", sigma_max=1000.0, sigma_min=1e-3)
PUBLISHED = Sda(PUBLISHED_GAMMA, (PUBLISHED_STD["tas"] / QUANT95_STD,) * 2)


def multistep(steps: int, sigma_max: float = 40.0) -> SamplerSpec:
    """DPM-Solver++(2M)."""
    return SamplerSpec("2m", steps, sigma_max=sigma_max)


class Table:
    """Rows by name; nothing is computed before a row is called."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle, self.true = oracle, TrueCovariance(oracle.world)
        self.rows: dict[str, Callable[[], Row]] = {"exact": oracle.exact}
        self._fitted: ClimateCovariance | None = None

    @property
    def cov(self) -> ClimateCovariance:
        """The covariance of the climate that a user would fit; fitted when a row first asks for it."""
        self._fitted = self._fitted or ClimateCovariance(fitted(self.oracle.world, SERIES))
        return self._fitted

    def add(
        self, name: str, guidance: Callable[[], Guidance], sampler: SamplerSpec, windows: Windows | None = None,
        *, block: int = 48, backward: int = 0, start: str = "zero",
    ) -> None:  # fmt: skip
        """Put a row at the end; `start` is zero, exact (the posterior mean), or the fitted climate's mean or draw."""
        self.rows[name] = lambda: self.oracle.run(
            name, guidance(), sampler, windows, block, backward, self._origin(start), self._ending(sampler)
        )

    def _origin(self, start: str) -> Callable[[int], Origin] | None:
        if start == "zero":
            return None
        if start == "exact":
            return lambda case: lambda members, first, stop: self.oracle.mean[case : case + 1, first:stop]
        return climate_start(self.oracle, self.cov, start)

    def _ending(self, sampler: SamplerSpec) -> Ending | None:
        """What the last step is finished with; see `SamplerSpec.finish`."""
        if sampler.finish == "mean":
            return None
        sigma = levels(sampler)[-1].sigma
        return lambda noise: PairedFinish(ClimateDraws(self.cov.climate, noise, sigma, use=1))


def defaults(table: Table) -> None:
    """The method `finescale` of params.yaml, with a prior of the whole series and with its windows."""
    method = load_settings(ROOT / "params.yaml").downscale.finescale
    sampler = SamplerSpec(**method.sampler.model_dump())
    reach = method.guidance.reach
    for size, windows in (("whole", None), ("windows of 9", Windows(9, method.windows.stride or 5))):
        table.add(
            f"finescale, {size}", lambda: GaussianCov(table.cov, reach), sampler, windows, start=sampler.start
        )


def published(table: Table) -> None:
    """The scheme of Schmidt et al. (2025), its constants searched, and the range-null projection, at 256 steps."""
    square = table.oracle.world.factor**2
    table.add("sda published (tas constants), ddim 256", lambda: PUBLISHED, DDIM, block=24)
    for g in (1.0, 0.25, 0.06, 0.016, 0.004):
        table.add(f"sda detached gamma {g}/s^2, ddim 256", lambda g=g: Sda(g / square), DDIM, block=24)
    for g in (0.15, 0.01):
        exact = lambda g=g: Sda(g / square, gradient="exact")  # noqa: E731
        table.add(f"sda exact gamma {g}/s^2, ddim 256", exact, DDIM, backward=1)
    table.add("project, ddim 256", Project, DDIM, block=24)
    table.add(
        "sda published, ddim 256, window 13 centre",
        lambda: PUBLISHED,
        DDIM,
        Windows(13, 1, "centre"),
        block=24,
    )


def gradients(table: Table) -> None:
    """Conjugate gradients through the denoiser, by themselves and after the fitted climate."""
    for n in (1, 2, 4):
        table.add(f"mmps cg {n}, 2m 16", lambda n=n: Mmps(n), multistep(16), backward=n)
    for n, steps, high, above in (
        (0, 8, 20.0, 3.0), (0, 8, 200.0, 1.0), (0, 16, 200.0, 1.0), (0, 16, 200.0, 0.3),
        (1, 16, 200.0, 1.0), (1, 16, 200.0, 0.3), (2, 16, 200.0, 0.3), (1, 24, 200.0, 0.0),
    ):  # fmt: skip
        mended = lambda n=n, above=above: Mmps(n, table.cov, above, reach=48)  # noqa: E731
        name = f"fitted, mmps {n} above {above}, 2m {steps}, smax {high:g}"
        table.add(name, mended, multistep(steps, high), backward=n + 1, start="mean")
    mended = lambda: Mmps(0, table.cov, 1.0, reach=48)  # noqa: E731
    name = "fitted, mmps 0 above 1, 2m 16, window 9 stride 5"
    table.add(name, mended, multistep(16, 200.0), Windows(9, 5), backward=1, start="mean")


def covariances(table: Table) -> None:
    """The covariance in place of gradients: the true one, and that of a fitted climate."""
    true, climate = (lambda: GaussianCov(table.true)), (lambda: GaussianCov(table.cov, 48))
    for n in (8, 16, 32):
        table.add(f"true covariance, 2m {n}", true, multistep(n))
        table.add(f"true covariance, start mean, 2m {n}", true, multistep(n), start="exact")
        table.add(f"fitted covariance, start mean, 2m {n}", climate, multistep(n), start="mean")
    name = "fitted covariance, start mean, 2m 16, smax 200"
    table.add(name, climate, multistep(16, 200.0), start="mean")
    table.add("true covariance, heun 8", true, SamplerSpec("heun", 8, "karras"))


def windows(table: Table) -> None:
    """What it costs that the prior sees a few hours at a time, when guidance is perfect."""
    true = lambda: GaussianCov(table.true)  # noqa: E731
    name = "true covariance, start mean, 2m 16, window 9 stride 5"
    table.add(name, true, multistep(16), Windows(9, 5), start="exact")
    for size, stride in ((9, 3), (9, 5), (9, 7), (13, 6)):
        name = f"true covariance, 2m 16, window {size} stride {stride}"
        table.add(name, true, multistep(16), Windows(size, stride))
    for size in (9, 13):
        name = f"true covariance, 2m 16, window {size} shifted"
        table.add(name, true, multistep(16), Windows(size, size, shift=True))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="only rows whose name begins with one of these")
    parser.add_argument("--factor", type=int, default=8)
    parser.add_argument("--cases", type=int, default=4)
    parser.add_argument("--members", type=int, default=32)
    args = parser.parse_args()
    table = Table(Oracle(GaussianWorld(factor=args.factor), args.cases, args.members))
    for rows in (defaults, published, gradients, covariances, windows):
        rows(table)
    print(f"48 h x 16 x 16 x 2, area mean {args.factor}x{args.factor} every 6 h; {args.cases} cases, "
          f"{args.members} members")  # fmt: skip
    print(HEADER)
    for name, row in table.rows.items():
        if not args.names or any(name.startswith(part) for part in args.names):
            print(row(), flush=True)


if __name__ == "__main__":
    main()

"""The default against Schmidt et al. (2025) on held-out days, with the same trained prior.

    python benchmarks/against_sda.py PROJECT [--days 2003-01-12 2003-01-20] [--members 2] [--steps 256]

PROJECT is the folder of a finished demo. `sda` walks 256 levels with windows that advance by one hour and give their
middle; `tuned` has the gamma and the standard deviation that did best on `--search` (one validation day, 64 levels),
`published` its own constants. Each day is coarsened, 25 hours are drawn, and all hours count. Per variable: fair CRPS
and spread-skill; at the end the mean CRPS in standard deviations of the reference.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from finescale.errors import FinescaleError
from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.methods.downscaler import Downscaler
from finescale.methods.gaussian import Gaussian
from finescale.methods.generative import GenerativeDownscaler
from finescale.pipeline import store
from finescale.prior.window import WindowSpec

GAMMAS, STDS = (0.2, 0.04, 0.008), (0.003, 0.03)  # gamma over the square of the factor


@dataclass(frozen=True)
class Judge:
    """Days of a project's reference, and the methods that were trained there."""

    reference: xr.Dataset
    default: GenerativeDownscaler
    members: int

    def score(self, label: str, method: Downscaler, days: list[str]) -> float:
        """Print a row; return the mean CRPS in standard deviations, infinite where the sampler diverged."""
        begin, names = time.process_time(), self.default.prior.variables
        try:
            parts = [list(self._day(method, day)) for day in days]
        except FinescaleError as error:
            print(f"{label:<36}{str(error).split(':')[0]}", flush=True)
            return float("inf")
        seconds = time.process_time() - begin
        columns, total = [], 0.0
        for c, name in enumerate(names):
            crps, spread, error = np.mean([part[c] for part in parts], axis=0)
            columns.append(f"{crps:>10.4g}{np.sqrt(spread / error):>6.2f}")
            total += crps / float(self.reference[name][::7].std()) / len(names)
        print(f"{label:<36}{''.join(columns)}{total:>9.4f}{seconds:>8.0f}", flush=True)
        return total

    def _day(self, method: Downscaler, day: str) -> Iterator[tuple[float, float, float]]:
        """Of each variable: fair CRPS, mean variance of the ensemble, squared error of its mean."""
        first = np.datetime64(day, "h")
        truth = self.reference.sel(time=slice(first, first + np.timedelta64(24, "h"))).load()
        coarse = self.default.coarsening.apply(truth)
        for name in self.default.prior.variables:
            coarse[name].attrs["units"] = truth[name].attrs["units"]
        with torch.no_grad():
            drawn = method(coarse, members=self.members, seed=0)
        for name in self.default.prior.variables:
            x, o = drawn[name].values.astype(float), truth[name].values
            pairs = np.abs(x[:, None] - x[None]).sum((0, 1)) / (2 * self.members * (self.members - 1))
            crps = float((np.abs(x - o).mean(0) - pairs).mean())
            spread = float((1 + 1 / self.members) * x.var(0, ddof=1).mean())
            yield crps, spread, float(((x.mean(0) - o) ** 2).mean())


def sda(default: GenerativeDownscaler, steps: int, guidance: GuidanceSpec) -> GenerativeDownscaler:
    """Their walk and windows with another prior."""
    walk = SamplerSpec("euler", steps, "cosine", sigma_max=1000.0, sigma_min=1e-3)
    return replace(default, sampler=walk, guidance=guidance, windows=WindowSpec(1, "centre"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("project", type=Path)
    parser.add_argument("--days", nargs="+", default=["2003-01-12", "2003-01-20"])
    parser.add_argument("--search", default="2002-11-22")
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--steps", type=int, default=256)
    args = parser.parse_args()
    default = GenerativeDownscaler.load(args.project / "models" / "finescale")
    names = default.prior.variables
    judge = Judge(store.open_dataset(args.project, "reference")[list(names)], default, args.members)
    factor = len(default.fine.lat) // len(default.coarse.lat)
    print(f"{'method':<36}{''.join(f'{n:>16}' for n in names)}{'mean/sd':>9}{'cpu s':>8}")

    def tuned(steps: int, gamma: float, std: float) -> GenerativeDownscaler:
        stds = tuple((name, std) for name in names)
        return sda(default, steps, GuidanceSpec("sda", gamma=gamma / factor**2, std=stds))

    found = {
        (g, s): judge.score(f"search: gamma {g}/s^2, std {s}", tuned(64, g, s), [args.search])
        for g, s in product(GAMMAS, STDS)
    }
    best = min(found, key=lambda key: found[key])
    judge.score("gaussian", Gaussian.load(args.project / "models" / "gaussian"), args.days)
    judge.score("finescale", default, args.days)
    judge.score(f"sda tuned, {args.steps} levels", tuned(args.steps, *best), args.days)
    judge.score(
        f"sda published, {args.steps} levels",
        sda(default, args.steps, GuidanceSpec("sda-published")),
        args.days,
    )


if __name__ == "__main__":
    main()

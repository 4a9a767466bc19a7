"""One prior of single frames at several factors and for several climate models: tails, ablation, convergence.

    python benchmarks/zero_shot.py table    [--data data] [--preset demo-all]
    python benchmarks/zero_shot.py ablation
    python benchmarks/zero_shot.py zeta

Works on the artefacts of a run (`finescale run --preset demo-all`, whose workspace holds `data` and `models`): the fine
reference, its static fields, the fitted climate, the priors, and of each climate model the corrected scenario and its
truth. `table` is the layout of the table of Tie et al. (2026), arXiv 2601.21760: per cell the 99th percentile over the
period, against that of the truth; mean absolute and root mean square error over cells, area weighted. All methods are
judged at the coarse times, for those of single frames refine no time. Columns: each variable in its own unit, and the
mean over variables in standard deviations of the truth. `ablation` prints the same for cells at coasts and in the
mountains, for priors that know less, for other guidances and common scales. `zeta` prints, for step lengths, the coarse
misfit of the denoised mean level by level (in scaled units), and the error of the tail.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.guidance import recipes
from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.methods.bcsd import Bcsd
from finescale.methods.bilinear import Bilinear
from finescale.methods.gaussian import Gaussian
from finescale.methods.generative import GenerativeDownscaler
from finescale.prior.card import load_prior
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.window import WindowSpec
from finescale.scores.climate import score_climate
from finescale.settings import Settings
from finescale.settings.reading import check, compose, merge


@dataclass
class World:
    """Artefacts and settings of a run."""

    data: Path
    models: Path
    settings: Settings
    members: int
    days: int

    def __post_init__(self) -> None:
        self.grid = Grid.from_dataset(self.open("reference"))
        self.fine = self.open("reference").assign_coords(self.grid.coords())
        self.static = self.open("static")
        self.climate = GaussianClimate.from_dataset(self.open("climate").compute())
        self.units = {n: str(self.fine[n].attrs["units"]) for n in self.climate.scaling.variables}
        self.train = self.between(self.fine, self.settings.split.train)

    def open(self, name: str) -> xr.Dataset:
        return xr.open_zarr(self.data / f"{name}.zarr", consolidated=False)

    def between(self, ds: xr.Dataset, period) -> xr.Dataset:
        return ds.sel(time=slice(str(period[0]), str(period[1])))

    def operator(self, factor: int) -> Coarsening:
        return Coarsening(self.grid, self.grid.coarsen(factor), self.settings.coarse.every)

    def cases(
        self, factors: list[int], block: str = "test"
    ) -> Iterator[tuple[str, int, xr.Dataset, xr.Dataset]]:
        """Name, factor, what is given and the fine truth."""
        truth = self.cut(self.between(self.fine, getattr(self.settings.split, block)))
        for factor in factors:
            given = self.operator(factor).apply(truth).compute()
            for name, unit in self.units.items():
                given[name].attrs["units"] = unit
            yield f"x{factor}", factor, given, truth
        if block == "test":
            for gcm in self.settings.data.gcms:
                period = self.settings.downscale.period
                given = self.between(self.open(f"corrected-{gcm}"), period).isel(
                    time=slice(0, 4 * self.days + 1)
                )
                yield (
                    gcm,
                    self.settings.coarse.factor,
                    given.compute(),
                    self.open(f"truth-{gcm}").assign_coords(self.grid.coords()),
                )

    def cut(self, ds: xr.Dataset) -> xr.Dataset:
        return ds.isel(time=slice(0, 24 * self.days + 1))

    def generative(self, section, factor: int, prior: str = "") -> GenerativeDownscaler:
        """The method of a section of the settings."""
        return GenerativeDownscaler(
            load_prior(self.models / "priors" / (prior or section.prior)),
            self.operator(factor),
            self.units,
            SamplerSpec(**section.sampler.model_dump()),
            GuidanceSpec(**section.guidance.model_dump()),
            WindowSpec(**section.windows.model_dump()),
            self.climate,
            pace=section.pace,
            context_weight=section.context_weight,
            group=section.group,
            batch=section.batch,
        )

    def method(self, name: str, factor: int):
        operator = self.operator(factor)
        if name == "bilinear":
            return Bilinear(operator.fine, operator.coarse, self.units)
        if name == "bcsd":
            seen = operator.apply(self.train)
            return Bcsd.fit(
                self.train[list(self.units)], seen, harmonics=self.settings.downscale.bcsd.harmonics
            )
        if name == "gaussian":
            return Gaussian(operator, self.units, self.climate)
        return self.generative(self.settings.downscale.sections[name], factor)

    def judge(self, method, given: xr.Dataset, truth: xr.Dataset, factor: int) -> tuple[dict, float]:
        """Errors of the tail by (variable, region, metric), and seconds."""
        begin = time.process_time()
        found = method(given, members=self.members, seed=self.settings.seed)
        seconds = time.process_time() - begin
        found = found.sel(time=given["time"])
        table = score_climate(
            found, truth.sel(time=given["time"])[list(self.units)], method="", case="", static=self.static,
            coarsening=self.operator(factor),
        )  # fmt: skip
        return {(r.variable, r.region, r.metric): r.value for r in table.itertuples()}, seconds

    def summary(self, errors: dict, truth: xr.Dataset, region: str = "all") -> list[float]:
        """Each variable's MAE and RMSE, then their means in standard deviations."""
        out, scaled = [], []
        for name in self.units:
            pair = [errors[name, region, f"p99_{m}"] for m in ("mae", "rmse")]
            out += pair
            scaled.append(np.array(pair) / float(truth[name].std()))
        return [*out, *np.mean(scaled, 0).tolist()]


def header(world: World, first: str) -> str:
    columns = [f"{n} {world.units[n]}" for n in world.units] + ["all, sd"]
    return f"{first:<34}" + "".join(f"{c:>17}" for c in columns) + f"{'cpu s':>8}"


def line(label: str, values: list[float], seconds: float) -> str:
    pairs = zip(values[::2], values[1::2], strict=True)
    return f"{label:<34}" + "".join(f"{f'{a:.3g}/{b:.3g}':>17}" for a, b in pairs) + f"{seconds:>8.0f}"


def table(world: World, factors: list[int], methods: list[str]) -> None:
    for case, factor, given, truth in world.cases(factors):
        print(f"\n{header(world, f'case {case}: p99 MAE/RMSE')}")
        for name in methods:
            errors, seconds = world.judge(world.method(name, factor), given, truth, factor)
            print(line(name, world.summary(errors, truth), seconds), flush=True)


def ablation(world: World, factor: int) -> None:
    """Priors that know less; guidance on the coarse grid; no latitude weights; common scales."""
    (_, _, given, truth), = world.cases([factor], "validation")  # fmt: skip
    zssd = world.settings.downscale.sections["zssd"]
    base = world.generative(zssd, factor)
    guide = lambda **k: replace(base, guidance=replace(base.guidance, **k))  # noqa: E731
    rows = {"zssd": base, "context ignored": replace(base, context_weight=0.0)}
    for path in sorted((world.models / "priors").glob("climate-*")):
        name = path.name
        rows[name] = world.generative(zssd, factor, name)
    rows |= {
        "A_low": guide(residual="coarse"),
        "no latitude weights": guide(by_latitude=False),
        **{f"common scale {s}": guide(scales=(s,)) for s in (2 * factor, 3 * factor) if _fits(world, s)},
        "ladder": guide(scales=tuple(s for s in (factor, 2 * factor) if _fits(world, s))),
    }
    print(header(world, f"x{factor}: p99 MAE/RMSE"))
    for label, method in rows.items():
        errors, seconds = world.judge(method, given, truth, factor)
        for region in ("all", "coast", "mountain"):
            print(line(f"{label}, {region}", world.summary(errors, truth, region), seconds), flush=True)


def _fits(world: World, scale: int) -> bool:
    return all(size % scale == 0 and size // scale > 1 for size in world.grid.shape)


@dataclass
class Watched:
    """A guidance that notes the coarse misfit of every mean that it is given."""

    guidance: object
    curve: dict

    def __getattr__(self, name: str):
        return getattr(self.guidance, name)

    def __call__(self, moment):
        r = moment.segment.residual(moment.x_0)
        self.curve.setdefault(moment.level.sigma, []).append(float(r.square().mean()))
        return self.guidance(moment)


def zeta(world: World, factors: list[int], zetas: list[float]) -> None:
    build = recipes.build
    for _, factor, given, truth in world.cases(factors, "validation"):
        for name in ("dps", "zssd"):
            for value in zetas:
                curve: dict[float, list[float]] = {}
                recipes.build = lambda *a, c=curve: Watched(build(*a), c)
                method = world.generative(world.settings.downscale.sections[name], factor)
                method = replace(method, guidance=replace(method.guidance, zeta=value))
                errors, _ = world.judge(method, given, truth, factor)
                recipes.build = build
                steps = " ".join(f"{np.mean(v) ** 0.5:.3f}" for _, v in sorted(curve.items(), reverse=True))
                tail = world.summary(errors, truth)[-1]
                print(
                    f"x{factor:<3}{name:<6}zeta {value:<6g}p99 rmse, sd {tail:.3f}   misfit {steps}",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("table", "ablation", "zeta"))
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--preset", default="demo-all")
    parser.add_argument("--factors", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--zetas", type=float, nargs="+", default=[0.1, 0.3, 1.0, 3.0])
    parser.add_argument("--methods", nargs="+", default=[])
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--days", type=int, default=30)
    args = parser.parse_args()
    torch.set_num_threads(1)
    merged = compose("params.yaml", args.params.read_text(encoding="utf-8"))
    overlay = Path("presets", f"{args.preset}.yaml").read_text(encoding="utf-8")
    settings = check(merge(merged, compose(args.preset, overlay)))
    world = World(args.data, args.models, settings, args.members, args.days)
    print(f"{world.grid.shape[0]}x{world.grid.shape[1]} cells, {args.days} days, {args.members} members")
    if args.what == "table":
        table(world, args.factors, args.methods or list(settings.downscale.methods))
    elif args.what == "ablation":
        ablation(world, settings.coarse.factor)
    else:
        zeta(world, args.factors, args.zetas)


if __name__ == "__main__":
    main()

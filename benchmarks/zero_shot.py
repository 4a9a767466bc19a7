"""One prior of single frames at several factors and for several climate models: tails, ablation, convergence.

    python benchmarks/zero_shot.py table    [--data data] [--models models] [--preset demo-all]
    python benchmarks/zero_shot.py ablation
    python benchmarks/zero_shot.py zeta
    python benchmarks/zero_shot.py speed    [--steps 6]
    python benchmarks/zero_shot.py prior    [--name climate-static] [--context height land] [--edm] [--steps 2000]

Works on the artefacts of a run (`finescale run --preset demo-all`, whose workspace holds `data` and `models`): the fine
reference, its static fields, the fitted climate, the priors, and of each climate model the corrected scenario and its
truth. `table` is the layout of the table of Tie et al. (2026), arXiv 2601.21760: per cell the 99th percentile over the
period, against that of the truth; mean absolute and root mean square error over cells, area weighted. All methods are
judged at the coarse times, for those of single frames refine no time. Columns: each variable in its own unit, and the
mean over variables in standard deviations of the truth. `ablation` prints the same for cells at coasts and in the
mountains, for priors that know less, for other guidances and common scales. `zeta` prints, for step lengths, the
coarse misfit of the denoised mean level by level (in scaled units), and the error of the tail. `speed` has the
product's method and `zssd` draw the same request with equal steps, in turn. `prior` trains a prior of single frames
by the settings of `climate`, with another context or without the climate under it, for `ablation`, or where a project
has none yet.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from frames_world import World

from finescale.guidance import recipes
from finescale.prior.spec import NetworkSpec, PriorSpec, TrainingSpec
from finescale.prior.training import train
from finescale.settings.reading import check, compose, merge


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
    }
    if world.climate is not None:
        rows["ladder"] = guide(scales=tuple(s for s in (factor, 2 * factor) if _fits(world, s)))
    print(header(world, f"x{factor}: p99 MAE/RMSE"))
    for label, method in rows.items():
        errors, seconds = world.judge(method, given, truth, factor)
        for region in ("all", "coast", "mountain"):
            print(line(f"{label}, {region}", world.summary(errors, truth, region), seconds), flush=True)


def speed(world: World, factor: int, steps: int) -> None:
    """CPU seconds of both methods for one request, three times in turn; the single frames are at the coarse times."""
    _, _, given, _ = next(world.cases([factor]))
    methods = {}
    for name in (world.settings.registry.method, "zssd"):
        method = world.generative(world.settings.downscale.sections[name], factor)
        methods[name] = replace(method, sampler=replace(method.sampler, steps=steps))
    for _ in range(3):
        for name, method in methods.items():
            begin = time.process_time()
            found = method(given, members=world.members, seed=0)
            took = time.process_time() - begin
            frames = given.sizes["time"] if method.prior.window == 1 else found.sizes["time"]
            each = 1e3 * took / (frames * world.members)
            print(f"{name:<12}{took:>7.1f} s, {frames} frames drawn, {each:.2f} ms a frame", flush=True)


def prior(world: World, args: argparse.Namespace) -> None:
    """Train a prior of single frames with the recipe of `climate`, as far as the command line does not change it."""
    wanted = world.settings.priors["climate"].model_dump(exclude={"kind"})
    sizes = {"channels": args.channels and tuple(args.channels), "patch": args.patch}
    network = NetworkSpec(**wanted.pop("network") | {k: v for k, v in sizes.items() if v})
    recipe = wanted.pop("training") | ({"batch": args.batch} if args.batch else {})
    if args.steps:
        recipe |= {"steps": args.steps, "validate_every": max(args.steps // 4, 1)}
    wanted |= {"context": wanted["context"] if args.context is None else tuple(args.context)}
    wanted |= {"crop": args.crop} | ({"preconditioning": "edm"} if args.edm else {})
    spec = PriorSpec(tuple(world.units), network=network, training=TrainingSpec(**recipe), **wanted)
    begin = time.process_time()

    def log(step: int, figures: dict[str, float]) -> None:
        if "validation_score" in figures:
            print(f"{step} {time.process_time() - begin:.0f} CPU s: {figures}", flush=True)

    folder = world.models / "priors"
    held_out = world.between(world.fine, world.settings.split.validation)
    train(
        world.train[list(world.units)], world.static, spec, folder / args.name, validation=held_out[list(world.units)],
        scratch=folder / f"scratch-{args.name}", gaussian=world.climate, on_plan=print, on_log=log,
    )  # fmt: skip
    print((folder / args.name / "card.json").read_text(encoding="utf-8")[-600:])


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
    parser.add_argument("what", choices=("table", "ablation", "zeta", "speed", "prior"))
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--preset", nargs="+", default=["demo-all"], help="laid over one another")
    parser.add_argument(
        "--factors", type=int, nargs="*", default=[4, 8, 16], help="none: climate models only"
    )
    parser.add_argument("--zetas", type=float, nargs="+", default=[0.1, 0.3, 1.0, 3.0])
    parser.add_argument("--methods", nargs="+", default=[])
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--name", default="climate")
    parser.add_argument("--context", nargs="*")
    parser.add_argument("--channels", type=int, nargs="+")
    parser.add_argument("--patch", type=int)
    parser.add_argument("--crop", type=int, help="train on random parts of so many cells a side; needs --edm")
    parser.add_argument("--batch", type=int)
    parser.add_argument(
        "--square", type=int, nargs=3, help="first row, first column and size of a part of the domain"
    )
    parser.add_argument("--edm", action="store_true", help="no climate under the network")
    args = parser.parse_args()
    torch.set_num_threads(1)
    merged = compose("params.yaml", args.params.read_text(encoding="utf-8"))
    for preset in args.preset:
        overlay = Path("presets", f"{preset}.yaml").read_text(encoding="utf-8")
        merged = merge(merged, compose(preset, overlay))
    settings = check(merged)
    world = World(args.data, args.models, settings, args.members, args.days, args.square)
    print(f"{world.grid.shape[0]}x{world.grid.shape[1]} cells, {args.days} days, {args.members} members")
    if args.what == "table":
        table(world, args.factors, args.methods or list(settings.downscale.methods))
    elif args.what == "ablation":
        ablation(world, settings.coarse.factor)
    elif args.what == "speed":
        speed(world, settings.coarse.factor, args.steps or 6)
    elif args.what == "prior":
        prior(world, args)
    else:
        zeta(world, args.factors, args.zetas)


if __name__ == "__main__":
    main()

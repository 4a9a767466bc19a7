"""A month of reanalysis, week by week: each is drawn by methods that learned from the rest of the month.

    python benchmarks/weeks.py WORKSPACE OUT [--preset era5-uk] [--weeks 1 2 3 4] [--members 16] [--seed 1]

WORKSPACE is that of `finescale run --preset era5-uk coarsen` (its `data/` holds the reference and the static fields);
OUT is where climates and priors go, and what it holds is not learned again. A method learns from all days of the
month but the week, a day on either side, and two days far from it, which stop its training. Rows: `gaussian`, with its
EOFs together, `finescale`, and `finescale` without a part: its network, the swing of days, what the coarse data tell of
days at all, swing and activity, or the covariances between EOFs. Spread is not calibrated. Columns: fair CRPS at all
hours, at coarse times and between them, spread over error, error of the ensemble mean.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import xarray as xr

from finescale.fields.axis import segments
from finescale.fields.scaling import Scaling
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.guidance.conditions import conditions
from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.guidance.swing import measured
from finescale.methods.gaussian import Gaussian
from finescale.methods.generative import GenerativeDownscaler
from finescale.pipeline.workspace import read_preset
from finescale.prior.card import load_prior
from finescale.prior.climatology import Harmonics
from finescale.prior.denoiser import WienerDenoiser
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.spec import NetworkSpec, PriorSpec, TrainingSpec
from finescale.prior.training import train
from finescale.prior.window import WindowSpec
from finescale.scores import ensemble
from finescale.settings import Settings
from finescale.settings.reading import check, compose, merge

ROOT = Path(__file__).resolve().parents[1]
DAY = np.timedelta64(1, "D")
# Days from the first: weeks that are judged, and the two that stop the training.
WEEKS = {1: (0, 28), 2: (8, 28), 3: (16, 1), 4: (24, 1)}


def settings(preset: str) -> Settings:
    own = compose("params.yaml", (ROOT / "params.yaml").read_text(encoding="utf-8"))
    return check(merge(own, read_preset(ROOT, preset)))


def split(ds: xr.Dataset, week: int) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    """What is learned from, what stops it, what is judged."""
    day = (ds["time"].values - ds["time"].values[0].astype("M8[D]")) / DAY
    judged, stop = WEEKS[week]

    def near(first: int, days: int, gap: int = 0):
        return (day >= first - gap) & (day < first + days + gap)

    learned = ~near(judged, 7, 1) & ~near(stop, 2, 1)
    return tuple(ds.isel(time=chosen) for chosen in (learned, near(stop, 2), near(judged, 7)))


def learn(ds: xr.Dataset, static: xr.Dataset, stop: xr.Dataset, s: Settings, out: Path) -> GaussianClimate:
    """The climate; it and the prior are left in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    names, path, folder = [str(n) for n in ds.data_vars], out / "climate.nc", out / "prior"
    if not path.exists():
        wanted = s.climate
        climate = GaussianClimate.fit(
            ds,
            Scaling.fit(ds, names, wanted.scaling),
            modes=wanted.modes,
            order=wanted.order,
            joint=wanted.joint,
            sketch_every=wanted.sketch_every,
            harmonics=Harmonics(wanted.annual, wanted.diurnal),
        )
        climate.to_dataset().to_netcdf(path, engine="h5netcdf")
    climate = GaussianClimate.from_dataset(xr.load_dataset(path))
    if not folder.exists():
        wanted = s.priors["window-plus"]
        body = wanted.model_dump(exclude={"kind", "network", "training"})
        recipe = TrainingSpec(**wanted.training.model_dump(), seed=s.seed)
        spec = PriorSpec(
            tuple(names), **body, network=NetworkSpec(**wanted.network.model_dump()), training=recipe
        )
        train(ds, static, spec, folder, validation=stop, scratch=out / "scratch", gaussian=climate)
    return climate


@contextmanager
def without_network() -> Iterator[None]:
    """The prior is the climate alone."""
    with mock.patch.object(
        WienerDenoiser, "estimate", lambda _self, _inputs, _log, _context: torch.zeros(())
    ):
        yield


def methods(learned: xr.Dataset, climate: GaussianClimate, out: Path, s: Settings) -> dict[str, Callable]:
    """By name: coarse data, members and seed to an ensemble."""
    grid, wanted = Grid.from_dataset(learned), s.downscale.sections["finescale"]
    h = Coarsening(grid, grid.coarsen(s.coarse.factor), s.coarse.every, s.coarse.how)
    units = {str(n): str(f.attrs["units"]) for n, f in learned.data_vars.items()}
    prior, guidance = load_prior(out / "prior"), wanted.guidance.model_dump()
    made = GenerativeDownscaler(
        prior,
        h,
        units,
        SamplerSpec(**wanted.sampler.model_dump()),
        GuidanceSpec(**guidance | {"std": tuple(sorted(guidance["std"].items()))}),
        WindowSpec(**wanted.windows.model_dump()),
        climate,
        group=wanted.group,
        batch=wanted.batch,
    )
    coarse = h.apply(learned)
    stretch = segments(coarse["time"])
    longest = coarse.isel(time=stretch == np.bincount(stretch).argmax())
    belief = measured(conditions(longest, h, climate.scaling), climate, grid, learned)
    print(f"swing is believed to {', '.join(f'{share:.2f}' for share in belief)}")
    made = replace(made, swing=belief)

    def bare(*given, **options):
        with without_network():
            return made(*given, **options)

    def apart(*given, **options):
        alone = climate.apart()
        with prior.denoiser.over(alone):
            return replace(made, climate=alone)(*given, **options)

    return {
        "gaussian": Gaussian(h, units, climate.apart()),
        "gaussian, together": Gaussian(h, units, climate),
        "finescale": made,
        "without its network": bare,
        "without days": replace(made, guidance=replace(made.guidance, activity=False)),
        "without swing": replace(made, swing=()),
        "EOFs one by one": apart,
    }


def scores(drawn: xr.Dataset, truth: xr.Dataset, every: int) -> Iterator[str]:
    """A line for each variable."""
    area, members = Grid.from_dataset(truth).area[None], drawn.sizes["member"]
    for name in map(str, drawn.data_vars):
        x = drawn[name].transpose("member", "time", "lat", "lon").to_numpy()
        o = truth[name].sel(time=drawn["time"]).transpose("time", "lat", "lon").to_numpy()
        coarse = drawn["time"].dt.hour.to_numpy() % every == 0
        found = ensemble.hourly_statistics(x, o, area, variable=name)
        parts = [slice(None), coarse, ~coarse]
        crps = [
            float(ensemble.crps({k: v[p].mean(axis=0) for k, v in found.items()}, members)[0]) for p in parts
        ]
        ratio = float(ensemble.spread_skill({k: v.mean(axis=0) for k, v in found.items()}, members)[0])
        error = float(
            np.sqrt(np.average((x.mean(axis=0) - o) ** 2, weights=np.broadcast_to(area[0], o.shape)))
        )
        yield f"{name:<6}" + "".join(f"{v:>9.4f}" for v in (*crps, ratio, error))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--preset", default="era5-uk")
    parser.add_argument("--weeks", type=int, nargs="+", default=list(WEEKS), choices=list(WEEKS))
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    s = settings(args.preset)
    fine, static = (
        xr.open_zarr(args.workspace / "data" / f"{n}.zarr", consolidated=False).load()
        for n in ("reference", "static")
    )
    print(f"{'':<32}{'CRPS':>9}{'coarse':>9}{'between':>9}{'spread':>9}{'error':>9}")
    for week in args.weeks:
        learned, stop, judged = split(fine, week)
        out = args.out / f"week-{week}"
        climate = learn(learned, static, stop, s, out)
        by = methods(learned, climate, out, s)
        given = by["finescale"].coarsening.apply(judged)
        for name, method in by.items():
            drawn = method(given, members=args.members, seed=args.seed)
            for line in scores(drawn, judged, s.coarse.every):
                print(f"week {week} {name:<20}{line}", flush=True)


if __name__ == "__main__":
    main()

"""Latent priors on the demo's world and on real hours: mean, autoencoder, diffusions with several amounts of physics.

Every figure stands beside bilinear and quadratic interpolation, the reference network and the truth's own residual. The
stages that a folder already holds are not trained again.

    python benchmarks/latent.py demo PROJECT OUT [--rho 0 0.03 0.1]     PROJECT: a finished demo; OUT: weights go there
    python benchmarks/latent.py real DATA OUT [--rho 0 0.1]             DATA: the folder of real files
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from finescale.fields.context import Context
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.pipeline import store
from finescale.prior.budget import Budget
from finescale.prior.card import Prior, load_prior
from finescale.prior.check import draw
from finescale.prior.latent import Run, train_autoencoder, train_diffusion, train_mean
from finescale.prior.latentspec import AutoencoderSpec, LatentSpec, RegressionSpec
from finescale.prior.pairs import Pairs
from finescale.prior.physics import Physics
from finescale.prior.spec import NetworkSpec, TrainingSpec

MEMBERS, WINDOWS, STEPS = 16, 96, 6
RECIPE = TrainingSpec(
    batch=16, warmup=50, drop_context=0.0, validate_every=0, checkpoint_every=100, validation_windows=64
)
SPEC = LatentSpec(
    ("tas",),
    ("psl", "tas", "uas", "vas"),
    window=3,
    context=("height", "slope", "land", "zenith", "year", "day"),
    mean=RegressionSpec(
        NetworkSpec(channels=(24, 48, 48), blocks=(1, 1, 1), attention=0, embedding=64, patch=2),
        replace(RECIPE, steps=600, learning_rate=3e-3),
    ),
    autoencoder=AutoencoderSpec(training=replace(RECIPE, steps=400, learning_rate=3e-3)),
    network=NetworkSpec(channels=(48, 64), blocks=(1, 1), attention=0, embedding=64),
    training=replace(RECIPE, steps=700, learning_rate=3e-3),
)


def demo(project: Path) -> tuple[Pairs, xr.Dataset, LatentSpec]:
    """The demo's training pairs, and its held-out days."""
    fine, coarse, static = (
        store.open_dataset(project, n) for n in ("reference", "coarse-reference", "static")
    )
    grid = Grid.from_dataset(fine)
    h = Coarsening(grid, grid.coarsen(8), 6)
    train, validation, test = (
        fine.sel(time=slice(*days))
        for days in (("2001-01-01", "2002-10-31"), ("2002-11-15", "2002-12-15"), ("2003-01-05", "2003-02-03"))
    )
    return Pairs.of(train, coarse.compute(), static.compute(), SPEC, h, validation), test, SPEC


def real(data: Path) -> tuple[Pairs, xr.Dataset, LatentSpec]:
    """Hours of ERA5 over the British Isles, split in blocks of days; temperature is told temperature alone."""
    fine = _era5(data)
    grid = Grid.from_dataset(fine)
    h = Coarsening(grid, grid.coarsen(8), 6)
    spec = replace(SPEC, predictors=("tas",), physics=replace(SPEC.physics, transport=0.0))
    static = xr.open_dataset(data / "static" / "era5_orography_lsm_025deg_global.nc")
    fields = _over(static, grid)
    days = (("2019-03-01", "2019-03-20"), ("2019-03-23", "2019-03-25"), ("2019-03-28", "2019-03-31"))
    train, validation, test = (fine.sel(time=slice(*block)) for block in days)
    return Pairs.of(train, h.apply(fine), fields, spec, h, validation), test, spec


def _era5(data: Path) -> xr.Dataset:
    raw = xr.open_dataset(data / "train" / "era5_t2m_hourly_uk_2019-03.nc").load()
    name = next(str(n) for n in raw.data_vars if raw[n].ndim == 3)
    field = raw[name].rename(
        {raw[name].dims[-2]: "lat", raw[name].dims[-1]: "lon", raw[name].dims[0]: "time"}
    )
    field = field.sortby("lat").isel(lat=slice(0, 32), lon=slice(0, 48))
    field = field.transpose("time", "lat", "lon").reset_coords(drop=True).astype("float32")
    return field.to_dataset(name="tas").assign(tas=lambda ds: ds["tas"].assign_attrs(units="K"))


def _over(static: xr.Dataset, grid: Grid) -> xr.Dataset:
    lat, lon = (next(n for n in static.coords if str(n).startswith(k)) for k in ("lat", "lon"))
    here = static.sel({lat: list(grid.lat), lon: [x % 360 for x in grid.lon]}, method="nearest")
    height = next(n for n in static.data_vars if str(n) in ("z", "geopotential"))
    land = next(n for n in static.data_vars if "l" in str(n))
    dims = ("lat", "lon")
    return xr.Dataset(
        {
            "orog": (dims, here[height].transpose(lat, lon).values / 9.80665),
            "sftlf": (dims, here[land].transpose(lat, lon).values * 100),
        },
        coords=grid.coords(),
    )


def train(pairs: Pairs, spec: LatentSpec, folder: Path, rhos: list[float]) -> Iterator[tuple[float, Prior]]:
    """Train what is not there yet; give each prior."""

    def stage(name: str) -> Run:
        return Run(folder / name, folder / f"scratch-{name}", on_plan=lambda plan: say(f"{name}: {plan}"))

    began = time.process_time()
    if not (folder / "mean").is_dir():
        train_mean(pairs, spec, stage("mean"))
        say(f"mean: {time.process_time() - began:.0f} CPU s")
    began = time.process_time()
    if not (folder / "autoencoder").is_dir():
        train_autoencoder(pairs, spec, stage("autoencoder"), mean=folder / "mean")
        say(f"autoencoder: {time.process_time() - began:.0f} CPU s")
    for rho in rhos:
        name, began = f"rho-{rho:g}", time.process_time()
        if not (folder / name).is_dir():
            wanted = replace(spec, physics=replace(spec.physics, rho=rho))
            parts = {"mean": folder / "mean", "autoencoder": folder / "autoencoder"}
            train_diffusion(pairs, wanted, stage(name), **parts)
            say(f"{name}: {time.process_time() - began:.0f} CPU s")
        yield rho, load_prior(folder / name)


def shortened(spec: LatentSpec, share: float) -> LatentSpec:
    """The same prior with a share of the steps."""

    def cut(recipe: TrainingSpec) -> TrainingSpec:
        return replace(recipe, steps=max(1, round(share * recipe.steps)))

    return replace(
        spec,
        mean=replace(spec.mean, training=cut(spec.mean.training)),
        autoencoder=replace(spec.autoencoder, training=cut(spec.autoencoder.training)),
        training=cut(spec.training),
    )


def figures(fields: NDArray[np.float64], truth: NDArray[np.float64]) -> dict[str, float]:
    """Scores of members ``[M, N, T, H, W]`` against ``[N, T, H, W]``, both in kelvin."""
    m = len(fields)
    error = np.abs(fields - truth).mean()
    ordered = np.sort(fields, axis=0)
    weight = (2 * np.arange(1, m + 1) - m - 1).reshape(-1, 1, 1, 1, 1)
    apart = (weight * ordered).sum(0).mean() / (m * (m - 1)) if m > 1 else 0.0
    mean = fields.mean(0)
    rmse = float(np.sqrt(np.square(mean - truth).mean()))
    spread = np.sqrt(fields.var(0, ddof=1).mean() * (m + 1) / m) if m > 1 else np.nan
    return {
        "rmse": rmse,
        "mae": float(np.abs(mean - truth).mean()),
        "crps": float(error - apart),
        "spread/skill": spread / rmse if rmse else np.nan,
    }


def interpolated(pairs: Pairs, context: Context, prior: Prior, order: int) -> NDArray[np.float64]:
    """Splines of the coarse field at the hour, ``[N, T, H, W]`` in kelvin."""
    mean = prior.codec.parts[0].mean  # type: ignore[union-attr]
    cells = mean.told(context)[:, :, 0].numpy() * pairs.scaling.scale[0] + pairs.scaling.centre[0]
    f = 8
    at = [(np.arange(n) + 0.5) / f - 0.5 for n in pairs.grid.shape]
    grid = np.meshgrid(*at, indexing="ij")
    flat = cells.reshape(-1, *cells.shape[2:]).astype(np.float64)
    fields = [map_coordinates(c, grid, order=order, mode="nearest") for c in flat]
    return np.stack(fields).reshape(*cells.shape[:2], *pairs.grid.shape)


@torch.no_grad()
def judge(pairs: Pairs, test: xr.Dataset, spec: LatentSpec, priors: list[tuple[float, Prior]]) -> None:
    """Print the table."""
    batch = pairs.windows(test, spec.window, WINDOWS)
    told = batch.context(torch.device("cpu"))
    physics = Physics.of(
        replace(spec.physics, transport=0.0),
        pairs.scaling,
        pairs.predictors,
        pairs.coarsening,
        (pairs.places.rows, pairs.places.columns),
    )
    physics = replace(physics, budget=Budget.from_dict(priors[0][1].card["budget"]))
    kelvin = lambda x: physics.kelvin(x).double().numpy()  # noqa: E731
    truth = kelvin(batch.x)
    first = priors[0][1]
    again = first.codec.decode(first.codec.encode(batch.x, told), told)
    left = batch.x - first.codec.parts[0].mean(told)  # type: ignore[union-attr]
    ratio = float((again - batch.x).square().mean().sqrt() / left.square().mean().sqrt())
    say(f"autoencoder on held-out days: error {ratio:.3f} of the residual's standard deviation")
    rows = {
        "bilinear": interpolated(pairs, told, first, 1)[None],
        "quadratic": interpolated(pairs, told, first, 2)[None],
        "unet": kelvin(first.codec.parts[0].mean(told))[None],  # type: ignore[union-attr]
        "truth": truth[None],
    }
    for rho, prior in priors:
        began = time.process_time()
        members = [
            kelvin(prior.codec.decode(draw(prior, told, seed=m, steps=STEPS, batch=64), told))
            for m in range(MEMBERS)
        ]
        took = time.process_time() - began
        rows[f"latent, rho {rho:g}"] = np.stack(members)
        say(f"rho {rho:g}: {MEMBERS * WINDOWS * spec.window} frames in {took:.1f} CPU s")
    say(
        f"{'':18s} {'rmse':>6s} {'mae':>6s} {'crps':>6s} {'spread/skill':>12s} {'flux':>7s} {'transport':>9s}"
    )
    own = residuals(physics, torch.from_numpy(truth), told, pairs)
    for name, fields in rows.items():
        found = figures(fields, truth)
        some = [residuals(physics, torch.from_numpy(f), told, pairs) for f in fields[:4]]
        relative = [np.mean([s[i] for s in some]) / own[i] for i in (0, 1)]
        values = " ".join(f"{found[k]:6.3f}" for k in ("rmse", "mae", "crps"))
        say(f"{name:18s} {values} {found['spread/skill']:12.2f} {relative[0]:7.3f} {relative[1]:9.3f}")


def residuals(physics: Physics, kelvin: torch.Tensor, told: Context, pairs: Pairs) -> tuple[float, float]:
    """Root mean square steepness-free flux gap and transport residual; the second is NaN without winds."""
    t = kelvin.float()
    x = ((t - physics.scaling.centre[0]) / physics.scaling.scale[0])[:, :, None]
    gap = float(physics.gap(physics.kelvin(x), physics.kelvin(physics.means(x))).square().mean().sqrt())
    if physics.budget is None or physics.budget.coefficients is None:
        return gap, float("nan")
    return gap, float(physics.residual(t, told).square().mean().sqrt())


def say(line: str) -> None:
    """Print at once."""
    print(line, flush=True)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("world", choices=("demo", "real"))
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rho", type=float, nargs="+", default=[0.0, 0.01, 0.03, 0.1, 0.3])
    parser.add_argument("--share", type=float, default=1.0, help="of the steps of every training")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    pairs, test, spec = (demo if wanted.world == "demo" else real)(wanted.source)
    spec = shortened(spec, wanted.share)
    judge(pairs, test, spec, list(train(pairs, spec, wanted.out, wanted.rho)))


if __name__ == "__main__":
    sys.exit(main())

"""Evidence of registered versions on held-out days: computed once for a version and its days, then kept with it."""

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import xarray as xr

from finescale.climate.splits import by_shares
from finescale.climate.subset import Period, crop_period, day_number
from finescale.errors import FinescaleError
from finescale.methods import recipes
from finescale.pipeline import store
from finescale.pipeline.project import Project
from finescale.registry import tracking
from finescale.scores.evidence import Evidence, gather


@dataclass(frozen=True)
class HeldOut:
    """What two models are compared on.

    Attributes:
        coarse: The coarsened truth ``[time, lat, lon]``.
        truth: The fine truth ``[time, lat, lon]``.
        members: Of the ensembles.
        seed: Of the ensembles.
        key: Hash of all of it.
    """

    coarse: xr.Dataset
    truth: xr.Dataset
    members: int
    seed: int
    key: str


def held_out(project: Project, period: tuple[date, date] | None = None) -> HeldOut:
    """The test block, or other days of the reference that no training has seen."""
    settings, split = project.settings, project.settings.split
    known = blocks(project)
    for name in ("train", "validation"):
        first, last = (day_number(day) for day in known[name])
        if period is not None and day_number(period[0]) <= last and first <= day_number(period[1]):
            raise FinescaleError(
                f"held-out days are days that no model has seen: {period[0]} .. {period[1]} overlaps the block "
                f"{name}, {split.words(name)}; choose others"
            )
    days = period or known["test"]
    coarse = crop_period(store.open_dataset(project.root, "coarse-reference"), days, "coarse-reference")
    truth = crop_period(store.open_dataset(project.root, "reference"), days, "reference")
    truth = truth.sel(time=slice(coarse["time"].values[0], coarse["time"].values[-1]))
    members, seed = settings.downscale.members, settings.seed
    total = hashlib.sha256(f"{members} {seed} {truth['time'].values!s}".encode())
    for name in sorted(map(str, truth.data_vars)):
        total.update(name.encode())
        for field in (coarse[name], truth[name]):
            total.update(field.to_numpy().tobytes())
    return HeldOut(coarse, truth, members, seed, total.hexdigest()[:16])


def blocks(project: Project) -> Mapping[str, Period]:
    """First and last days of train, validation and test, stated or made by shares."""
    split = project.settings.split
    if split.shares is None:
        stated = {name: getattr(split, name) for name in ("train", "validation", "test")}
        return stated
    time = store.open_dataset(project.root, "reference")["time"]
    return by_shares(time, split.shares.model_dump(), gap_hours=split.gap)


def of_version(root: Path, name: str, version: str, days: HeldOut, tell: Callable[[str], None]) -> Evidence:
    """The evidence of a version: as it was kept, or drawn and scored now."""
    kept = tracking.read_file(root, name, version, _place(days))
    if kept is not None:
        return Evidence(pd.read_csv(kept))
    tell(f"version {version} of {name} has not been judged on these days: {days.members} members are drawn")
    with tempfile.TemporaryDirectory() as folder:
        tracking.fetch(root, f"models:/{name}/{version}", Path(folder) / "model")
        method = recipes.load(Path(folder) / "model")
        ensemble = method(days.coarse, members=days.members, seed=days.seed)
        found = gather(ensemble, days.truth.sel(time=ensemble["time"]), seed=days.seed)
    keep(root, name, version, days, found)
    return found


def keep(root: Path, name: str, version: str, days: HeldOut, found: Evidence) -> None:
    """Store evidence with a version."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(_place(days)).name
        found.table.to_csv(path, index=False, lineterminator="\n")
        tracking.add_file(root, name, version, path, "evidence")


def _place(days: HeldOut) -> str:
    return f"evidence/{days.key}.csv"

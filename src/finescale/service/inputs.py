"""The coarse input of a production: a climate model's whole run, fetched, brought to the coarse grid, corrected.

Quantile mapping compares a value with its own run, so that a run is corrected whole and cut afterwards.
"""

from pathlib import Path

from finescale.bias import correction
from finescale.climate.catalogue import open_series
from finescale.methods import card
from finescale.pipeline import store
from finescale.pipeline.desk import Progress
from finescale.pipeline.project import Project
from finescale.pipeline.stages.harmonise import on_coarse_grid
from finescale.quality import gates, profile
from finescale.registry.lock import locked
from finescale.service.job import Job
from finescale.settings import Settings


def prepared(job: Job, gcm: str, scenario: str, progress: Progress) -> Path:
    """The corrected run of a climate model on the model's coarse grid; made by whoever needs it first.

    Args:
        job: The production.
        gcm: Short name of the climate model.
        scenario: Experiment.
        progress: Told ``(what, done, total)``.

    Returns:
        A Zarr store with fields ``[time, lat, lon]``; its name holds the hash of all that it depends on.
    """
    settings = Project(job.root).settings
    target = job.work / "coarse" / f"{gcm}-{scenario}-{_key(job, settings, gcm, scenario)}.zarr"
    with locked(target.with_suffix(".lock")):
        if not target.is_dir():
            _make(job, settings, gcm, scenario, target, progress)
    return target


def _key(job: Job, settings: Settings, gcm: str, scenario: str) -> str:
    data = settings.data
    fitted = store.contents(job.root / store.path_of(f"correction-{gcm}"))
    source = data.gcms[gcm].model_dump_json()
    parts = (str(data.catalogue), str(data.variables), str(data.region), str(data.margin), source, scenario)
    grid = card.load(job.folder).coarse
    return store.fingerprint(*parts, settings.coarse.model_dump_json(), fitted, str(grid))


def _make(job: Job, settings: Settings, gcm: str, scenario: str, target: Path, progress: Progress) -> None:
    from finescale.climate.retrieve import retrieve

    data, source = settings.data, settings.data.gcms[gcm]
    variables = list(data.variables)
    series = open_series(
        _catalogue(job, settings),
        {**source.facets, "experiment_id": scenario},
        variables=variables,
        each=source.each,
        period=source.historical if scenario == "historical" else source.period,
        region=data.region,
        margin=data.margin,
    )
    raw = target.with_suffix(".raw.zarr")
    if not raw.is_dir():
        retrieve(series, raw, progress=lambda done, total, what: progress("fetch", done, total))
    coarse = on_coarse_grid(
        store.open_path(raw), variables, source, card.load(job.folder).coarse, settings.coarse.every
    )
    fitted = correction.from_dataset(store.open_dataset(job.root, f"correction-{gcm}").compute())
    draft = target.with_suffix(".draft")
    store.remove(draft)
    store.save_dataset(fitted.apply(coarse), draft)
    waivers = [waiver.model_dump() for waiver in settings.gates.waivers]
    facts = profile.profile(store.open_path(draft), name=f"{gcm} {scenario}", store=draft)
    gates.check(facts, "corrected", waivers=waivers)
    store.put(draft, target)
    store.remove(raw)


def _catalogue(job: Job, settings: Settings) -> str:
    """Where the climate models are listed: the invented world's own catalogue, or the one of the settings."""
    if settings.world:
        return str(job.root / store.path_of("world") / "catalogue.json")
    stated = str(settings.data.catalogue)
    return stated if "://" in stated else str(store.home(job.root) / stated)

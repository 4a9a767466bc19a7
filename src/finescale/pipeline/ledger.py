"""The ledger: every stage of the flow, declared once; `dvc.yaml`, the flow and the command line read it."""

from dataclasses import replace

from finescale.pipeline.code import (
    BLOCKS,
    CARD,
    CASES,
    DETERMINISTIC,
    ERRORS,
    FETCH,
    GATE,
    LEARNED,
    STORE,
    H,
)
from finescale.pipeline.stage import Stage
from finescale.pipeline.trainings import SHARES, static, trainings
from finescale.pipeline.wiring import ordered
from finescale.settings import LatentPrior, Settings


def ledger(settings: Settings) -> tuple[Stage, ...]:
    """The stages that the settings ask for, each after those it reads from."""
    stages = [*_reference(settings)]
    for gcm in settings.data.gcms:
        stages += _gcm(settings, gcm)
    stages += trainings(settings)
    for method in settings.downscale.methods:
        stages += _downscale(settings, method)
    return ordered([*stages, *_judge(settings)])


def cases(settings: Settings) -> dict[str, str | None]:
    """What is downscaled, and the climate model behind it (none: the coarsened truth)."""
    return {"perfect": None, **{f"gcm-{gcm}": gcm for gcm in settings.data.gcms}}


def _source(settings: Settings) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Artefacts, settings and files that an ingest stage takes its catalogue from."""
    if settings.world:
        return ("world",), (), ()
    stated = settings.data.catalogue
    return (), ("data.catalogue",), (stated,) if stated else ()


def _reference(settings: Settings) -> list[Stage]:
    reads, catalogue, tables = _source(settings)
    series = [source for source in (settings.data.reference, settings.data.static) if source]
    listed = tables if any(source.facets for source in series) else ()
    raw_static = tuple(f"raw-{name}" for name in static(settings))
    stages = [
        Stage(
            "ingest-reference",
            run="ingest.reference",
            reads=reads,
            writes=("raw-reference", *raw_static),
            settings=(*catalogue, "data.variables", "data.region", "data.reference", "data.static"),
            sources=(*listed, *(path for source in series for path in source.files)),
            code=(*FETCH, *STORE),
            retries=2,
        ),
        Stage(
            "harmonise-reference",
            run="harmonise.reference",
            reads=("raw-reference", *raw_static),
            writes=("reference", *static(settings), "gates-reference"),
            settings=("data.variables", "data.region", "data.reference", "data.static", "gates"),
            code=("climate", "grid", *GATE, "pipeline/stages/harmonise.py", *STORE),
        ),
        Stage(
            "coarsen",
            run="coarsen.coarsen",
            reads=("reference",),
            writes=("coarse-reference",),
            settings=("coarse",),
            code=("grid", *H, *STORE),
        ),
    ]
    if settings.world:
        world = Stage(
            "world",
            run="world.make",
            reads=(),
            writes=("world",),
            settings=("world",),
            code=(
                "climate/twin",
                "climate/catalogue.py",
                "climate/variables.py",
                "grid",
                "pipeline/stages/world.py",
                *STORE,
            ),
        )
        stages.insert(0, world)
    return stages


def _gcm(settings: Settings, gcm: str) -> list[Stage]:
    reads, catalogue, tables = _source(settings)
    scored = settings.data.gcms[gcm].truth is not None
    truth = (f"truth-{gcm}",) if scored else ()
    raw = (f"raw-historical-{gcm}", f"raw-scenario-{gcm}")
    return [
        Stage(
            f"ingest-{gcm}",
            run="ingest.gcm",
            options={"gcm": gcm},
            reads=reads,
            writes=(*raw, *(f"raw-{name}" for name in truth)),
            settings=(
                *catalogue,
                "data.variables",
                "data.region",
                "data.margin",
                f"data.gcms.{gcm}",
                "downscale.scenario",
            ),
            sources=tables,
            code=(*FETCH, *STORE),
            retries=2,
        ),
        Stage(
            f"harmonise-{gcm}",
            run="harmonise.gcm",
            options={"gcm": gcm},
            reads=(*raw, *(f"raw-{name}" for name in truth), "coarse-reference"),
            writes=(f"historical-{gcm}", f"scenario-{gcm}", *truth, f"gates-{gcm}"),
            settings=("data.variables", f"data.gcms.{gcm}", "coarse", "gates"),
            code=("climate", "grid", *GATE, "pipeline/stages/harmonise.py", *STORE),
        ),
        Stage(
            f"correct-{gcm}",
            run="correct.correct",
            options={"gcm": gcm},
            reads=("coarse-reference", f"historical-{gcm}", f"scenario-{gcm}"),
            writes=tuple(
                f"{name}-{gcm}" for name in ("corrected", "correction", "error", "bias", "gates-corrected")
            ),
            settings=("seed", "correct", f"data.gcms.{gcm}", "gates"),
            code=(
                "bias",
                "climate/calendar.py",
                "climate/provenance.py",
                *GATE,
                "pipeline/stages/correct.py",
                *STORE,
            ),
        ),
    ]


def _downscale(settings: Settings, method: str) -> list[Stage]:
    """The stage that runs a method, after the search for its constants where it wants one."""
    section = settings.downscale.sections.get(method)
    own = (f"downscale.{method}",) if method in ("bcsd", "gaussian") else ()
    model: tuple[str, ...] = ()
    code: tuple[str, ...] = DETERMINISTIC
    if method == "gaussian" or section is not None:
        model, code = ("climate", *(f"error-{gcm}" for gcm in settings.data.gcms)), (*CARD, *LEARNED)
    if section is not None:
        code = (*code, "pipeline/stages/generate.py", *(("scores",) if section.calibrate else ()))
        if isinstance(settings.priors[section.prior], LatentPrior):
            model = tuple(name for name in model if name != "climate")
        own, model = (f"downscale.{method}",), (*model, f"prior-{section.prior}")
    stage = Stage(
        f"downscale-{method}",
        run="downscale.generative" if section else f"downscale.{method}",
        options={"method": method} if section else {},
        reads=("reference", "coarse-reference", *model, *(f"corrected-{gcm}" for gcm in settings.data.gcms)),
        writes=(
            f"model-{method}",
            *(f"ensemble-{method}-{case}" for case in cases(settings)),
            f"gates-{method}",
        ),
        settings=(
            "seed",
            "split",
            "coarse",
            "downscale.members",
            "downscale.period",
            *own,
            "gates",
        ),
        code=(*code, "grid", *H, *ERRORS, *BLOCKS, *GATE, CASES, "pipeline/stages/downscale.py", *STORE),
    )
    if method not in _searched(settings):
        return [stage]
    search = Stage(
        f"search-{method}",
        run="search.search",
        options={"method": method},
        reads=tuple(name for name in stage.reads if not name.startswith("corrected-")),
        writes=(f"search-{method}",),
        settings=("seed", "split.validation", *SHARES, "coarse", f"downscale.{method}"),
        code=(
            *code,
            "scores",
            "grid",
            *H,
            *BLOCKS,
            CASES,
            "pipeline/stages/search.py",
            *STORE,
        ),
    )
    return [search, replace(stage, reads=(*stage.reads, f"search-{method}"))]


def _searched(settings: Settings) -> list[str]:
    """The chosen methods whose constants are searched for."""
    chosen = settings.downscale
    return [m for m in chosen.methods if m in chosen.sections and chosen.sections[m].search is not None]


def _judge(settings: Settings) -> list[Stage]:
    truths = tuple(f"truth-{gcm}" for gcm, source in settings.data.gcms.items() if source.truth)
    corrected = tuple(f"corrected-{gcm}" for gcm in settings.data.gcms)
    ensembles = tuple(f"ensemble-{m}-{case}" for m in settings.downscale.methods for case in cases(settings))
    errors = tuple(f"error-{gcm}" for gcm in settings.data.gcms)
    gates = (
        "gates-reference",
        *(f"gates-{gcm}" for gcm in settings.data.gcms),
        *(f"gates-corrected-{gcm}" for gcm in settings.data.gcms),
        *(f"gates-{method}" for method in settings.downscale.methods),
    )
    given = ("reference", "coarse-reference", *static(settings))
    own = (CASES, "fields/cores.py", "pipeline/stages/score.py")
    return [
        Stage(
            "score",
            run="score.score",
            reads=(*given, *corrected, *errors, *truths, *ensembles),
            writes=("scorecard", "scorecard-table", "metrics", "skill"),
            settings=(
                "seed",
                "split",
                "coarse",
                "score",
                "downscale.methods",
                "downscale.period",
                "data.gcms",
                "registry.method",
            ),
            code=("scores", "grid", *H, *BLOCKS, *own, *STORE),
            tracked=True,
        ),
        Stage(
            "report",
            run="report.report",
            reads=(
                *given,
                "scorecard",
                *corrected,
                *truths,
                *ensembles,
                f"model-{settings.registry.method}",
                *(f"bias-{gcm}" for gcm in settings.data.gcms),
                *errors,
                *(f"search-{method}" for method in _searched(settings)),
                *gates,
            ),
            writes=("page", "figures"),
            settings=("seed", "split", "coarse", "downscale", "registry"),
            code=(
                "report",
                "scores",
                "grid",
                *BLOCKS,
                *CARD,
                "climate/variables.py",
                "pipeline/stages/coarsen.py",
                *own,
                "pipeline/stages/report.py",
                "pipeline/recipe.py",
                *STORE,
            ),
        ),
    ]

"""The part of the ledger that learns: the fitted climate, and the trained priors that the chosen methods need."""

from finescale.pipeline.code import BLOCKS, STORE
from finescale.pipeline.stage import Stage
from finescale.settings import LatentPrior, Settings

SHARES = ("split.shares", "split.gap")  # what blocks of days come from where the settings state none


def static(settings: Settings) -> tuple[str, ...]:
    """The static fields, where the project has any."""
    return ("static",) if settings.data.static else ()


def trainings(settings: Settings) -> list[Stage]:
    """The fitted climate and the trained priors that the chosen methods need."""
    chosen = settings.downscale
    used = {chosen.sections[m].prior: None for m in chosen.methods if m in chosen.sections}
    latent = [name for name in used if isinstance(settings.priors[name], LatentPrior)]
    stages = {stage.name: stage for name in latent for stage in _latent(settings, name)}
    needed = [name for name in used if name not in latent]
    if not needed and "gaussian" not in chosen.methods:
        return list(stages.values())
    code = ("fields", "prior", "grid", *BLOCKS, "pipeline/stages/prior.py", *STORE)
    fit = Stage(
        "fit-climate",
        run="prior.climate",
        reads=("reference",),
        writes=("climate",),
        settings=("split.train", *SHARES, "climate"),
        code=code,
    )
    pixel = [
        Stage(
            f"train-{name}",
            run="prior.train",
            options={"prior": name},
            reads=("reference", *static(settings), "climate"),
            writes=(f"prior-{name}",),
            settings=("seed", "split.train", "split.validation", *SHARES, f"priors.{name}"),
            code=code,
            tracked=True,
        )
        for name in needed
    ]
    return [fit, *pixel, *stages.values()]


def _latent(settings: Settings, name: str) -> list[Stage]:
    """The three trainings of a latent prior; two priors may share the first two."""
    section = settings.priors[name]
    parts = (section.parts if isinstance(section, LatentPrior) else None) or name
    reads = ("reference", "coarse-reference", *static(settings))
    code = (
        "fields",
        "prior",
        "grid",
        *BLOCKS,
        "pipeline/stages/coarsen.py",
        "pipeline/stages/latent.py",
        *STORE,
    )

    def sees(prior: str, *keys: str) -> tuple[str, ...]:
        told = ("variables", "predictors", "context", "scaling", "crop", *keys)
        return (
            "seed",
            "split.train",
            "split.validation",
            *SHARES,
            "coarse",
            *(f"priors.{prior}.{key}" for key in told),
        )

    return [
        Stage(
            f"train-{parts}-mean",
            run="latent.mean",
            options={"prior": parts},
            reads=reads,
            writes=(f"prior-{parts}-mean",),
            settings=sees(parts, "mean"),
            code=code,
            tracked=True,
        ),
        Stage(
            f"train-{parts}-autoencoder",
            run="latent.autoencoder",
            options={"prior": parts},
            reads=(*reads, f"prior-{parts}-mean"),
            writes=(f"prior-{parts}-autoencoder",),
            settings=sees(parts, "autoencoder"),
            code=code,
            tracked=True,
        ),
        Stage(
            f"train-{name}",
            run="latent.diffusion",
            options={"prior": name, "parts": parts},
            reads=(*reads, f"prior-{parts}-mean", f"prior-{parts}-autoencoder"),
            writes=(f"prior-{name}",),
            settings=(
                "seed",
                "split.train",
                "split.validation",
                *SHARES,
                "coarse",
                f"priors.{name}",
                *_borrowed(name, parts),
            ),
            code=code,
            tracked=True,
        ),
    ]


def _borrowed(name: str, parts: str) -> tuple[str, ...]:
    return () if name == parts else (f"priors.{parts}.mean", f"priors.{parts}.autoencoder")

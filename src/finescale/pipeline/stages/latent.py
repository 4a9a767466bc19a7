"""Stages ``train-<prior>-mean``, ``train-<prior>-autoencoder`` and ``train-<prior>`` of a latent prior."""

from typing import Any

from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.blocks import block
from finescale.pipeline.stages.coarsen import operator
from finescale.prior.latent import Run, train_autoencoder, train_diffusion, train_mean
from finescale.prior.latentspec import AutoencoderSpec, LatentSpec, PhysicsSpec, RegressionSpec
from finescale.prior.pairs import Pairs
from finescale.prior.spec import NetworkSpec, TrainingSpec


def mean(desk: Desk, prior: str) -> None:
    """Train the reference network; a killed training goes on from its last checkpoint."""
    wanted = desk.setting(f"priors.{prior}.mean")
    parts = {"mean": RegressionSpec(_network(wanted), _training(desk, wanted))}
    spec, pairs = _prepare(desk, prior, parts)
    train_mean(pairs, spec, _run(desk, f"prior-{prior}-mean"))


def autoencoder(desk: Desk, prior: str) -> None:
    """Train the autoencoder of what the mean leaves."""
    spec, pairs = _prepare(desk, prior, {"autoencoder": _autoencoder(desk, prior)})
    folder = desk.path(f"prior-{prior}-mean")
    train_autoencoder(pairs, spec, _run(desk, f"prior-{prior}-autoencoder"), mean=folder)


def diffusion(desk: Desk, prior: str, parts: str) -> None:
    """Train the diffusion of the latents and join the three parts into one prior."""
    wanted, mean = desk.setting(f"priors.{prior}"), desk.setting(f"priors.{parts}.mean")
    found = {
        "mean": RegressionSpec(_network(mean), _training(desk, mean)),
        "autoencoder": _autoencoder(desk, parts),
        "window": wanted.window,
        "noise": wanted.noise,
        "network": _network(wanted),
        "training": _training(desk, wanted),
        "physics": PhysicsSpec(**wanted.physics.model_dump()),
    }
    spec, pairs = _prepare(desk, prior, found)
    train_diffusion(
        pairs,
        spec,
        _run(desk, f"prior-{prior}"),
        mean=desk.path(f"prior-{parts}-mean"),
        autoencoder=desk.path(f"prior-{parts}-autoencoder"),
    )


def _prepare(desk: Desk, prior: str, parts: dict[str, Any]) -> tuple[LatentSpec, Pairs]:
    """The prior's specification, as far as the stage may know it, and its data."""
    fine, coarse = desk.open("reference"), desk.open("coarse-reference").compute()
    predictors = desk.setting(f"priors.{prior}.predictors") or tuple(map(str, coarse.data_vars))
    shared = {
        name: desk.setting(f"priors.{prior}.{name}") for name in ("variables", "context", "scaling", "crop")
    }
    spec = LatentSpec(predictors=tuple(predictors), **shared, **parts)
    train, held_out = (block(desk, "reference", name, slices=True) for name in ("train", "validation"))
    return spec, Pairs.of(train, coarse, desk.optional("static"), spec, operator(desk, fine), held_out)


def _autoencoder(desk: Desk, prior: str) -> AutoencoderSpec:
    wanted = desk.setting(f"priors.{prior}.autoencoder")
    return AutoencoderSpec(**wanted.model_dump(exclude={"training"}), training=_training(desk, wanted))


def _network(wanted: Any) -> NetworkSpec:  # noqa: ANN401 - several sections have one
    return NetworkSpec(**wanted.network.model_dump())


def _training(desk: Desk, wanted: Any) -> TrainingSpec:  # noqa: ANN401
    return TrainingSpec(**wanted.training.model_dump(), seed=desk.setting("seed"))


def _run(desk: Desk, artefact: str) -> Run:
    return Run(
        desk.new(artefact),
        desk.scratch(),
        provenance={"data": {name: desk.digest(name) for name in desk.stage.reads}},
        on_plan=lambda plan: desk.note(str(plan)),
        on_progress=lambda done, total: desk.progress(desk.stage.name.replace("-", " ", 1), done, total),
        on_log=desk.log,
    )

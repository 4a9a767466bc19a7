"""Stages ``fit-climate`` and ``train-<prior>``: what fine weather looks like, learned from the training period."""

from finescale.fields.scaling import Scaling
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.blocks import block
from finescale.prior.card import load_prior, update_card
from finescale.prior.check import unconditional
from finescale.prior.climatology import Harmonics
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.spec import NetworkSpec, PriorSpec, TrainingSpec
from finescale.prior.training import train as fit_network


def climate(desk: Desk) -> None:
    """Fit the linear-Gaussian climate: a baseline, the guidance's covariance, and what the network corrects."""
    wanted = desk.setting("climate")
    ds = block(desk, "reference", "train", slices=True)
    scaling = Scaling.fit(ds, [str(name) for name in ds.data_vars], wanted.scaling)
    fitted = GaussianClimate.fit(
        ds,
        scaling,
        modes=wanted.modes,
        order=wanted.order,
        joint=wanted.joint,
        sketch_every=wanted.sketch_every,
        harmonics=Harmonics(wanted.annual, wanted.diurnal),
    )
    desk.save("climate", fitted.to_dataset())


def train(desk: Desk, prior: str) -> None:
    """Train a prior; a killed training goes on from its last checkpoint."""
    wanted = desk.setting(f"priors.{prior}")
    fine = desk.open("reference")
    body = wanted.model_dump(exclude={"kind", "network", "training"})
    network = NetworkSpec(**wanted.network.model_dump())
    recipe = TrainingSpec(**wanted.training.model_dump(), seed=desk.setting("seed"))
    spec = PriorSpec(tuple(map(str, fine.data_vars)), **body, network=network, training=recipe)
    period, folder = block(desk, "reference", "train", slices=True), desk.new(f"prior-{prior}")
    fit_network(
        period,
        desk.optional("static"),
        spec,
        folder,
        validation=block(desk, "reference", "validation", slices=True),
        scratch=desk.scratch(),
        gaussian=GaussianClimate.from_dataset(desk.open("climate").compute()),
        provenance={"data": {name: desk.digest(name) for name in desk.stage.reads}},
        on_plan=lambda plan: desk.note(str(plan)),
        on_progress=lambda done, total: desk.progress(f"train {prior}", done, total),
        on_log=desk.log,
    )
    update_card(
        folder, {"unconditional": unconditional(load_prior(folder), period, seed=desk.setting("seed"))}
    )

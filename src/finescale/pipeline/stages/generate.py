"""Put a generative method together: a trained prior, a guidance, a sampler."""

from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.methods.downscaler import Downscaler
from finescale.methods.generative import GenerativeDownscaler
from finescale.methods.regression import RegressionDownscaler
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.coarsen import operator
from finescale.prior.card import load_prior
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.window import WindowSpec


def downscaler(desk: Desk, method: str) -> Downscaler:
    """The method that the settings describe."""
    wanted = desk.setting(f"downscale.{method}")
    fine, prior = desk.open("reference"), load_prior(desk.path(f"prior-{wanted.prior}"))
    units = {name: str(fine[name].attrs["units"]) for name in prior.reads}
    if wanted.answer == "mean":
        return RegressionDownscaler(prior, operator(desk, fine), units)
    climate = desk.optional("climate")
    return GenerativeDownscaler(
        prior,
        operator(desk, fine),
        units,
        SamplerSpec(**wanted.sampler.model_dump()),
        GuidanceSpec(**wanted.guidance.model_dump()),
        WindowSpec(**wanted.windows.model_dump()),
        None if climate is None else GaussianClimate.from_dataset(climate.compute()),
        pace=wanted.pace,
        context_weight=wanted.context_weight,
        group=wanted.group,
        batch=wanted.batch,
    )

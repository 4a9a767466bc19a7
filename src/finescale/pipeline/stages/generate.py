"""Put a generative method together: a trained prior, a guidance, a sampler."""

from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.methods.generative import GenerativeDownscaler
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.coarsen import operator
from finescale.prior.card import load_prior
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.window import WindowSpec


def downscaler(desk: Desk, method: str) -> GenerativeDownscaler:
    """The method that the settings describe."""
    wanted = desk.setting(f"downscale.{method}")
    fine = desk.open("reference")
    return GenerativeDownscaler(
        load_prior(desk.path(f"prior-{wanted.prior}")),
        operator(desk, fine),
        {str(name): str(field.attrs["units"]) for name, field in fine.data_vars.items()},
        SamplerSpec(**wanted.sampler.model_dump()),
        GuidanceSpec(**wanted.guidance.model_dump()),
        WindowSpec(**wanted.windows.model_dump()),
        GaussianClimate.from_dataset(desk.open("climate").compute()),
        pace=wanted.pace,
        context_weight=wanted.context_weight,
        group=wanted.group,
        batch=wanted.batch,
    )
